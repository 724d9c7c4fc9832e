//! A bounded HTTP/1 server: who may connect, for how long, and under which name it is asked.
//!
//! A connection that says nothing is closed after seconds. Each address has so many places, all of
//! them together have so many, and beyond those there are a few more in which only probes and the
//! like are answered: there the one that has waited longest makes room for the next. HTTP/2 is not
//! spoken.

mod hosts;
mod places;
mod stream;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower_service::Service as _;

pub use hosts::Hosts;
pub use places::Limits;

use places::{Place, Places, State};
use stream::Stream;

/// The most bytes of a request's head, and of what is read ahead of it.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How long accepting waits when the system has no more to give, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// What a server needs beside its routes.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many may connect, and for how long.
    pub limits: Limits,
    /// The names it may be asked under.
    pub hosts: Hosts,
    /// The paths that are answered in the reserved places.
    pub reserved_for: fn(&str) -> bool,
}

/// The connection that a request came by; an extension of each request.
#[derive(Debug, Clone)]
pub struct Connection {
    peer: SocketAddr,
    state: Arc<State>,
}

impl Connection {
    /// The other end.
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Resets the connection in place of the next byte of an answer.
    pub fn reset(&self) {
        self.state.reset();
    }
}

/// Answers until `shutdown` is done; then open requests may go on for the grace of the limits.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    options: Options,
    shutdown: impl Future<Output = ()>,
) {
    let places = Places::new(options.limits);
    let (ending, has_begun) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, peer, place) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => accepted,
            // Those that have ended take no memory.
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let one = One { peer, place, router: router.clone(), options: options.clone() };
        connections.spawn(one.answer(stream, has_begun.clone()));
    }
    drop(listener);
    ending.send_replace(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    // What still goes on then is aborted with the set.
    let _ = tokio::time::timeout(options.limits.grace, ended).await;
}

async fn accept(listener: &TcpListener, places: &Arc<Places>) -> (TcpStream, SocketAddr, Place) {
    loop {
        let waited = places.wait().await;
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, places.take(peer.ip(), waited)),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether an error is only of the connection that was to be accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

struct One {
    peer: SocketAddr,
    place: Place,
    router: Router,
    options: Options,
}

impl One {
    async fn answer(self, stream: TcpStream, mut ending: watch::Receiver<bool>) {
        // Answers are small, and whoever waits for one waits for all of it.
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(self.place.state());
        let (reserved, limits) = (self.place.is_reserved(), self.options.limits);
        let stream = Stream::new(stream, Arc::clone(&state), limits.stall);
        let one = Arc::new(self);
        let service = service_fn(move |request| Arc::clone(&one).respond(request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // Between two requests of a connection too.
            .header_read_timeout(if reserved { limits.reserved_head } else { limits.head })
            .keep_alive(!reserved)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut asked_to_end = false;
        loop {
            tokio::select! {
                // How a connection ended matters to its other end only.
                _ended = connection.as_mut() => return,
                () = state.sent_away() => return,
                _ = ending.wait_for(|ending| *ending), if !asked_to_end => {
                    asked_to_end = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }

    async fn respond(self: Arc<Self>, request: Request<Incoming>) -> Result<Response, Infallible> {
        if let Some(found) = self.options.hosts.refused(request.uri(), request.headers()) {
            let sentence = format!(
                "this server is not called {found:?} (allowed: localhost, a loopback address, and \
                 the names it is configured with)"
            );
            return Ok(problem(StatusCode::MISDIRECTED_REQUEST, &sentence));
        }
        if self.place.is_reserved() && !(self.options.reserved_for)(request.uri().path()) {
            let limits = self.options.limits;
            let sentence = format!(
                "too many connections (at most {}, and {} from one address); try again",
                limits.connections, limits.per_address
            );
            return Ok(problem(StatusCode::SERVICE_UNAVAILABLE, &sentence));
        }
        let mut request = request.map(Body::new);
        let state = Arc::clone(self.place.state());
        let working = state.work();
        request.extensions_mut().insert(Connection { peer: self.peer, state: Arc::clone(&state) });
        let response = self.router.clone().call(request).await;
        if self.place.is_reserved() {
            // Its only answer is still to be sent.
            std::mem::forget(working);
        }
        response
    }
}

fn problem(status: StatusCode, sentence: &str) -> Response {
    let sentence: String = sentence
        .chars()
        .flat_map(|c| match c {
            '"' | '\\' => vec!['\\', c],
            c if c.is_control() => vec![' '],
            c => vec![c],
        })
        .collect();
    let body = format!("{{\"error\":\"{sentence}\"}}");
    let headers = [(CONTENT_TYPE, "application/json"), (RETRY_AFTER, "1")];
    (status, headers, body).into_response()
}
