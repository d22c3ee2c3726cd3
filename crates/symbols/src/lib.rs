//! Names for native addresses: ELF files, their symbols, unwind ranges and inlined frames, demangling, kernel symbols.
//!
//! Everything here reads files that others made. Damaged input gives an error or no name, never a panic, and memory
//! stays in proportion to the file.

mod bytes;
mod debug_file;
mod demangle;
mod image;
mod inlines;
mod kernel;
mod marks;
mod perf_map;
mod place;
mod ranges;
mod split;
mod store;
mod table;
mod vdso;

pub use bytes::SharedBytes;
pub use demangle::{demangle, Demangled, Mangling};
pub use image::{Image, ImageError, Segment};
pub use inlines::{Inlines, SourceFrame, SourceLanguage};
pub use kernel::{KernelSymbol, KernelSymbols};
pub use marks::Marks;
pub use perf_map::PerfMap;
pub use place::{frames_at, PlaceFrame};
pub use store::ImageStore;
pub use table::Symbol;
