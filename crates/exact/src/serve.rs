//! The recorder as a process: commands as JSON lines on standard input, an answer to each on standard output.
//!
//! It ends when its input ends, so it never outlives the process that started it; with it go program, maps and events.

use std::io::{self, Write};
use std::path::PathBuf;

use profiler_symbols::KernelSymbols;
use serde::{Deserialize, Serialize};

use crate::capture;
use crate::error::{Error, Result};
use crate::inbox::{Event, Inbox};
use crate::recorder::Recorder;

/// Lower priority than the server's and the load's.
const NICENESS: i32 = 10;

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Command {
    /// Whether this process may sample at all.
    Probe {
        #[serde(default)]
        waits: bool,
    },
    Attach {
        pids: Vec<u32>,
        period_ns: u64,
        folder: PathBuf,
        #[serde(default)]
        cpus: Vec<usize>,
        /// Sample waits instead of CPU time.
        #[serde(default)]
        waits: bool,
    },
    On {},
    Off {},
    /// Write what was sampled.
    Finish {},
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Done { ok: bool, interpreters: Vec<Found> },
    Failed { error: String, hint: String },
}

/// An interpreter that was found.
#[derive(Serialize)]
struct Found {
    pid: u32,
    version: String,
    path: String,
}

/// A recording in progress.
struct Session {
    recorder: Recorder,
    /// Read before anything is sampled: it takes a tenth of a second, which the end would have to wait for.
    kernel: KernelSymbols,
    /// CPUs that could be used before those of the recording were chosen.
    all_cpus: Option<libc::cpu_set_t>,
    folder: PathBuf,
    sampling: bool,
    cpu_s: f64,
    cpu_from_s: f64,
}

/// Serve commands until the input ends or `finish` is done.
pub fn serve() -> io::Result<()> {
    let mut inbox = Inbox::open()?;
    let mut session: Option<Session> = None;
    let mut out = io::stdout().lock();
    loop {
        let ring = session.as_ref().filter(|session| session.sampling).map(|session| session.recorder.ring());
        let line = match inbox.wait(ring)? {
            Event::Command(line) => line,
            Event::Samples => {
                if let Some(session) = session.as_mut() {
                    session.recorder.drain();
                }
                continue;
            }
            Event::End => return Ok(()),
        };
        let (answer, last) = match obey(&line, &mut session) {
            Ok(last) => (done(session.as_ref()), last),
            Err(error) => (Answer::Failed { error: error.to_string(), hint: error.hint().to_owned() }, false),
        };
        serde_json::to_writer(&mut out, &answer)?;
        out.write_all(b"\n")?;
        out.flush()?;
        if last {
            return Ok(());
        }
    }
}

/// Carry out a command. True after the last one.
fn obey(line: &str, session: &mut Option<Session>) -> Result<bool> {
    let command: Command =
        serde_json::from_str(line).map_err(|error| Error::Target(format!("not a command: {error}")))?;
    match command {
        Command::Probe { waits } => {
            let own = std::process::id();
            Recorder::attach(&[own], 10_000_000, waits)?;
        }
        Command::Attach { pids, period_ns, folder, cpus, waits } => {
            let all_cpus = yield_to_others(&cpus);
            let recorder = Recorder::attach(&pids, period_ns, waits)?;
            let kernel = KernelSymbols::read().unwrap_or_default();
            let (sampling, cpu_s, cpu_from_s) = (false, 0.0, 0.0);
            *session = Some(Session { recorder, kernel, all_cpus, folder, sampling, cpu_s, cpu_from_s });
        }
        Command::On {} => attached(session)?.on()?,
        Command::Off {} => attached(session)?.off()?,
        Command::Finish {} => {
            let session = attached(session)?;
            if session.sampling {
                session.off()?;
            }
            if let Some(cpus) = &session.all_cpus {
                use_cpus(cpus); // nothing is measured any more
            }
            capture::write(&session.recorder, &session.kernel, &session.folder, session.cpu_s)?;
            return Ok(true);
        }
    }
    Ok(false)
}

fn attached(session: &mut Option<Session>) -> Result<&mut Session> {
    session.as_mut().ok_or_else(|| Error::Target("nothing is attached".to_owned()))
}

impl Session {
    fn on(&mut self) -> Result<()> {
        self.cpu_from_s = cpu_seconds();
        self.recorder.on()?;
        self.sampling = true;
        Ok(())
    }

    fn off(&mut self) -> Result<()> {
        self.sampling = false;
        self.recorder.off()?;
        self.cpu_s += cpu_seconds() - self.cpu_from_s;
        Ok(())
    }
}

fn done(session: Option<&Session>) -> Answer {
    let mut interpreters: Vec<Found> = session
        .iter()
        .flat_map(|session| session.recorder.interpreters())
        .map(|(pid, found)| {
            let (major, minor, micro) = found.version;
            Found { pid, version: format!("{major}.{minor}.{micro}"), path: found.path.clone() }
        })
        .collect();
    interpreters.sort_by_key(|found| found.pid);
    Answer::Done { ok: true, interpreters }
}

/// Run at low priority, on these CPUs only where some are named. Failing at either only costs accuracy. What it gives
/// back is the set of CPUs before, where that was changed.
fn yield_to_others(cpus: &[usize]) -> Option<libc::cpu_set_t> {
    // SAFETY: plain system calls on this process; both sets are fully initialised before they are passed.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS);
        if cpus.is_empty() {
            return None;
        }
        let mut before: libc::cpu_set_t = std::mem::zeroed();
        let known = libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut before) == 0;
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        for cpu in cpus.iter().filter(|cpu| **cpu < libc::CPU_SETSIZE as usize) {
            libc::CPU_SET(*cpu, &mut set);
        }
        use_cpus(&set);
        known.then_some(before)
    }
}

/// Run this thread, and those that it starts, on these CPUs.
fn use_cpus(set: &libc::cpu_set_t) {
    // SAFETY: a plain system call that reads the set.
    unsafe {
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const *set);
    }
}

fn cpu_seconds() -> f64 {
    // SAFETY: the kernel fills the whole structure.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}
