//! Names: demangling in batches, and what files say of themselves.

use std::collections::HashMap;
use std::path::PathBuf;

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

/// (language, build id, stripped) of each ELF file that can be read, by its path.
#[pyfunction]
fn module_traits(py: Python<'_>, paths: Vec<PathBuf>) -> HashMap<PathBuf, (&'static str, String, bool)> {
    py.detach(|| {
        let images = paths.into_iter().filter_map(|path| Some((profiler_symbols::Image::open(&path).ok()?, path)));
        let traits = images.map(|(image, path)| {
            let marks = image.marks();
            let language = match (marks.cpython, marks.rust) {
                (true, _) => "cpython",
                (false, true) => "rust",
                (false, false) => "c",
            };
            (path, (language, image.build_id().to_owned(), marks.stripped))
        });
        traits.collect()
    })
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(demangle, module)?)?;
    module.add_function(wrap_pyfunction!(module_traits, module)?)
}
