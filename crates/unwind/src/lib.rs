//! User stacks from registers and a copy of the stack, for every process of a recording.
//!
//! Works on recorded files and on live samples alike: tell [`AddressSpaces`] what the kernel says of mappings, forks
//! and execs in the order it happened, then ask an [`Unwinder`] for the addresses of a sample. One [`Unwinder`] and one
//! [`AddressSpaces`] belong to one thread; the opened files behind them are shared through
//! [`profiler_symbols::ImageStore`].

mod address_space;
mod mapping;
mod registers;
mod unwinder;

pub use address_space::{AddressSpace, AddressSpaces};
pub use mapping::{Mapping, Place};
pub use registers::Registers;
pub use unwinder::{Outcome, StackCopy, Unwinder};
