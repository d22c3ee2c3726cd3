//! The same pieces as Python can call them, one at a time.

use std::os::fd::RawFd;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::access_log::AccessLog;
use crate::{allocations, bodies};

/// An access log on an open file descriptor, which stays the caller's.
#[pyclass(name = "AccessLog", module = "hotpaths_native")]
pub struct PythonAccessLog {
    log: AccessLog,
}

#[pymethods]
impl PythonAccessLog {
    #[new]
    fn new(descriptor: RawFd, slow_ms: f64) -> Self {
        Self { log: AccessLog::new(descriptor, Duration::from_secs_f64(slow_ms / 1000.0)) }
    }

    fn record(&mut self, method: &str, path: &str, status: u16, took_ns: u64) {
        self.log.record_request(method, path, status, Duration::from_nanos(took_ns));
    }

    fn flush(&mut self) {
        self.log.flush();
    }
}

/// Takes the body over by copying it; its length.
#[pyfunction]
pub fn copy_body(body: &Bound<'_, PyBytes>) -> usize {
    bodies::copy_into_rust(body).len()
}

/// Takes the body over by borrowing it; its length.
#[pyfunction]
pub fn borrow_body(body: &Bound<'_, PyBytes>) -> usize {
    bodies::borrow_from_python(body).len()
}

/// What the response would hold after either way, read back into Python: for checking, not for timing.
#[pyfunction]
pub fn taken_body<'py>(py: Python<'py>, side: &str, body: &Bound<'py, PyBytes>) -> Bound<'py, PyBytes> {
    let taken = if side == "before" { bodies::copy_into_rust(body) } else { bodies::borrow_from_python(body) };
    PyBytes::new(py, &taken)
}

/// A request of a benchmark, read once, so that reading it is not part of what is timed.
#[pyclass(frozen, module = "hotpaths_native")]
pub struct RequestSample {
    sample: allocations::Sample,
}

#[pymethods]
impl RequestSample {
    #[new]
    fn new(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self { sample: allocations::Sample::read(given)? })
    }

    fn with_maps(&self, py: Python<'_>) -> PyResult<allocations::Request> {
        self.sample.with_parts(|parts| allocations::request_with_maps(py, parts))
    }

    fn without_maps(&self, py: Python<'_>) -> PyResult<allocations::Request> {
        self.sample.with_parts(|parts| allocations::request_without_maps(py, parts))
    }
}

/// Builds the head from its description in Python; the number of its headers.
#[pyfunction]
pub fn head_from_tuple(description: &Bound<'_, PyTuple>) -> PyResult<usize> {
    Ok(allocations::head_from_tuple(description)?.len())
}

/// Builds the head from its number; the number of its headers.
#[pyfunction]
pub fn head_from_tag(tag: u8) -> PyResult<usize> {
    Ok(allocations::head_from_tag(tag)?.len())
}

/// The head either description gives, as pairs: for checking, not for timing.
#[pyfunction]
pub fn described_head<'py>(description: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    allocations::describe(description.py(), &allocations::head(description)?)
}
