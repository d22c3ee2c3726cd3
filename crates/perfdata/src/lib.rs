//! Reads perf.data files directly: records in time order, stacks unwound and named without `perf script`.
//!
//! A file is input that others made: damage gives an error or fewer samples, never a panic, and memory stays in
//! proportion to the file. Records are decoded here and not by a library because the one there is asserts on damaged
//! build ids and copies every record.

mod capture;
mod file;
mod interning;
mod naming;
mod order;
mod record;
mod samples;
mod weights;

pub use capture::{read, Capture, Frame, Kind, Language, ModuleInfo, Options, Quality};
pub use file::PerfDataError;
