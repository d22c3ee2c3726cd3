//! A response body from Python's bytes: copied, or borrowed for as long as the response is on its way.

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

/// A copy: memory is allocated and written for every response.
#[inline(never)]
pub fn copy_into_rust(body: &Bound<'_, PyBytes>) -> Bytes {
    Bytes::copy_from_slice(body.as_bytes())
}

/// The same memory, kept alive by a reference to the Python object. Python's bytes never change.
#[inline(never)]
pub fn borrow_from_python(body: &Bound<'_, PyBytes>) -> Bytes {
    Bytes::from_owner(PyBackedBytes::from(body.clone()))
}
