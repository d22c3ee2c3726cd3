//! Where an address belongs.

use std::sync::Arc;

use profiler_symbols::{Image, PerfMap};

/// An executable mapping of a process, as an mmap event or a line of `/proc/PID/maps` gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub start: u64,
    pub end: u64,
    pub page_offset: u64,
    /// Path of the file, `[vdso]`, or what the kernel calls anonymous memory.
    pub path: String,
    /// Build id that was recorded with the mapping, empty where none was.
    pub build_id: String,
}

/// What an address turned out to be.
#[derive(Clone)]
pub enum Place {
    /// In a file; the address is the file's own.
    Image { image: Arc<Image>, address: u64 },
    /// In a file that can't be read, with the address relative to the file's start.
    Unreadable { path: Arc<str>, address: u64 },
    /// In code made at run time that a perf map names.
    Generated { map: Arc<PerfMap>, address: u64 },
    /// Nowhere known.
    Unknown,
}
