//! The BPF program in the kernel: loaded, told which address spaces to walk, read out.
//!
//! Nothing is pinned: when the process that holds the descriptors ends, however it ends, the kernel drops the program,
//! its maps and the events.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use aya::maps::{HashMap, MapData, PerCpuArray, RingBuf};
use aya::programs::PerfEvent;
use aya::{Ebpf, EbpfLoader, Pod};

use crate::error::{Error, Result};
use crate::waits::{Waits, MOST_THREADS};

/// The object the build script made, aligned as its reader expects.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/walk.bpf.o"));

/// Inode of the initial pid namespace, fixed by the kernel.
const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// Only the thread-specific slot is used to find the thread state.
pub const TLS_NONE: u32 = 0;
/// The thread state's variable is reached through the dynamic thread vector.
pub const TLS_DYNAMIC: u32 = 1;
/// The thread state's variable lies at a fixed distance from the thread control block.
pub const TLS_STATIC: u32 = 2;

/// How to walk one address space; mirrors `struct layout` in `bpf/record.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    pub tls_module: u64,
    pub tls_offset: u64,
    pub eval_start: u64,
    pub eval_linked: u64,
    pub holder: u64,
    pub python: u32,
    pub tls_rule: u32,
    pub key: u32,
    pub cframe: u32,
    pub cframe_previous: u32,
    pub current_frame: u32,
    pub previous: u32,
    pub code: u32,
    pub instruction: u32,
    pub owner: u32,
    pub state_interpreter: u32,
    pub described: u32,
}

// SAFETY: plain integers without padding.
unsafe impl Pod for Layout {}

/// The program's own counts, over all CPUs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Samples of the target, stored or not.
    pub samples: u64,
    /// Samples for which the ring had no room.
    pub lost: u64,
    /// Samples whose native stack found no room.
    pub lost_stacks: u64,
    /// Samples of other processes, dropped at once.
    pub other: u64,
}

/// The loaded program with its maps.
pub struct Program {
    loaded: Ebpf,
    /// Where waits are taken instead of CPU time.
    waits: Option<Waits>,
    layouts: HashMap<MapData, u64, Layout>,
    counters: PerCpuArray<MapData, u64>,
    /// Where samples arrive.
    pub records: RingBuf<MapData>,
}

impl Program {
    /// Load what samples CPU time into the kernel.
    pub fn load() -> Result<Self> {
        let mut loaded = prepare(0, 1)?;
        let program: &mut PerfEvent = loaded
            .program_mut("take_sample")
            .ok_or_else(|| Error::Target("the BPF object holds no program".to_owned()))?
            .try_into()
            .map_err(|error| refused("the BPF object holds another kind of program", &error))?;
        program.load().map_err(|error| refused("the kernel refused the BPF program", &error))?;
        Self::of(loaded, None)
    }

    /// Load what samples waits, one instant of each thread's in each `period_ns` of wall time.
    pub fn load_waits(period_ns: u64) -> Result<Self> {
        let mut loaded = prepare(period_ns, MOST_THREADS)?;
        let waits = Waits::load(&mut loaded)?;
        Self::of(loaded, Some(waits))
    }

    fn of(mut loaded: Ebpf, waits: Option<Waits>) -> Result<Self> {
        let mut take = |name: &str| {
            loaded.take_map(name).ok_or_else(|| Error::Target(format!("the BPF object holds no map `{name}`")))
        };
        let maps = (take("layouts")?, take("counters")?, take("records")?);
        let wrong = |error| refused("a BPF map is of another kind", &error);
        Ok(Self {
            layouts: HashMap::try_from(maps.0).map_err(wrong)?,
            counters: PerCpuArray::try_from(maps.1).map_err(wrong)?,
            records: RingBuf::try_from(maps.2).map_err(wrong)?,
            loaded,
            waits,
        })
    }

    /// The program's descriptor, for the events it handles.
    pub fn descriptor(&self) -> Result<BorrowedFd<'_>> {
        let program: &PerfEvent = self
            .loaded
            .program("take_sample")
            .and_then(|program| program.try_into().ok())
            .ok_or_else(|| Error::Target("the BPF program is gone".to_owned()))?;
        let fd = program.fd().map_err(|error| refused("the BPF program is not loaded", &error))?;
        Ok(fd.as_fd())
    }

    /// Whether waits are sampled instead of CPU time.
    pub fn takes_waits(&self) -> bool {
        self.waits.is_some()
    }

    /// Take waits from now on.
    pub fn begin_waits(&mut self) -> Result<()> {
        self.waits.as_mut().map_or(Ok(()), |waits| waits.begin(&mut self.loaded))
    }

    /// Take no more waits. Those under way are in the ring when this returns.
    pub fn end_waits(&mut self) -> Result<()> {
        self.waits.as_mut().map_or(Ok(()), |waits| waits.end(&mut self.loaded))
    }

    /// From now on, samples of this address space are taken, walked by this layout.
    pub fn watch(&mut self, space: u64, layout: &Layout) -> Result<()> {
        self.layouts.insert(space, layout, 0).map_err(|error| refused("the BPF map takes no more processes", &error))
    }

    /// What the program counted since it was loaded.
    pub fn counts(&self) -> Counts {
        let read = |index| self.counters.get(&index, 0).map_or(0, |values| values.iter().sum());
        Counts { samples: read(0), lost: read(1), lost_stacks: read(2), other: read(3) }
    }

    /// Descriptor of the ring, for waiting.
    pub fn ring_descriptor(&self) -> i32 {
        self.records.as_raw_fd()
    }
}

/// The maps in the kernel, and the programs ready to be loaded.
fn prepare(wait_period_ns: u64, threads: u32) -> Result<Ebpf> {
    let (device, inode) = own_pid_namespace()?;
    EbpfLoader::new()
        .override_global("wait_period", &wait_period_ns, true)
        .map_max_entries("waits", threads)
        .override_global("pid_namespace_device", &device, true)
        .override_global("pid_namespace_inode", &inode, true)
        .load(OBJECT)
        .map_err(|error| refused("the kernel refused the BPF maps", &error))
}

/// Device and inode of this process's pid namespace; zeros in the initial one, where no translation is needed.
fn own_pid_namespace() -> Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let link = std::fs::metadata("/proc/self/ns/pid").map_err(|error| Error::io("reading /proc/self/ns/pid", error))?;
    Ok(if link.ino() == INITIAL_PID_NAMESPACE { (0, 0) } else { (link.dev(), link.ino()) })
}

/// A refusal of the kernel with all of its reasons.
pub fn refused(what: &str, error: &dyn std::error::Error) -> Error {
    let mut message = format!("{what}: {error}");
    let mut source = error.source();
    while let Some(inner) = source {
        message = format!("{message}: {inner}");
        source = inner.source();
    }
    message.truncate(message.floor_char_boundary(600));
    Error::Refused {
        message,
        hint: "needs Linux 5.15 with BTF, and root or CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE; see `profiler doctor`"
            .to_owned(),
    }
}
