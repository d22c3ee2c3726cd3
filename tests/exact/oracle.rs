//! Known Rust frames between C and Python: generics, closures, inlining, unwinding, recursion, threads.
//!
//! Built by rustc alone into a shared library that the C extension links. Nothing here knows Python: a callback is a C
//! function and its argument.

#![crate_name = "oracle_rust"]
#![crate_type = "cdylib"]

use std::ffi::c_void;
use std::hint::black_box;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::thread::{sleep, Builder, JoinHandle};
use std::time::{Duration, Instant};

const DEPTH: u32 = 40;
/// Two threads are born in a millisecond; those that were late are made up for.
const TICK: Duration = Duration::from_micros(500);
/// Every 16th of them calls Python.
const CALLING: u64 = 16;

/// A C function and its argument.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Callback {
    function: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
}

// SAFETY: the functions that are given take the GIL themselves where they run on another thread.
unsafe impl Send for Callback {}

impl Callback {
    fn call(self) -> *mut c_void {
        // SAFETY: the extension passes a function with the argument that it takes.
        let result = unsafe { (self.function)(self.argument) };
        black_box(result)
    }
}

trait Twist {
    fn twist(value: u64) -> u64;
}

struct Rotating;
struct Multiplying;

impl Twist for Rotating {
    #[inline(always)]
    fn twist(value: u64) -> u64 {
        black_box(value.rotate_left(7) ^ 0x5bd1)
    }
}

impl Twist for Multiplying {
    #[inline(always)]
    fn twist(value: u64) -> u64 {
        black_box(value.wrapping_mul(0x9e37_79b9) + 1)
    }
}

#[inline(always)]
fn twist_both<A: Twist, B: Twist>(value: u64) -> u64 {
    B::twist(A::twist(value))
}

/// The work of this file, with two levels of inlined generics in it.
#[inline(never)]
fn spin<A: Twist, B: Twist>(rounds: u64) -> u64 {
    let mut value = 1;
    for _ in 0..rounds {
        value = twist_both::<A, B>(value);
    }
    value
}

#[inline(never)]
fn generic<R>(work: impl FnOnce() -> R) -> R {
    let result = work();
    black_box(());
    result
}

/// Rust calls the callback from a closure inside a generic function.
#[no_mangle]
pub extern "C" fn oracle_rust_call(callback: Callback) -> *mut c_void {
    black_box(generic(|| callback.call()))
}

/// The callback returns into a panic that unwinds to here.
#[no_mangle]
pub extern "C" fn oracle_rust_catch(callback: Callback) -> *mut c_void {
    let mut result = std::ptr::null_mut();
    let caught = catch_unwind(AssertUnwindSafe(|| panicking(callback, &mut result)));
    assert!(caught.is_err());
    black_box(result)
}

#[inline(never)]
fn panicking(callback: Callback, result: &mut *mut c_void) {
    *result = callback.call();
    resume_unwind(Box::new(1)); // prints nothing, as `panic!` would
}

/// Recursion, then the callback.
#[no_mangle]
pub extern "C" fn oracle_rust_recurse(callback: Callback) -> *mut c_void {
    black_box(descend(DEPTH, callback))
}

#[inline(never)]
fn descend(depth: u32, callback: Callback) -> *mut c_void {
    black_box(if depth == 0 { callback.call() } else { descend(depth - 1, callback) })
}

#[no_mangle]
pub extern "C" fn oracle_rust_spin(rounds: u64) -> u64 {
    black_box(spin::<Rotating, Multiplying>(rounds))
}

/// A thread that never has Python state.
#[no_mangle]
pub extern "C" fn oracle_rust_thread(rounds: u64) {
    let thread = Builder::new().spawn(move || black_box(lonely(rounds)));
    let _ = thread.map(JoinHandle::join);
}

#[inline(never)]
fn lonely(rounds: u64) -> u64 {
    black_box(spin::<Multiplying, Rotating>(rounds))
}

/// Bring forth threads for a while, 2,000 a second; how many there were.
#[no_mangle]
pub extern "C" fn oracle_rust_births(callback: Callback, milliseconds: u64) -> u64 {
    let started = Instant::now();
    let mut threads = Vec::new();
    for number in 1..=milliseconds * 2 {
        let thread = Builder::new().spawn(move || newborn(number, callback));
        threads.extend(thread.ok());
        if let Some(early) = (started + TICK * number as u32).checked_duration_since(Instant::now()) {
            sleep(early);
        }
    }
    let born = threads.len() as u64;
    threads.into_iter().for_each(|thread| drop(thread.join()));
    born
}

#[inline(never)]
fn newborn(number: u64, callback: Callback) {
    black_box(spin::<Multiplying, Rotating>(4000));
    if number % CALLING == 0 {
        black_box(callback.call());
    }
}
