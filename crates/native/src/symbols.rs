//! Names: demangling in batches.

use pyo3::prelude::*;

/// (demangled, mangling) of each symbol, where mangling is `rust`, `cpp` or `plain`.
#[pyfunction]
fn demangle(py: Python<'_>, symbols: Vec<String>) -> Vec<(String, &'static str)> {
    py.detach(|| {
        symbols
            .iter()
            .map(|symbol| {
                let found = profiler_symbols::demangle(symbol);
                let mangling = match found.mangling {
                    profiler_symbols::Mangling::Rust => "rust",
                    profiler_symbols::Mangling::Cpp => "cpp",
                    profiler_symbols::Mangling::Plain => "plain",
                };
                (found.name, mangling)
            })
            .collect()
    })
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(demangle, module)?)
}
