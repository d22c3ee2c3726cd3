//! One worker: answers the requests of its connections, one after another, by calling Python views.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use http::{Method, Request};
use hyper::body::{Body, Incoming};
use matchit::Router;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use tokio::sync::oneshot;

use crate::access_log::AccessLog;
use crate::allocations::{request_with_maps, request_without_maps, Parts};
use crate::completion::Completion;
use crate::counters;
use crate::response::{internal_error, Answer, Taken};

/// Bytes of a request's body; views of the contract read none.
const LARGEST_BODY: u64 = 64 * 1024;

/// The optimizations whose place is in Rust; the others are in how Python built the views.
#[derive(Clone, Copy, FromPyObject)]
pub struct Switches {
    pub logging: bool,
    pub bodies: bool,
    pub allocations: bool,
}

/// How a view is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Here and now.
    Inline,
    /// As a task of Python's event loop.
    Task,
    /// On a thread that may block.
    Blocking,
}

pub struct Route {
    pub way: Way,
    pub execute: Py<PyAny>,
    pub needs_headers: bool,
}

/// The answers that are no view's: not found, method not allowed, body too large.
pub struct Refusals {
    pub not_found: Route,
    pub not_allowed: Route,
    pub too_large: Route,
}

pub struct Worker {
    pub router: Router<Route>,
    pub refusals: Refusals,
    pub switches: Switches,
    pub runner: Py<PyAny>,
    pub log: Option<Mutex<AccessLog>>,
}

enum Started {
    Done(Taken),
    Waiting(oneshot::Receiver<Taken>),
    Blocking(Py<PyAny>, Py<PyAny>),
}

impl Worker {
    pub async fn answer(&self, request: Request<Incoming>) -> Taken {
        let began = self.log.is_some().then(Instant::now);
        let response = match Python::attach(|py| self.start(py, &request)) {
            Ok(Started::Done(response)) => response,
            Ok(Started::Waiting(receiver)) => receiver.await.unwrap_or_else(|_| internal_error()),
            Ok(Started::Blocking(execute, argument)) => self.block(execute, argument).await,
            Err(error) => {
                Python::attach(|py| error.display(py));
                internal_error()
            }
        };
        counters::REQUESTS.step();
        if let (Some(log), Some(began)) = (&self.log, began) {
            let took = began.elapsed();
            log.lock().unwrap_or_else(PoisonError::into_inner).record_request(
                request.method().as_str(),
                request.uri().path(),
                response.status().as_u16(),
                took,
            );
        }
        response
    }

    /// Calls the view, or has it called; the interpreter is let go of when this returns.
    fn start(&self, py: Python<'_>, request: &Request<Incoming>) -> PyResult<Started> {
        let path = request.uri().path();
        let matched = self.router.at(path).ok();
        let route = self.route(request, matched.as_ref().map(|found| found.value));
        let params: Vec<(&str, &str)> = matched.iter().flat_map(|found| found.params.iter()).collect();
        let parts = Parts {
            method: request.method().as_str(),
            path,
            query: request.uri().query(),
            headers: request.headers(),
            params: &params,
            needs_headers: route.needs_headers,
        };
        let argument = if self.switches.allocations {
            counters::REQUESTS_WITHOUT_MAPS.step();
            request_without_maps(py, &parts)?
        } else {
            counters::REQUESTS_WITH_MAPS.step();
            request_with_maps(py, &parts)?
        };
        match route.way {
            Way::Inline => {
                let wire = route.execute.bind(py).call1((argument,))?;
                Ok(Started::Done(Answer::read(wire.cast::<PyTuple>()?, self.switches)?.into()))
            }
            Way::Task => {
                let coroutine = route.execute.bind(py).call1((argument,))?;
                let (completion, receiver) = Completion::new(self.switches);
                self.runner.bind(py).call1((coroutine, completion))?;
                counters::TASKS.step();
                Ok(Started::Waiting(receiver))
            }
            Way::Blocking => {
                let argument = Bound::new(py, argument)?.into_any().unbind();
                Ok(Started::Blocking(route.execute.clone_ref(py), argument))
            }
        }
    }

    fn route<'a>(&'a self, request: &Request<Incoming>, matched: Option<&'a Route>) -> &'a Route {
        if request.body().size_hint().lower() > LARGEST_BODY {
            return &self.refusals.too_large;
        }
        match (matched, request.method()) {
            (None, _) => &self.refusals.not_found,
            (Some(route), &Method::GET | &Method::HEAD) => route,
            (Some(_), _) => &self.refusals.not_allowed,
        }
    }

    async fn block(&self, execute: Py<PyAny>, argument: Py<PyAny>) -> Taken {
        let switches = self.switches;
        let work = tokio::task::spawn_blocking(move || {
            Python::attach(|py| {
                let read = || {
                    let wire = execute.bind(py).call1((argument,))?;
                    Answer::read(wire.cast::<PyTuple>()?, switches)
                };
                match read() {
                    Ok(answer) => answer.into(),
                    Err(error) => {
                        error.display(py);
                        internal_error()
                    }
                }
            })
        });
        work.await.unwrap_or_else(|_| internal_error())
    }

    pub fn flush_log(&self) {
        if let Some(log) = &self.log {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            if log.is_pending() {
                log.flush();
            }
        }
    }

    pub fn lines(&self) -> u64 {
        self.log.as_ref().map_or(0, |log| log.lock().unwrap_or_else(PoisonError::into_inner).lines)
    }
}
