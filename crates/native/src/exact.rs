//! The recorder of the exact sampler, as a process that this interpreter becomes.

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

/// Serve the recorder's commands on standard input until it ends.
#[pyfunction]
fn serve_recorder(py: Python<'_>) -> PyResult<()> {
    py.detach(profiler_exact::serve::serve).map_err(|error| PyOSError::new_err(error.to_string()))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(serve_recorder, module)?)
}
