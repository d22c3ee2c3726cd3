//! Binding of `profiler-load`: the generator's whole life between two pipes, and its histograms.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use profiler_load::Latency;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Be a load generator: read an order and commands from one descriptor, report on the other, until told to stop.
///
/// Takes over both descriptors, which must be pipes or sockets. Returns whether the order was carried out.
#[pyfunction]
fn serve_load(py: Python<'_>, input: RawFd, output: RawFd) -> PyResult<bool> {
    // SAFETY: the caller hands over two open descriptors of its own.
    let (input, output) = unsafe { (OwnedFd::from_raw_fd(input), OwnedFd::from_raw_fd(output)) };
    Ok(py.detach(|| profiler_load::serve(input, output))?)
}

/// One histogram that holds what all of them hold. ValueError where one is damaged.
#[pyfunction]
fn merge_latency(py: Python<'_>, histograms: Vec<String>) -> PyResult<String> {
    py.detach(|| {
        let mut merged = Latency::default();
        for text in &histograms {
            merged.merge(&Latency::decode(text)?)?;
        }
        Ok(merged.encode())
    })
    .map_err(PyValueError::new_err::<String>)
}

/// (count, mean, maximum, values at the given shares from 0 to 1) of a histogram, in nanoseconds.
#[pyfunction]
fn describe_latency(histogram: &str, shares: Vec<f64>) -> PyResult<(u64, f64, u64, Vec<u64>)> {
    let latency = Latency::decode(histogram).map_err(PyValueError::new_err)?;
    let values = shares.iter().map(|share| latency.quantile_ns(*share)).collect();
    Ok((latency.len(), latency.mean_ns(), latency.max_ns(), values))
}

/// The histogram of these values, in nanoseconds.
#[pyfunction]
fn record_latency(values: Vec<u64>) -> String {
    let mut latency = Latency::default();
    for value in values {
        latency.record(value);
    }
    latency.encode()
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(serve_load, module)?)?;
    module.add_function(wrap_pyfunction!(merge_latency, module)?)?;
    module.add_function(wrap_pyfunction!(describe_latency, module)?)?;
    module.add_function(wrap_pyfunction!(record_latency, module)?)?;
    Ok(())
}
