//! From what Python gives, `(status, head, body)`, to a response.

use bytes::Bytes;
use http::header::{HeaderValue, CONTENT_TYPE};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::worker::Switches;
use crate::{allocations, bodies, counters};

/// A response that no longer needs the interpreter.
pub type Taken = Response<Full<Bytes>>;

pub struct Answer {
    status: StatusCode,
    head: HeaderMap,
    body: Bytes,
}

impl Answer {
    pub fn read(wire: &Bound<'_, PyTuple>, switches: Switches) -> PyResult<Self> {
        let status: u16 = wire.get_borrowed_item(0)?.extract()?;
        let described = wire.get_item(1)?;
        let body = wire.get_item(2)?;
        let body = body.cast::<PyBytes>()?;
        Ok(Self {
            status: StatusCode::from_u16(status).map_err(|error| PyValueError::new_err(error.to_string()))?,
            head: allocations::head(&described)?,
            body: if switches.bodies {
                counters::BODIES_BORROWED.step();
                bodies::borrow_from_python(body)
            } else {
                counters::BODIES_COPIED.step();
                bodies::copy_into_rust(body)
            },
        })
    }
}

impl From<Answer> for Taken {
    fn from(answer: Answer) -> Self {
        let mut response = Response::new(Full::new(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.head;
        response
    }
}

/// For what should not happen: Python turns its own failures into responses.
pub fn internal_error() -> Taken {
    let mut response = Response::new(Full::new(Bytes::from_static(b"{\"detail\":\"Internal Server Error\"}")));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(allocations::JSON));
    response
}
