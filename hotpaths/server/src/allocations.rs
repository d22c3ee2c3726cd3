//! What is allocated per request whether or not anybody looks at it: the request's maps and the response's head.

use http::header::{HeaderMap, HeaderName, HeaderValue, ALLOW, CONTENT_TYPE};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

pub const JSON: &str = "application/json";
pub const BYTES: &str = "application/octet-stream";
pub const TEXT: &str = "text/plain; charset=utf-8";

/// What a handler may ask about its request. A map that was not made is None.
#[pyclass(frozen, module = "hotpaths_native")]
pub struct Request {
    #[pyo3(get)]
    pub method: String,
    #[pyo3(get)]
    pub path: String,
    #[pyo3(get)]
    pub path_params: Option<Py<PyDict>>,
    #[pyo3(get)]
    pub query: Option<Py<PyDict>>,
    #[pyo3(get)]
    pub headers: Option<Py<PyDict>>,
    #[pyo3(get)]
    pub cookies: Option<Py<PyDict>>,
    #[pyo3(get)]
    pub state: Option<Py<PyDict>>,
}

/// The parts of a request as the HTTP library has them.
pub struct Parts<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    pub params: &'a [(&'a str, &'a str)],
    pub needs_headers: bool,
}

/// Every map is made, empty or not, and all headers are copied into Python.
#[inline(never)]
pub fn request_with_maps(py: Python<'_>, parts: &Parts<'_>) -> PyResult<Request> {
    Ok(Request {
        method: parts.method.to_owned(),
        path: parts.path.to_owned(),
        path_params: Some(pairs(py, parts.params)?),
        query: Some(query_map(py, parts.query.unwrap_or(""))?),
        headers: Some(header_map(py, parts.headers)?),
        cookies: Some(cookie_map(py, parts.headers)?),
        state: Some(PyDict::new(py).unbind()),
    })
}

/// Only what is there and asked for.
#[inline(never)]
pub fn request_without_maps(py: Python<'_>, parts: &Parts<'_>) -> PyResult<Request> {
    Ok(Request {
        method: parts.method.to_owned(),
        path: parts.path.to_owned(),
        path_params: (!parts.params.is_empty()).then(|| pairs(py, parts.params)).transpose()?,
        query: parts.query.filter(|query| !query.is_empty()).map(|query| query_map(py, query)).transpose()?,
        headers: parts.needs_headers.then(|| header_map(py, parts.headers)).transpose()?,
        cookies: parts.headers.contains_key("cookie").then(|| cookie_map(py, parts.headers)).transpose()?,
        state: None,
    })
}

fn pairs(py: Python<'_>, pairs: &[(&str, &str)]) -> PyResult<Py<PyDict>> {
    let map = PyDict::new(py);
    for (name, value) in pairs {
        map.set_item(name, value)?;
    }
    Ok(map.unbind())
}

fn query_map(py: Python<'_>, query: &str) -> PyResult<Py<PyDict>> {
    let map = PyDict::new(py);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        map.set_item(name, value)?;
    }
    Ok(map.unbind())
}

fn header_map(py: Python<'_>, headers: &HeaderMap) -> PyResult<Py<PyDict>> {
    let map = PyDict::new(py);
    for (name, value) in headers {
        map.set_item(name.as_str(), String::from_utf8_lossy(value.as_bytes()))?;
    }
    Ok(map.unbind())
}

fn cookie_map(py: Python<'_>, headers: &HeaderMap) -> PyResult<Py<PyDict>> {
    let map = PyDict::new(py);
    for line in headers.get_all("cookie").iter().filter_map(|value| value.to_str().ok()) {
        for (name, value) in line.split(';').filter_map(|cookie| cookie.trim().split_once('=')) {
            map.set_item(name, value)?;
        }
    }
    Ok(map.unbind())
}

/// The head described by Python for every response: `(kind, content type or None, [(name, value)], [cookie])`.
#[inline(never)]
pub fn head_from_tuple(description: &Bound<'_, PyTuple>) -> PyResult<HeaderMap> {
    let kind: String = description.get_item(0)?.extract()?;
    let content_type: Option<String> = description.get_item(1)?.extract()?;
    let listed: Vec<(String, String)> = description.get_item(2)?.extract()?;
    let cookies: Vec<String> = description.get_item(3)?.extract()?;
    let content_type = content_type.unwrap_or_else(|| media_type(&kind).to_owned());
    let mut head = HeaderMap::with_capacity(1 + listed.len() + cookies.len());
    head.insert(HeaderName::from_static("content-type"), value(&content_type)?);
    for (name, text) in listed {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| PyValueError::new_err(error.to_string()))?;
        head.append(name, value(&text)?);
    }
    for cookie in cookies {
        head.append(HeaderName::from_static("set-cookie"), value(&cookie)?);
    }
    Ok(head)
}

/// The head for a number that both sides know; nothing is allocated but the table itself.
#[inline(never)]
pub fn head_from_tag(tag: u8) -> PyResult<HeaderMap> {
    let mut head = HeaderMap::with_capacity(1);
    let content_type = match tag {
        0 | 3 => JSON,
        1 => BYTES,
        2 => TEXT,
        _ => return Err(PyValueError::new_err(format!("no response is described by {tag}"))),
    };
    head.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if tag == 3 {
        head.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    Ok(head)
}

/// Either description.
pub fn head(description: &Bound<'_, PyAny>) -> PyResult<HeaderMap> {
    // The type is looked at first: an attempt at the wrong one would make and drop an exception for each response.
    match description.cast::<PyTuple>() {
        Ok(described) => head_from_tuple(described),
        Err(_) => head_from_tag(description.extract()?),
    }
}

fn media_type(kind: &str) -> &'static str {
    match kind {
        "json" => JSON,
        "text" => TEXT,
        _ => BYTES,
    }
}

fn value(text: &str) -> PyResult<HeaderValue> {
    HeaderValue::from_str(text).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// A head as Python sees it, in order.
pub fn describe<'py>(py: Python<'py>, head: &HeaderMap) -> PyResult<Bound<'py, PyList>> {
    let listed = head.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())));
    PyList::new(py, listed.collect::<Vec<_>>())
}

/// The request of a benchmark: `{"method", "path", "query", "headers": [(name, value)], "params": [(name, value)]}`.
pub struct Sample {
    method: String,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    params: Vec<(String, String)>,
}

impl Sample {
    pub fn read(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = given.py();
        let listed: Vec<(String, String)> = given.get_item(intern!(py, "headers"))?.extract()?;
        let mut headers = HeaderMap::new();
        for (name, text) in listed {
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|error| PyValueError::new_err(error.to_string()))?;
            headers.append(name, value(&text)?);
        }
        Ok(Self {
            method: given.get_item(intern!(py, "method"))?.extract()?,
            path: given.get_item(intern!(py, "path"))?.extract()?,
            query: given.get_item(intern!(py, "query"))?.extract()?,
            headers,
            params: given.get_item(intern!(py, "params"))?.extract()?,
        })
    }

    pub fn with_parts<T>(&self, body: impl FnOnce(&Parts<'_>) -> T) -> T {
        let params: Vec<(&str, &str)> =
            self.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        body(&Parts {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &self.headers,
            params: &params,
            needs_headers: false,
        })
    }
}
