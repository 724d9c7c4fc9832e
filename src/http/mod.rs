//! Probes, `/metrics`, JSON API, status page, and the commands under `/-/`.
//!
//! Everything is bounded: connections, from one address and from all, how long one may say nothing
//! (`serve`), requests in flight, their bodies, and how long one may take. Probes and metrics have
//! places of their own. Commands need a token, but for a pass that is asked for from inside the pod;
//! nothing else can change anything.

mod api;
mod auth;
mod base_path;
mod commands;
mod control;
mod guard;
mod health;
mod history;
mod leading;
mod list;
mod local;
mod pages;
mod plan;
mod probes;
mod problem;
mod query;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use axum::{Extension, Router};
use tokio::net::TcpListener;

pub use auth::MAX_TOKEN_BYTES;
pub use control::{Control, ControlError, PauseRequest, Paused, Reconciled, Resumed};
pub use health::{Health, Readiness};
pub use leading::Leading;

use crate::serve::{Hosts, Limits, Options};
use crate::store::Store;

use crate::metrics::Exposition;
pub use crate::metrics::StatusSource;
pub use crate::model::selector::Selector;
pub use crate::render::page::Site;

/// The longest body of a command, in bytes.
pub const MAX_BODY_BYTES: usize = 16 * 1024;
/// How long a request may take.
pub const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a command may take: it waits for the pass under way, and perhaps for one of its own.
pub const COMMAND_TIMEOUT: Duration = Duration::from_mins(5);
/// How long open requests may go on after a shutdown has begun.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Who may connect, and for how long. Prometheus, probes and people are some ten connections; a
/// reverse proxy comes from one address with some more.
const LIMITS: Limits = Limits {
    connections: 256,
    per_address: 64,
    reserved: 32,
    head: Duration::from_secs(10),
    reserved_head: Duration::from_secs(2),
    stall: Duration::from_secs(20),
    grace: SHUTDOWN_GRACE,
};

/// What the server shows, and whom it tells.
#[derive(Clone)]
pub struct App {
    /// The variants.
    pub status: Arc<dyn StatusSource>,
    /// What was.
    pub history: Store,
    /// Whether this process is the one that knows the variants.
    pub leading: Arc<dyn Leading>,
    /// What `/metrics` answers.
    pub exposition: Arc<Exposition>,
    /// Who carries out commands.
    pub control: Arc<dyn Control>,
    /// What the probes answer.
    pub health: Arc<Health>,
    /// The file with the token that commands need; without one they are refused.
    pub token_file: Option<PathBuf>,
    /// The names, beside its own, that it answers to on a loopback address.
    pub allowed_hosts: Vec<String>,
    /// Where the pages are reached.
    pub site: Site,
}

/// The address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    pub address: SocketAddr,
    /// What the system says.
    pub source: std::io::Error,
}

/// A server that has its address and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Takes the address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address is in use or is not this machine's; the error names it.
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let failed = |source| BindError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` is done, then lets open requests end for [`SHUTDOWN_GRACE`].
    pub async fn serve(self, app: App, shutdown: impl Future<Output = ()> + Send + 'static) {
        let hosts = Hosts::of(self.address.ip(), &app.allowed_hosts);
        let options = Options { limits: LIMITS, hosts, reserved_for: guard::is_vital };
        crate::serve::serve(self.listener, router(app), options, shutdown).await;
    }
}

/// All routes.
pub fn router(app: App) -> Router {
    let guard = guard::Guard::new(&app);
    let base_path = app.site.base_path.clone();
    let routes = Router::new()
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz))
        .route("/metrics", get(probes::metrics))
        .route("/", get(pages::fleet))
        .route("/variants/{endpoint}/{variant}", get(pages::variant))
        .route("/assets/page.css", get(pages::style))
        .route("/assets/live.js", get(pages::script))
        .route("/assets/icon.svg", get(pages::icon))
        .route("/api/v1/variants", get(list::variants))
        .route("/api/v1/variants/{endpoint}/{variant}", get(api::variant))
        .route("/api/v1/variants/{endpoint}/{variant}/explain", get(api::explain))
        .route("/api/v1/variants/{endpoint}/{variant}/history", get(history::history))
        .route("/api/v1/recommendations", get(api::recommendations))
        .route("/api/v1/report", get(api::report))
        .route("/api/v1/plan", get(plan::plan))
        .route("/-/reload", post(commands::reload))
        .route("/-/reconcile", post(commands::reconcile))
        .route("/-/pause", post(commands::pause))
        .route("/-/resume", post(commands::resume))
        .route("/-/confirm", post(commands::confirm))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(guard, guard::guard))
        .layer(Extension(Arc::new(list::Versions::new())))
        .layer(Extension(plan::turn()))
        .layer(from_fn(guard::headers))
        .with_state(Arc::new(app));
    base_path::under(&base_path, routes)
}
