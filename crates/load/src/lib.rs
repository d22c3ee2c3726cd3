//! The load generator: HTTP/1 over epoll in one thread, exact counts per block, and an account of its own cost and lag.
//!
//! `serve` speaks JSON lines with whoever started it: an order first, then commands; ticks, the end of the warm-up,
//! windows and a summary come back. The hot path makes no system calls but read, write and epoll_wait, and allocates
//! nothing.

pub mod chunked;
pub mod clock;
pub mod connection;
pub mod engine;
pub mod latency;
pub mod mix;
pub mod order;
pub mod recorder;
pub mod report;
pub mod response;
pub mod schedule;
pub mod serve;
pub mod traffic;
pub mod warmup;

pub use latency::Latency;
pub use serve::serve;
