//! Waits by scheduler events: the programs that follow them, and the sampling instants that fall into a wait.

use std::io::Read;

use aya::maps::{Array, MapData};
use aya::programs::tp_btf::BtfTracePointLink;
use aya::programs::{BtfTracePoint, Iter, Program};
use aya::{Btf, Ebpf};

use crate::error::{Error, Result};
use crate::program::refused;

/// Threads the programs can follow at once; the map is allocated whole.
pub const MOST_THREADS: u32 = 16_384;

/// Programs with their tracepoints. Calls first: a wait must not end unnoticed.
const FOLLOWED: [(&str, &str); 2] = [("leave_call", "sys_exit"), ("switch_threads", "sched_switch")];
const VISITOR: &str = "visit_thread";

/// What a thread waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitKind {
    /// Inside a system call.
    Blocked,
    /// It could have run, and had no CPU.
    Runnable,
    /// Blocked outside a system call: a page that is being read.
    Fault,
    /// Of a thread that the kernel runs for the process, which has no stack outside the kernel.
    Kernel,
}

/// One wait, in CLOCK_MONOTONIC nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    pub from_ns: u64,
    pub to_ns: u64,
    pub kind: WaitKind,
    /// In the initial pid namespace: what the instants are drawn by.
    pub thread: u32,
}

impl Wait {
    /// The sampling instants in this wait: one at a random place in each period of wall time. `bpf/waits.h` draws the
    /// same.
    pub fn instants(self, period_ns: u64) -> impl Iterator<Item = u64> {
        (self.from_ns / period_ns..=self.to_ns / period_ns)
            .map(move |stratum| sampling_instant(self.thread, stratum, period_ns))
            .filter(move |at| (self.from_ns..self.to_ns).contains(at))
    }
}

fn sampling_instant(thread: u32, stratum: u64, period_ns: u64) -> u64 {
    let mut x = (stratum ^ u64::from(thread) << 40).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^= x >> 31;
    stratum * period_ns + x % period_ns
}

/// The programs on scheduler events, and where they learn when the window began.
pub struct Waits {
    epochs: Array<MapData, u64>,
    /// Dropped, a link detaches its program.
    links: Vec<BtfTracePointLink>,
}

impl Waits {
    /// Load the programs; nothing runs until `begin`.
    pub fn load(loaded: &mut Ebpf) -> Result<Self> {
        let btf = Btf::from_sys_fs().map_err(|error| refused("the kernel does not describe its types", &error))?;
        for (name, tracepoint) in FOLLOWED {
            follower(loaded, name)?
                .load(tracepoint, &btf)
                .map_err(|error| refused(&format!("the kernel refused the BPF program on {tracepoint}"), &error))?;
        }
        visitor(loaded)?
            .load("task", &btf)
            .map_err(|error| refused("the kernel refused the BPF program that visits threads", &error))?;
        let map =
            loaded.take_map("epochs").ok_or_else(|| Error::Target("the BPF object holds no epochs".to_owned()))?;
        let epochs = Array::try_from(map).map_err(|error| refused("a BPF map is of another kind", &error))?;
        Ok(Self { epochs, links: Vec::new() })
    }

    /// Follow the scheduler from now on. A thread that waits already counts as waiting since now.
    pub fn begin(&mut self, loaded: &mut Ebpf) -> Result<()> {
        self.epochs.set(0, monotonic_ns(), 0).map_err(|error| refused("a BPF map could not be written", &error))?;
        for (name, tracepoint) in FOLLOWED {
            let program = follower(loaded, name)?;
            let link = program
                .attach()
                .and_then(|link| program.take_link(link))
                .map_err(|error| refused(&format!("the kernel refused to follow {tracepoint}"), &error))?;
            self.links.push(link);
        }
        Ok(())
    }

    /// Take the waits that are under way, and follow no more.
    pub fn end(&mut self, loaded: &mut Ebpf) -> Result<()> {
        if self.links.is_empty() {
            return Ok(());
        }
        let visited = visit_threads(loaded);
        self.links.clear();
        visited
    }
}

/// Reading the iterator runs its program once for every thread of the machine.
fn visit_threads(loaded: &mut Ebpf) -> Result<()> {
    let program = visitor(loaded)?;
    let mut file = program
        .attach()
        .and_then(|link| program.take_link(link))
        .map_err(|error| refused("the kernel refused to visit threads", &error))?
        .into_file()
        .map_err(|error| refused("the kernel refused to visit threads", &error))?;
    let mut nothing = Vec::new();
    file.read_to_end(&mut nothing).map_err(|error| Error::io("visiting threads", error))?;
    Ok(())
}

fn follower<'a>(loaded: &'a mut Ebpf, name: &str) -> Result<&'a mut BtfTracePoint> {
    find(loaded, name)?.try_into().map_err(|error| refused("the BPF object holds another kind of program", &error))
}

fn visitor(loaded: &mut Ebpf) -> Result<&mut Iter> {
    find(loaded, VISITOR)?.try_into().map_err(|error| refused("the BPF object holds another kind of program", &error))
}

fn find<'a>(loaded: &'a mut Ebpf, name: &str) -> Result<&'a mut Program> {
    loaded.program_mut(name).ok_or_else(|| Error::Target(format!("the BPF object holds no program `{name}`")))
}

fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills the structure.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_cut_anywhere_hold_the_instants_of_the_whole() {
        let wait = |from_ns, to_ns| Wait { from_ns, to_ns, kind: WaitKind::Blocked, thread: 77 };
        let whole: Vec<u64> = wait(0, 1_000_000).instants(1000).collect();
        assert_eq!(whole.len(), 1000);
        let cuts: Vec<u64> = (0..=1000).map(|part| part * 1_000_000 / 1000 + part * 13 % 7).collect();
        let parts: Vec<u64> =
            cuts.windows(2).flat_map(|edge| wait(edge[0], edge[1].min(1_000_000)).instants(1000)).collect();
        assert_eq!(parts, whole);
    }

    #[test]
    fn instants_are_spread_over_the_period() {
        let wait = Wait { from_ns: 0, to_ns: 10_000_000, kind: WaitKind::Blocked, thread: 5 };
        let mean = wait.instants(1000).map(|at| (at % 1000) as f64).sum::<f64>() / 10_000.0;
        assert!((mean - 500.0).abs() < 15.0, "{mean}");
    }
}
