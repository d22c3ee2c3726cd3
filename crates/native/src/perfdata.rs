//! perf.data files to plain Python values.

use std::path::PathBuf;

use profiler_perfdata::{Capture, Frame, Kind, Language, Options, PerfDataError};
use pyo3::exceptions::{PyFileNotFoundError, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

/// Reads, unwinds and names a perf.data file.
///
/// Columns are bytes of native integers: `stack_frames` uint32, all others int64 (`stack_ends` too).
#[pyfunction]
#[pyo3(signature = (path, *, kallsyms = true, perf_maps = true, threads = None))]
fn read_perf_data<'py>(
    py: Python<'py>,
    path: PathBuf,
    kallsyms: bool,
    perf_maps: bool,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let available = || std::thread::available_parallelism().map_or(1, usize::from);
    let options = Options { kallsyms, perf_maps, threads: threads.unwrap_or_else(available) };
    let capture = py.detach(|| profiler_perfdata::read(&path, options)).map_err(to_python)?;
    to_dict(py, &capture)
}

/// Unreadable files are `OSError`; everything that is wrong with their content is `ValueError`.
fn to_python(error: PerfDataError) -> PyErr {
    match error {
        PerfDataError::Read(_, ref cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            PyFileNotFoundError::new_err(error.to_string())
        }
        PerfDataError::Read(..) => PyOSError::new_err(error.to_string()),
        _ => PyValueError::new_err(error.to_string()),
    }
}

fn to_dict<'py>(py: Python<'py>, capture: &Capture) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    let frames = capture.frames.iter().map(|frame| frame_tuple(py, frame)).collect::<PyResult<Vec<_>>>()?;
    out.set_item("frames", PyList::new(py, frames)?)?;
    let stack_frames: Vec<u8> = capture.stack_frames.iter().flat_map(|number| number.to_ne_bytes()).collect();
    out.set_item("stack_frames", PyBytes::new(py, &stack_frames))?;
    let ends: Vec<i64> = capture.stack_ends.iter().map(|end| *end as i64).collect();
    for (name, column) in [
        ("stack_ends", &ends),
        ("time_ns", &capture.time_ns),
        ("pid", &capture.pid),
        ("tid", &capture.tid),
        ("weight_ns", &capture.weight_ns),
        ("stack", &capture.stack),
    ] {
        let bytes: Vec<u8> = column.iter().flat_map(|value| value.to_ne_bytes()).collect();
        out.set_item(name, PyBytes::new(py, &bytes))?;
    }
    let modules = PyDict::new(py);
    for (path, info) in &capture.modules {
        modules.set_item(path, (language(info.language), &info.build_id, info.stripped))?;
    }
    out.set_item("modules", modules)?;
    let threads = PyDict::new(py);
    for ((pid, tid), name) in &capture.threads {
        threads.set_item((pid, tid), name)?;
    }
    out.set_item("threads", threads)?;
    let quality = PyDict::new(py);
    quality.set_item("truncated", capture.quality.truncated)?;
    quality.set_item("broken", capture.quality.broken)?;
    quality.set_item("unknown_symbols", capture.quality.unknown_symbols)?;
    quality.set_item("unreadable", capture.quality.unreadable)?;
    out.set_item("quality", quality)?;
    out.set_item("lost", capture.lost)?;
    out.set_item("warnings", &capture.warnings)?;
    out.set_item("frequency", capture.frequency)?;
    out.set_item("monotonic", capture.monotonic)?;
    Ok(out)
}

/// (kind, name, module, file, line, inlined, address, language or None).
fn frame_tuple<'py>(py: Python<'py>, frame: &Frame) -> PyResult<Bound<'py, PyTuple>> {
    let kind = match frame.kind {
        Kind::Python => "python",
        Kind::Native => "native",
        Kind::Kernel => "kernel",
    };
    let (name, module, file) = (&frame.name, &frame.module, &frame.file);
    (kind, name, module, file, frame.line, frame.inlined, frame.address, frame.language.map(language)).into_pyobject(py)
}

fn language(found: Language) -> &'static str {
    match found {
        Language::Rust => "rust",
        Language::C => "c",
        Language::Cpython => "cpython",
        Language::Unknown => "unknown",
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(read_perf_data, module)?)
}
