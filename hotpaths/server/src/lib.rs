//! The Rust side of the hot paths.
//!
//! `access_log`, `bodies` and `allocations` are the pieces that have two forms; `process`,
//! `listening` and `worker` put them together to a server, `timing` and `callable` offer them alone.

mod access_log;
mod allocations;
mod bodies;
mod callable;
mod completion;
mod counters;
mod listening;
mod process;
mod response;
mod timing;
mod worker;

use pyo3::prelude::*;

#[pymodule]
fn hotpaths_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<callable::PythonAccessLog>()?;
    module.add_class::<callable::RequestSample>()?;
    module.add_class::<allocations::Request>()?;
    module.add_function(wrap_pyfunction!(callable::copy_body, module)?)?;
    module.add_function(wrap_pyfunction!(callable::borrow_body, module)?)?;
    module.add_function(wrap_pyfunction!(callable::taken_body, module)?)?;
    module.add_function(wrap_pyfunction!(callable::head_from_tuple, module)?)?;
    module.add_function(wrap_pyfunction!(callable::head_from_tag, module)?)?;
    module.add_function(wrap_pyfunction!(callable::described_head, module)?)?;
    module.add_function(wrap_pyfunction!(process::serve, module)?)?;
    module.add_function(wrap_pyfunction!(timing::time_native, module)?)?;
    Ok(())
}
