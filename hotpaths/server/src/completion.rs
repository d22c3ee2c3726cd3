//! The way back from a task of Python's event loop (or from a thread) to the connection that waits for it.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use tokio::sync::oneshot;

use crate::response::{internal_error, Answer, Taken};
use crate::worker::Switches;

/// Called by Python once, on its event loop's thread, with what the view's response is.
#[pyclass(frozen, module = "hotpaths_native")]
pub struct Completion {
    switches: Switches,
    waiting: Mutex<Option<oneshot::Sender<Taken>>>,
}

impl Completion {
    pub fn new(switches: Switches) -> (Self, oneshot::Receiver<Taken>) {
        let (sender, receiver) = oneshot::channel();
        (Self { switches, waiting: Mutex::new(Some(sender)) }, receiver)
    }

    /// Wakes the connection that waits.
    #[inline(never)]
    fn deliver_answer(&self, answer: Taken) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = waiting {
            // A client that has left needs no answer.
            let _ = sender.send(answer);
        }
    }
}

#[pymethods]
impl Completion {
    /// None stands for a task that was cancelled.
    fn __call__(&self, wire: Option<&Bound<'_, PyTuple>>) {
        let answer = match wire.map(|wire| Answer::read(wire, self.switches)) {
            Some(Ok(answer)) => answer.into(),
            Some(Err(error)) => {
                Python::attach(|py| error.display(py));
                internal_error()
            }
            None => internal_error(),
        };
        self.deliver_answer(answer);
    }
}
