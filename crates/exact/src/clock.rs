//! The clock event on each CPU whose overflow runs the BPF program.
//!
//! One event per CPU instead of one per thread: threads that are born need nothing, context switches cost nothing, and
//! a process of the target is told from others by the program itself. Only the CPUs that the target may use get one: on
//! a virtual machine the timer alone, on a CPU that is often idle, makes every wake-up of that CPU dearer for the server
//! whose answer causes it (12 % more CPU per request were measured).

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::error::{Error, Result};

const TYPE_SOFTWARE: u32 = 1;
const COUNT_CPU_CLOCK: u64 = 0;
const FLAG_CLOEXEC: u64 = 8;
const IOC_ENABLE: u64 = 0x2400;
const IOC_DISABLE: u64 = 0x2401;
const IOC_SET_BPF: u64 = 0x4004_2408;
const BIT_DISABLED: u64 = 1;
const BIT_EXCLUDE_HYPERVISOR: u64 = 1 << 6;
const BIT_EXCLUDE_IDLE: u64 = 1 << 7;

/// The first 64 bytes of the kernel's `perf_event_attr`, its first published size.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    period: u64,
    sample_type: u64,
    read_format: u64,
    bits: u64,
    wakeup: u32,
    breakpoint_type: u32,
    breakpoint: u64,
}

/// Disabled events with the program attached, each for one CPU.
pub struct Clock {
    period_ns: u64,
    events: Vec<(u32, OwnedFd)>,
}

impl Clock {
    /// No events yet; `cover` opens them. One sample each `period_ns` of every CPU covered.
    pub fn new(period_ns: u64) -> Self {
        Self { period_ns, events: Vec::new() }
    }

    /// Have events on exactly these CPUs, as far as they are online. New ones take no samples until `enable`.
    pub fn cover(&mut self, program: BorrowedFd<'_>, cpus: &BTreeSet<u32>) -> Result<()> {
        self.events.retain(|(cpu, _)| cpus.contains(cpu));
        for cpu in online_cpus()?.intersection(cpus) {
            if !self.events.iter().any(|(covered, _)| covered == cpu) {
                self.events.push((*cpu, open_event(program, self.period_ns, *cpu)?));
            }
        }
        Ok(())
    }

    /// Start taking samples.
    pub fn enable(&self) -> Result<()> {
        self.control(IOC_ENABLE)
    }

    /// Stop taking samples; nothing runs on the target's CPUs any more.
    pub fn disable(&self) -> Result<()> {
        self.control(IOC_DISABLE)
    }

    fn control(&self, request: u64) -> Result<()> {
        for (_, event) in &self.events {
            // SAFETY: the descriptor is open, and this request reads no memory.
            if unsafe { libc::ioctl(event.as_raw_fd(), request, 0) } != 0 {
                return Err(Error::io("switching a clock event", io::Error::last_os_error()));
            }
        }
        Ok(())
    }
}

fn open_event(program: BorrowedFd<'_>, period_ns: u64, cpu: u32) -> Result<OwnedFd> {
    let attributes = Attributes {
        kind: TYPE_SOFTWARE,
        size: u32::try_from(size_of::<Attributes>()).unwrap_or(64),
        config: COUNT_CPU_CLOCK,
        period: period_ns,
        bits: BIT_DISABLED | BIT_EXCLUDE_HYPERVISOR | BIT_EXCLUDE_IDLE,
        ..Attributes::default()
    };
    // SAFETY: `attributes` outlives the call and its size field tells its size.
    let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, &raw const attributes, -1, cpu, -1, FLAG_CLOEXEC) };
    if fd < 0 {
        let error = io::Error::last_os_error();
        return Err(Error::Refused {
            message: format!("the kernel refused a clock event on CPU {cpu}: {error}"),
            hint: "needs root or CAP_PERFMON; see `profiler doctor`".to_owned(),
        });
    }
    let fd = i32::try_from(fd).map_err(|_| Error::Target("the kernel gave an impossible descriptor".to_owned()))?;
    // SAFETY: the kernel just gave this descriptor to us.
    let event = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: both descriptors are open.
    if unsafe { libc::ioctl(event.as_raw_fd(), IOC_SET_BPF, program.as_raw_fd()) } != 0 {
        return Err(Error::io("attaching the BPF program to a clock event", io::Error::last_os_error()));
    }
    Ok(event)
}

fn online_cpus() -> Result<BTreeSet<u32>> {
    let path = "/sys/devices/system/cpu/online";
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(format!("reading {path}"), error))?;
    parse_cpus(&text).ok_or_else(|| Error::Target(format!("{path} holds no CPU list: {text:?}")))
}

/// CPUs of a list like `0-3,8`.
pub fn parse_cpus(text: &str) -> Option<BTreeSet<u32>> {
    let mut cpus = BTreeSet::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        cpus.extend(first..=last);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::parse_cpus;

    #[test]
    fn cpu_lists_are_ranges_and_single_numbers() {
        assert_eq!(parse_cpus("0-2,7\n"), Some([0, 1, 2, 7].into()));
        assert_eq!(parse_cpus("0"), Some([0].into()));
        assert_eq!(parse_cpus("x"), None);
    }
}
