//! One process of the server: its workers' threads, its signals, its end.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use matchit::Router;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use tokio::runtime;
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::watch;

use crate::access_log::AccessLog;
use crate::worker::{Refusals, Route, Switches, Way, Worker};
use crate::{counters, listening};

/// As `hotpaths.server.options.Settings` has them.
#[derive(FromPyObject)]
pub struct Settings {
    host: String,
    port: u16,
    workers: usize,
    blocking_threads: usize,
    switches: Switches,
    log_descriptor: Option<RawFd>,
    log_slow_ms: f64,
    drain_seconds: f64,
    keep_thread_state: bool,
}

/// As `hotpaths.server.views.Served` has it.
#[derive(FromPyObject)]
struct ServedView {
    pattern: String,
    way: String,
    execute: Py<PyAny>,
    needs_headers: bool,
}

/// Serves until SIGTERM or SIGINT; what was counted. `ready` is called with the port once every worker listens.
/// Must be called on the main thread; lets go of the interpreter while it serves.
#[pyfunction]
pub fn serve(
    py: Python<'_>,
    settings: Settings,
    views: Vec<Bound<'_, PyAny>>,
    refusals: Vec<Bound<'_, PyAny>>,
    runner: Py<PyAny>,
    ready: Py<PyAny>,
) -> PyResult<BTreeMap<&'static str, u64>> {
    let host: IpAddr =
        settings.host.parse().map_err(|_| PyValueError::new_err(format!("{} is no IP address", settings.host)))?;
    let mut address = SocketAddr::new(host, settings.port);
    let mut listeners = Vec::new();
    for _ in 0..settings.workers {
        let listener = listening::listen(address)?;
        // With port 0 the first one was given a port, which the others share.
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    let workers = listeners
        .iter()
        .map(|_| build(py, &settings, &views, &refusals, &runner).map(Arc::new))
        .collect::<PyResult<Vec<_>>>()?;
    py.detach(|| run(&settings, &workers, listeners, |py| ready.call1(py, (address.port(),)).map(drop)))?;
    let mut counted = counters::read();
    counted.insert("logged_by_rust", workers.iter().map(|worker| worker.lines()).sum());
    Ok(counted)
}

fn build(
    py: Python<'_>,
    settings: &Settings,
    views: &[Bound<'_, PyAny>],
    refusals: &[Bound<'_, PyAny>],
    runner: &Py<PyAny>,
) -> PyResult<Worker> {
    let mut router = Router::new();
    for view in views {
        let served: ServedView = view.extract()?;
        let pattern = served.pattern.clone();
        router.insert(pattern, route(served)?).map_err(|error| PyValueError::new_err(error.to_string()))?;
    }
    let [not_found, not_allowed, too_large] = refusals else {
        return Err(PyValueError::new_err("three refusals are needed: not found, not allowed, too large"));
    };
    let refusal = |given: &Bound<'_, PyAny>| given.extract::<ServedView>().and_then(route);
    let slow = Duration::from_secs_f64(settings.log_slow_ms / 1000.0);
    let descriptor = settings.log_descriptor.filter(|_| settings.switches.logging);
    Ok(Worker {
        router,
        refusals: Refusals {
            not_found: refusal(not_found)?,
            not_allowed: refusal(not_allowed)?,
            too_large: refusal(too_large)?,
        },
        switches: settings.switches,
        runner: runner.clone_ref(py),
        log: descriptor.map(|descriptor| Mutex::new(AccessLog::new(descriptor, slow))),
    })
}

fn route(served: ServedView) -> PyResult<Route> {
    let way = match served.way.as_str() {
        "inline" => Way::Inline,
        "task" => Way::Task,
        "blocking" => Way::Blocking,
        other => return Err(PyValueError::new_err(format!("a view can't be run {other}"))),
    };
    Ok(Route { way, execute: served.execute, needs_headers: served.needs_headers })
}

fn run(
    settings: &Settings,
    workers: &[Arc<Worker>],
    listeners: Vec<std::net::TcpListener>,
    ready: impl FnOnce(Python<'_>) -> PyResult<()>,
) -> PyResult<()> {
    let (stop, stopped) = watch::channel(0_u32);
    let drain = Duration::from_secs_f64(settings.drain_seconds);
    let threads = workers
        .iter()
        .zip(listeners)
        .enumerate()
        .map(|(number, (worker, listener))| {
            let (worker, stopped) = (Arc::clone(worker), stopped.clone());
            let (blocking, keep) = (settings.blocking_threads, settings.keep_thread_state);
            thread::Builder::new().name(format!("hotpaths-{number}")).spawn(move || {
                let serve = || worker_runtime(blocking)?.block_on(listening::serve(worker, listener, stopped, drain));
                // A thread that was attached once keeps its Python state; else every request makes and ends one.
                if keep {
                    Python::attach(|py| py.detach(serve))
                } else {
                    serve()
                }
            })
        })
        .collect::<std::io::Result<Vec<_>>>()?;
    let waiting = runtime::Builder::new_current_thread().enable_all().build()?;
    waiting.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let finished = tokio::task::spawn_blocking(move || threads.into_iter().map(thread::JoinHandle::join).collect());
        tokio::pin!(finished);
        // Not before a signal that comes at once would be heard.
        let announced = Python::attach(ready);
        if announced.is_err() {
            stop.send_modify(|times| *times += 1);
        }
        loop {
            tokio::select! {
                _ = terminate.recv() => stop.send_modify(|times| *times += 1),
                _ = interrupt.recv() => stop.send_modify(|times| *times += 1),
                ended = &mut finished => {
                    let ended: Vec<thread::Result<std::io::Result<()>>> =
                        ended.map_err(|error| PyOSError::new_err(error.to_string()))?;
                    for worker in ended {
                        worker.map_err(|_| PyOSError::new_err("a worker has panicked"))??;
                    }
                    return announced;
                }
            }
        }
    })
}

fn worker_runtime(blocking_threads: usize) -> std::io::Result<runtime::Runtime> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(blocking_threads)
        // A thread that ended would take its database connection with it.
        .thread_keep_alive(Duration::from_secs(24 * 3600))
        .thread_name("hotpaths-blocking")
        .on_thread_start(keep_thread_state)
        .build()
}

/// Gives this thread a Python state for good: what views keep per thread (a database connection) is kept in it.
fn keep_thread_state() {
    // SAFETY: the interpreter outlives the threads of its runtimes; the state is let go of in the order it was taken,
    // without `PyGILState_Release`, which would throw it away.
    unsafe {
        pyo3::ffi::PyGILState_Ensure();
        pyo3::ffi::PyEval_SaveThread();
    }
}
