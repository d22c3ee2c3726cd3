//! Takes native, kernel and CPython stacks of the same instant, of every thread of a running server, without stopping
//! it, without frame pointers, without a restart.
//!
//! A clock event on each CPU runs a BPF program inside its interrupt. The program tells the target from everything
//! else, copies registers, user stack and kernel stack, and walks the CPython frames of the interrupted thread. This
//! process unwinds, joins and names what arrives.

pub mod capture;
pub mod clock;
pub mod code;
pub mod error;
pub mod inbox;
mod interpreter;
pub mod join;
pub mod line_table;
pub mod naming;
pub mod offsets;
pub mod process;
pub mod program;
pub mod record;
pub mod recorder;
pub mod serve;
pub mod space;
pub mod stacks;
pub mod tls;
pub mod waits;
