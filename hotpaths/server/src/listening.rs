//! Sockets, connections and the end: accepts until told to stop, then lets what is under way finish.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::watch;

use crate::access_log::FLUSH_AFTER;
use crate::worker::Worker;

const BACKLOG: i32 = 1024;
/// A connection that has not sent a whole request head by then is closed, also one that was kept alive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes that are read ahead of a connection: the largest head, and what a client may pipeline before it has to wait.
const READ_AHEAD: usize = 32 * 1024;

/// A socket of this worker's own: the kernel spreads connections over all that listen on the port.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves until `stop` says so the first time, then finishes until `drain` is over or `stop` says so again.
pub async fn serve(
    worker: Arc<Worker>,
    listener: TcpListener,
    mut stop: watch::Receiver<u32>,
    drain: Duration,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let connections = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(READ_AHEAD);
    let mut flushing = tokio::time::interval(FLUSH_AFTER);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Answers are written whole; waiting for more to send only delays them.
                    let _ = stream.set_nodelay(true);
                    let worker = Arc::clone(&worker);
                    let service = service_fn(move |request| {
                        let worker = Arc::clone(&worker);
                        async move { Ok::<_, Infallible>(worker.answer(request).await) }
                    });
                    let connection = connections.watch(http.serve_connection(TokioIo::new(stream), service));
                    // A client that breaks off or sends what is no HTTP has had its 400 from the connection itself.
                    tokio::spawn(async move { drop(connection.await) });
                }
                // Out of descriptors, or a client that has gone: the next one may do better.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            _ = flushing.tick(), if worker.log.is_some() => worker.flush_log(),
            _ = stop.changed() => break,
        }
    }
    drop(listener);
    tokio::select! {
        () = connections.shutdown() => {}
        () = tokio::time::sleep(drain) => {}
        _ = stop.changed() => {}
    }
    worker.flush_log();
    Ok(())
}
