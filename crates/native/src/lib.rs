//! `profiler._native`: the thin binding between Python and the pure crates.
//!
//! Each pure crate has one file here that converts arguments, releases the GIL and maps errors to Python exceptions.
//! Nothing else lives in this crate. A panic never crosses: PyO3 turns it into `PanicException`, and the pure crates
//! return `Result` for everything that outside input can cause.

mod exact;
mod load;
mod perfdata;
mod symbols;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    symbols::register(module)?;
    perfdata::register(module)?;
    exact::register(module)?;
    load::register(module)?;
    Ok(())
}
