//! The Rust sides timed in Rust, so that the cost of a call from Python is not what is measured.
//!
//! Every side is a loop of `iterations`; the side `null` is the same loop around nothing.

use std::hint::black_box;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyLookupError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::access_log::AccessLog;
use crate::{allocations, bodies};

/// Nanoseconds that `iterations` of one side of an optimization take. LookupError where Rust has no such side.
#[pyfunction]
pub fn time_native(slug: &str, side: &str, value: &Bound<'_, PyAny>, iterations: u64) -> PyResult<u64> {
    match slug {
        "access_logging" => time_log(side, value, iterations),
        "response_bodies" => time_body(side, value, iterations),
        "allocations" => time_allocations(side, value, iterations),
        "thread_states" => time_thread_states(side, value, iterations),
        _ => Err(missing(slug, side)),
    }
}

fn missing(slug: &str, side: &str) -> PyErr {
    PyLookupError::new_err(format!("{slug} has no side {side} in Rust"))
}

fn elapsed(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn time_log(side: &str, value: &Bound<'_, PyAny>, iterations: u64) -> PyResult<u64> {
    let py = value.py();
    let (method, path, status, took_ns, slow_ms): (String, String, u16, u64, f64) = value.extract()?;
    let sink = std::fs::OpenOptions::new().append(true).open("/dev/null")?;
    let mut log = AccessLog::new(sink.as_raw_fd(), Duration::from_secs_f64(slow_ms / 1000.0));
    let took = Duration::from_nanos(took_ns);
    match side {
        "null" => Ok(py.detach(|| {
            let start = Instant::now();
            for _ in 0..iterations {
                black_box((&method, &path, status, took));
            }
            elapsed(start)
        })),
        // The two readings of the clock are part of the side, as they are of a request.
        "after" => Ok(py.detach(|| {
            let start = Instant::now();
            for _ in 0..iterations {
                let began = black_box(Instant::now());
                let took = black_box(began.elapsed()).max(took);
                log.record_request(black_box(&method), black_box(&path), status, took);
            }
            elapsed(start)
        })),
        _ => Err(missing("access_logging", side)),
    }
}

/// A body is made with the interpreter attached and dropped without, as a server does once it is written.
fn time_body(side: &str, value: &Bound<'_, PyAny>, iterations: u64) -> PyResult<u64> {
    let py = value.py();
    let body = value.cast::<PyBytes>()?;
    let make = match side {
        "null" => None,
        "before" => Some(bodies::copy_into_rust as fn(&Bound<'_, PyBytes>) -> bytes::Bytes),
        "after" => Some(bodies::borrow_from_python as fn(&Bound<'_, PyBytes>) -> bytes::Bytes),
        _ => return Err(missing("response_bodies", side)),
    };
    let start = Instant::now();
    for _ in 0..iterations {
        let made = make.map(|make| make(black_box(body)));
        py.detach(|| drop(black_box(made)));
    }
    Ok(elapsed(start))
}

/// `value` is the sample of a request and the two descriptions of its response.
fn time_allocations(side: &str, value: &Bound<'_, PyAny>, iterations: u64) -> PyResult<u64> {
    let py = value.py();
    let (sample, described): (Bound<'_, PyAny>, Bound<'_, PyTuple>) = value.extract()?;
    let sample = allocations::Sample::read(&sample)?;
    let one = |make_request: fn(Python<'_>, &allocations::Parts<'_>) -> PyResult<allocations::Request>,
               make_head: &dyn Fn() -> PyResult<http::HeaderMap>| {
        sample.with_parts(|parts| {
            let start = Instant::now();
            for _ in 0..iterations {
                black_box(make_request(py, black_box(parts))?);
                black_box(make_head()?);
            }
            Ok(elapsed(start))
        })
    };
    match side {
        "null" => {
            let start = Instant::now();
            for _ in 0..iterations {
                black_box(&sample);
            }
            Ok(elapsed(start))
        }
        "before" => one(allocations::request_with_maps, &|| allocations::head_from_tuple(black_box(&described))),
        "after" => one(allocations::request_without_maps, &|| allocations::head_from_tag(black_box(0))),
        _ => Err(missing("allocations", side)),
    }
}

/// A call of a Python function from a thread of Rust's own, which was never attached before or keeps its state.
fn time_thread_states(side: &str, function: &Bound<'_, PyAny>, iterations: u64) -> PyResult<u64> {
    let py = function.py();
    let function = function.clone().unbind();
    let call_all = move || {
        let start = Instant::now();
        for _ in 0..iterations {
            Python::attach(|py| function.call0(py).map(drop))?;
        }
        Ok(elapsed(start))
    };
    let thread = match side {
        "null" => std::thread::spawn(move || {
            let start = Instant::now();
            for _ in 0..iterations {
                black_box(());
            }
            Ok(elapsed(start))
        }),
        "before" => std::thread::spawn(call_all),
        "after" => std::thread::spawn(move || Python::attach(|py| py.detach(call_all))),
        _ => return Err(missing("thread_states", side)),
    };
    let joined = py.detach(|| thread.join());
    joined.map_err(|_| PyRuntimeError::new_err("the timing thread has panicked"))?
}
