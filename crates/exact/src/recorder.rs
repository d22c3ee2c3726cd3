//! Records one target: its processes, their children, every thread of them.

use std::collections::{HashMap, HashSet};
use std::os::fd::RawFd;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::interpreter::{find_interpreter, Interpreter};
use crate::join::Joiner;
use crate::process;
use crate::program::{Counts, Layout, Program};
use crate::record::{parse, Record, Sample};
use crate::stacks::Row;
use crate::waits::{Wait, WaitKind};

/// A child that could not be described is looked at again after this long, in nanoseconds.
const RETRY_NS: u64 = 200_000_000;
const DEEPEST_TREE: usize = 16;

/// A process of the target.
struct Process {
    interpreter: Option<Interpreter>,
    /// The address space this was found in; exec draws a new one.
    identity: u64,
    /// A process of the same address space's identity: the one it was forked from.
    relative: Option<u32>,
    /// When the interpreter was last looked for; 0 where nothing is left to find.
    looked_ns: u64,
}

/// The other records of a sample that is still to come, by CPU.
#[derive(Default)]
struct Pending {
    sequence: u64,
    stack: Vec<u8>,
    kernel: Vec<u64>,
    wait: Option<Wait>,
}

/// Samples a target while it is on.
pub struct Recorder {
    program: Program,
    clock: Clock,
    period_ns: u64,
    targets: HashSet<u32>,
    strangers: HashSet<u32>,
    processes: HashMap<u32, Process>,
    interpreters: HashMap<u64, Option<Interpreter>>,
    pending: HashMap<u32, Pending>,
    damaged: u64,
    pub joiner: Joiner,
    pub notes: Vec<String>,
}

impl Recorder {
    /// Prepare to sample these processes' CPU time, or what they wait for; nothing is sampled yet.
    pub fn attach(pids: &[u32], period_ns: u64, waits: bool) -> Result<Self> {
        let program = if waits { Program::load_waits(period_ns)? } else { Program::load()? };
        let mut recorder = Self {
            program,
            period_ns,
            clock: Clock::new(period_ns),
            targets: pids.iter().copied().collect(),
            strangers: HashSet::new(),
            processes: HashMap::new(),
            interpreters: HashMap::new(),
            pending: HashMap::new(),
            damaged: 0,
            joiner: Joiner::default(),
            notes: Vec::new(),
        };
        for pid in pids {
            recorder.describe(*pid, 0)?;
        }
        recorder.cover_cpus()?;
        Ok(recorder)
    }

    /// Have a clock on every CPU that the target may use now.
    fn cover_cpus(&mut self) -> Result<()> {
        if self.program.takes_waits() {
            return Ok(());
        }
        let cpus = self.targets.iter().flat_map(|pid| process::allowed_cpus(*pid)).collect();
        self.clock.cover(self.program.descriptor()?, &cpus)
    }

    /// Version and file of each interpreter found, by process.
    pub fn interpreters(&self) -> impl Iterator<Item = (u32, &Interpreter)> {
        self.processes.iter().filter_map(|(pid, process)| Some((*pid, process.interpreter.as_ref()?)))
    }

    /// Start taking samples.
    pub fn on(&mut self) -> Result<()> {
        self.program.begin_waits()?;
        self.cover_cpus()?;
        self.clock.enable()
    }

    /// Stop taking samples and join what is left.
    pub fn off(&mut self) -> Result<()> {
        self.program.end_waits()?;
        self.clock.disable()?;
        self.drain();
        Ok(())
    }

    /// What the kernel side counted.
    pub fn counts(&self) -> Counts {
        self.program.counts()
    }

    /// Records that could not be read, or whose other half never came.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// What becomes readable when the samples that have arrived should not wait.
    pub fn ring(&self) -> RawFd {
        self.program.ring_descriptor()
    }

    /// Join every sample that has arrived.
    pub fn drain(&mut self) {
        while let Some(whole) = self.receive() {
            if let Some((sample, cpu)) = whole {
                let pending = self.pending.remove(&cpu).unwrap_or_default();
                self.take(&sample, &pending);
                self.pending.insert(cpu, pending);
            }
        }
    }

    /// Take one record out of the ring: None when it is empty, a sample when all of it has arrived.
    fn receive(&mut self) -> Option<Option<(Box<Sample>, u32)>> {
        let item = self.program.records.next()?;
        let Some((cpu, sequence, record)) = parse(&item) else {
            self.damaged += 1;
            return Some(None);
        };
        let pending = self.pending.entry(cpu).or_default();
        if pending.sequence != sequence {
            pending.sequence = sequence;
            pending.stack.clear();
            pending.kernel.clear();
            pending.wait = None;
        }
        match record {
            Record::Stack(bytes) => pending.stack.extend_from_slice(bytes),
            Record::Kernel(addresses) => pending.kernel = addresses,
            Record::Wait(wait) => pending.wait = Some(wait),
            Record::Sample(sample) => return Some(Some((sample, cpu))),
        }
        Some(None)
    }

    fn take(&mut self, sample: &Sample, pending: &Pending) {
        if !self.belongs(sample.pid) {
            return;
        }
        let known = self.processes.get(&sample.pid);
        let look = known.is_none_or(|process| {
            process.identity != sample.space || process.looked_ns != 0 && sample.time_ns > process.looked_ns + RETRY_NS
        });
        if look {
            if let Err(error) = self.describe(sample.pid, sample.time_ns) {
                self.note(format!("process {}: {error}", sample.pid));
            }
            if !self.processes.contains_key(&sample.pid) {
                self.describe_gone(sample);
            }
        }
        let Some(process) = self.processes.get(&sample.pid) else {
            return;
        };
        // What was walked before the process was described, or after it became another program, has no Python side.
        let interpreter = process.interpreter.as_ref().filter(|_| process.identity == sample.space);
        let (pid, tid) = (sample.pid, sample.tid);
        match pending.wait {
            Some(wait) if wait.kind != WaitKind::Blocked => {
                let stack = self.joiner.join_stackless(&pending.kernel, wait.kind);
                self.joiner.stacks.push_wait(wait, self.period_ns, pid, tid, stack);
            }
            Some(wait) => {
                let stack = self.joiner.join(sample, &pending.stack, &pending.kernel, interpreter, process.relative);
                self.joiner.stacks.push_wait(wait, self.period_ns, pid, tid, stack);
            }
            None => {
                let stack = self.joiner.join(sample, &pending.stack, &pending.kernel, interpreter, process.relative);
                self.joiner.stacks.rows.push(Row { time_ns: sample.time_ns, pid, tid, stack });
            }
        }
        self.joiner.stacks.threads.insert((sample.pid, sample.tid), sample.thread_name.clone());
    }

    /// Whether a process is one of the target's or descends from one. Others can share an address space's identity:
    /// the parent that forked a worker does.
    fn belongs(&mut self, pid: u32) -> bool {
        if self.targets.contains(&pid) {
            return true;
        }
        if self.strangers.contains(&pid) {
            return false;
        }
        let mut ancestor = pid;
        for _ in 0..DEEPEST_TREE {
            match process::read_status(ancestor) {
                Some(status) if self.targets.contains(&status.parent) => {
                    self.targets.insert(pid);
                    return true;
                }
                Some(status) if status.parent > 1 => ancestor = status.parent,
                // Gone already: it was a child of the target when it was sampled, or shares its address space.
                None if ancestor == pid => return true,
                _ => break,
            }
        }
        self.strangers.insert(pid);
        false
    }

    /// Find out what a process is, and tell the program how to walk it.
    fn describe(&mut self, pid: u32, now_ns: u64) -> Result<()> {
        let Some(status) = process::read_status(pid) else {
            return if now_ns == 0 { Err(Error::Target(format!("no such process: {pid}"))) } else { Ok(()) };
        };
        if status.space == 0 && now_ns != 0 {
            return Ok(()); // it is ending
        }
        if status.space == 0 {
            return Err(Error::Refused {
                message: format!("process {pid} may not be read"),
                hint: "needs root or CAP_SYS_PTRACE; see `profiler doctor`".to_owned(),
            });
        }
        if !self.joiner.spaces.read(pid, now_ns) {
            return Ok(());
        }
        let found = match self.interpreters.get(&status.space) {
            Some(known) => Ok(known.clone()),
            None => find_interpreter(pid),
        };
        let (interpreter, looked_ns) = match found {
            Ok(found) => {
                let layout = found.as_ref().map_or_else(Layout::default, |interpreter| interpreter.layout);
                self.program.watch(status.space, &layout)?;
                if found.as_ref().is_some_and(|interpreter| !interpreter.knows_gil) {
                    self.note(format!("process {pid}: who holds the GIL can't be told in this interpreter"));
                }
                self.interpreters.insert(status.space, found.clone());
                (found, 0)
            }
            Err(error) if now_ns == 0 => return Err(error),
            Err(error) => {
                self.note(format!("process {pid}: {error}"));
                (None, now_ns)
            }
        };
        let parent = self.processes.get(&status.parent).filter(|process| process.identity == status.space);
        let relative = parent.map(|process| process.relative.unwrap_or(status.parent));
        self.processes.insert(pid, Process { interpreter, identity: status.space, relative, looked_ns });
        Ok(())
    }

    /// A process that ended before it was looked at. Where another one shares its address space's identity, it was
    /// forked from that and had its files and its interpreter; anything else stays unknown.
    fn describe_gone(&mut self, sample: &Sample) {
        let like = self.processes.iter().find(|(_, process)| process.identity == sample.space);
        let Some((relative, process)) = like else {
            return;
        };
        // The eldest of the family is the one most likely to be alive.
        let (relative, interpreter) = (process.relative.unwrap_or(*relative), process.interpreter.clone());
        self.joiner.spaces.inherit(relative, sample.pid);
        self.processes.insert(
            sample.pid,
            Process { interpreter, identity: sample.space, relative: Some(relative), looked_ns: 0 },
        );
    }

    fn note(&mut self, note: String) {
        if self.notes.len() < 20 && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}
