//! Every sample to a stack of code locations, on several threads.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::Arc;

use profiler_symbols::{ImageStore, PerfMap};
use profiler_unwind::{AddressSpaces, Outcome, StackCopy, Unwinder};

use crate::interning::{Location, Locations, QuickMap, Stacks};
use crate::order::{Happening, Timeline};
use crate::record::{Layout, ProcessEvent, Records, Sample};

/// A sample without its stack bytes.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub time: u64,
    pub pid: i32,
    pub tid: i32,
    pub period: Option<u64>,
    pub event: usize,
    pub stack: u32,
}

/// How the stacks ended, in samples.
#[derive(Default, Clone, Copy)]
pub(crate) struct Endings {
    pub truncated: usize,
    pub broken: usize,
    /// Samples whose record was damaged.
    pub unreadable: usize,
    /// Samples of 32-bit programs, which are not unwound.
    pub foreign: usize,
    /// User stacks that came from the kernel's frame-pointer chain alone.
    pub by_frame_pointer: usize,
}

#[derive(Default)]
pub(crate) struct Resolved {
    pub rows: Vec<Row>,
    pub locations: Locations,
    pub stacks: Stacks,
    pub endings: Endings,
    pub problems: Vec<String>,
}

/// Samples are dealt to the threads in hands of this many: neighbours are alike, so a thread's caches serve it well.
const HAND: usize = 256;

/// What all threads read.
pub(crate) struct Recording<'a> {
    pub data: &'a [u8],
    pub layouts: &'a [Layout],
    pub timeline: &'a Timeline,
    pub maps: &'a HashMap<i32, Arc<PerfMap>>,
    pub images: &'a Arc<ImageStore>,
}

/// Each thread follows all process events, and unwinds its share of the samples.
pub(crate) fn resolve(recording: &Recording<'_>, threads: usize) -> Resolved {
    let mut parts = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (1..threads).map(|own| scope.spawn(move || Worker::new(recording).run(own, threads))).collect();
        let mut parts = vec![Worker::new(recording).run(0, threads)];
        parts.extend(workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))));
        parts
    });
    let mut whole = parts.remove(0);
    for part in parts {
        merge(&mut whole, part);
    }
    whole.rows.sort_by_key(|row| row.time);
    whole.problems.sort();
    whole.problems.dedup();
    whole
}

fn merge(whole: &mut Resolved, part: Resolved) {
    let frames: Vec<u32> = part.locations.list.into_iter().map(|location| whole.locations.intern(location)).collect();
    let mut stack = Vec::new();
    let stacks: Vec<u32> = (0..part.stacks.ends.len())
        .map(|number| {
            stack.clear();
            stack.extend(slice_of(&part.stacks, number).iter().map(|frame| frames[*frame as usize]));
            whole.stacks.intern(&stack)
        })
        .collect();
    whole.rows.extend(part.rows.into_iter().map(|row| Row { stack: stacks[row.stack as usize], ..row }));
    whole.problems.extend(part.problems);
    let (sum, more) = (&mut whole.endings, part.endings);
    sum.truncated += more.truncated;
    sum.broken += more.broken;
    sum.unreadable += more.unreadable;
    sum.foreign += more.foreign;
    sum.by_frame_pointer += more.by_frame_pointer;
}

fn slice_of(stacks: &Stacks, number: usize) -> &[u32] {
    stacks.get(number as u32)
}

struct Worker<'a> {
    recording: &'a Recording<'a>,
    spaces: AddressSpaces,
    unwinder: Unwinder,
    known: QuickMap<(u32, u64), u32>,
    out: Resolved,
    addresses: Vec<u64>,
    user_chain: Vec<u64>,
    stack: Vec<u32>,
}

impl<'a> Worker<'a> {
    fn new(recording: &'a Recording<'a>) -> Self {
        let mut spaces = AddressSpaces::new(Arc::clone(recording.images));
        for (pid, map) in recording.maps {
            spaces.set_generated(*pid, Arc::clone(map));
        }
        Self {
            recording,
            spaces,
            unwinder: Unwinder::new(),
            known: QuickMap::default(),
            out: Resolved::default(),
            addresses: Vec::new(),
            user_chain: Vec::new(),
            stack: Vec::new(),
        }
    }

    fn run(mut self, own: usize, threads: usize) -> Resolved {
        let mut count = 0;
        for (time, happening) in &self.recording.timeline.happenings {
            match happening {
                Happening::Process(event) => self.follow(event),
                Happening::Sample { offset, event } => {
                    if (count / HAND) % threads == own {
                        self.sample(*time, *offset, *event);
                    }
                    count += 1;
                }
            }
        }
        self.out.problems = self.spaces.problems().values().cloned().collect();
        self.out
    }

    fn follow(&mut self, event: &ProcessEvent) {
        match event {
            ProcessEvent::Mmap { pid, mapping } => self.spaces.mmap(*pid, mapping),
            ProcessEvent::Fork { pid, parent, copies, .. } if pid != parent => {
                self.spaces.exec(*pid);
                if *copies {
                    self.spaces.fork(*parent, *pid);
                }
                self.restore_generated(*pid);
            }
            ProcessEvent::Comm { pid, exec: true, .. } => {
                self.spaces.exec(*pid);
                self.restore_generated(*pid);
            }
            _ => {}
        }
    }

    fn restore_generated(&mut self, pid: i32) {
        if let Some(map) = self.recording.maps.get(&pid) {
            self.spaces.set_generated(pid, Arc::clone(map));
        }
    }

    fn sample(&mut self, time: u64, offset: usize, event: usize) {
        let record = Records::at(self.recording.data, offset);
        let layout = &self.recording.layouts[event];
        let Some((record, sample)) = record.and_then(|record| Some((record, layout.sample(record.body)?))) else {
            self.out.endings.unreadable += 1;
            return;
        };
        self.stack.clear();
        self.kernel_part(&sample, record.in_kernel());
        self.user_part(&sample, record.in_kernel());
        self.stack.reverse();
        let stack = self.out.stacks.intern(&self.stack);
        let (pid, tid, period) = (sample.pid, sample.tid, sample.period);
        self.out.rows.push(Row { time, pid, tid, period, event, stack });
    }

    /// Kernel frames, leaf first; the user part of the kernel's chain is kept for later.
    fn kernel_part(&mut self, sample: &Sample<'_>, in_kernel: bool) {
        const CONTEXT_KERNEL: u64 = -128_i64 as u64;
        const CONTEXT_USER: u64 = -512_i64 as u64;
        const FIRST_CONTEXT: u64 = -4095_i64 as u64;
        self.user_chain.clear();
        let (mut context, mut seen) = (0, false);
        for bytes in sample.chain.chunks_exact(8) {
            let address = bytes.try_into().map_or(0, u64::from_le_bytes);
            if address >= FIRST_CONTEXT {
                context = address;
            } else if context == CONTEXT_KERNEL {
                // The first is where it was, the others are return addresses.
                let address = if seen { address.wrapping_sub(1) } else { address };
                seen = true;
                self.stack.push(self.out.locations.intern(Location::Kernel { address }));
            } else if context == CONTEXT_USER {
                self.user_chain.push(address);
            }
        }
        if in_kernel && !seen {
            self.stack.push(self.out.locations.intern(Location::Kernel { address: sample.ip }));
        }
    }

    fn user_part(&mut self, sample: &Sample<'_>, in_kernel: bool) {
        self.addresses.clear();
        match (&sample.registers, sample.stack, self.spaces.get(sample.pid)) {
            (Some(registers), Some((bytes, full)), Some(space)) => {
                let stack = StackCopy { bytes, start: registers.sp(), full };
                let chain = self.user_chain.get(1..).unwrap_or_default();
                match self.unwinder.unwind(space, registers, stack, chain, &mut self.addresses) {
                    Outcome::Root => {}
                    Outcome::Truncated => self.out.endings.truncated += 1,
                    Outcome::Broken => self.out.endings.broken += 1,
                }
            }
            (registers, _, _) => {
                let first = self.user_chain.first().copied().or(registers.map(|all| all.ip()));
                let rest = self.user_chain.iter().skip(1).map(|address| address.wrapping_sub(1));
                self.addresses.extend(first.into_iter().chain(rest));
                if self.addresses.is_empty() && !in_kernel {
                    self.addresses.push(sample.ip);
                    self.out.endings.foreign += 1;
                } else if !self.user_chain.is_empty() {
                    self.out.endings.by_frame_pointer += 1;
                }
            }
        }
        let space = self.spaces.get(sample.pid);
        let version = space.map_or(0, |space| space.version());
        for address in &self.addresses {
            let (known, locations) = (&mut self.known, &mut self.out.locations);
            let number = known.entry((version, *address)).or_insert_with(|| {
                let place = space.map_or(profiler_unwind::Place::Unknown, |space| space.place(*address));
                locations.intern(Location::of(place, *address))
            });
            self.stack.push(*number);
        }
    }
}
