//! The embedded AWS on the wire: one loopback HTTP server that speaks AWS JSON 1.1 (Application
//! Auto Scaling, SageMaker), RPC v2 CBOR, JSON 1.0 and Query (CloudWatch) and Query (STS), so that
//! the production SDK clients, boto3 and the aws CLI run against it.
//!
//! All protocols are spellings of the same JSON values (`protocol`, `cbor`, `query`); `dispatch`
//! hands those to the world's typed operations. Signatures are not verified, but a request
//! without one is refused. `/_sim/` controls the world itself (`control`).

mod cbor;
mod control;
mod dispatch;
mod error;
mod fault;
mod handler;
mod members;
mod pace;
mod protocol;
mod query;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::Router;
use axum::routing::{any, get, post};
use setpoint_serve::{Hosts, Limits, Options};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use self::fault::{WireFault, WireFaultKind};
pub use self::pace::Pace;

use self::fault::WireFaults;
use self::pace::Pacer;
use super::api::Sim;

/// How often a world that follows the wall clock moves on while nobody asks.
const TICK: Duration = Duration::from_millis(100);
/// How long a stop waits for answers under way.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// Clients keep connections, and a client library has some hundred of them at most: what is beyond
/// waits. One that says nothing for a minute is closed, before its client uses it again.
const LIMITS: Limits = Limits {
    connections: 1024,
    per_address: 1024,
    reserved: 0,
    head: Duration::from_mins(1),
    reserved_head: Duration::from_mins(1),
    stall: Duration::from_mins(1),
    grace: STOP_GRACE,
};

/// What the handlers share.
struct Shared {
    sim: Sim,
    pacer: Pacer,
    faults: WireFaults,
    requests: AtomicU64,
    stopping: watch::Receiver<bool>,
}

/// A served world. Dropping it stops the server at once.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Binds and serves; must be called in a Tokio runtime. Port 0 picks a free port.
    pub async fn start(sim: Sim, listen: SocketAddr, pace: Pace) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (stop, stopping) = watch::channel(false);
        let shared = Arc::new(Shared {
            sim,
            pacer: Pacer::new(pace),
            faults: WireFaults::default(),
            requests: AtomicU64::new(0),
            stopping,
        });
        let mut tasks = vec![tokio::spawn(serve(listener, address, Arc::clone(&shared)))];
        if shared.pacer.speed().is_some() {
            tasks.push(tokio::spawn(tick(Arc::clone(&shared))));
        }
        Ok(Self { address, shared, stop, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that AWS clients take as `AWS_ENDPOINT_URL`.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets something go wrong on the wire from now on.
    ///
    /// # Errors
    /// A sentence with what is allowed, when the fault makes no sense.
    pub fn inject(&self, fault: WireFault) -> Result<(), String> {
        self.shared.faults.inject(fault, self.shared.sim.now())
    }

    /// Lets time pass at another speed from now on, in virtual seconds a second, above 0.
    pub fn set_speed(&self, speed: f64) {
        self.shared.pacer.set_speed(&self.shared.sim, speed);
    }

    /// Stops: answers under way get half a second, then connections are dropped.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let serving = futures::future::join_all(self.tasks.iter_mut());
        // What is still running then is aborted by the drop.
        let _ = tokio::time::timeout(STOP_GRACE, serving).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Shared {
    /// Resolves once the server is to stop.
    async fn stopped(&self) {
        let mut stopping = self.stopping.clone();
        // An error means that the server is gone already.
        let _ = stopping.wait_for(|stop| *stop).await;
    }
}

async fn serve(listener: TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    let router = Router::new()
        .route("/_sim/healthz", get(control::healthz))
        .route("/_sim/state", get(control::state))
        .route("/_sim/advance", post(control::advance))
        .route("/_sim/fault", post(control::inject))
        .route("/_sim/{*path}", any(control::not_found))
        .fallback(handler::aws)
        .with_state(Arc::clone(&shared));
    // Faults and time are anybody's to command, so no page of the web may.
    let hosts = Hosts::of(address.ip(), &[]);
    let options = Options { limits: LIMITS, hosts, reserved_for: |_| true };
    setpoint_serve::serve(listener, router, options, shared.stopped()).await;
}

/// Moves a world on that follows the wall clock, so that it is near its time when somebody asks.
async fn tick(shared: Arc<Shared>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.stopped() => return,
            _ = interval.tick() => {}
        }
        let world = Arc::clone(&shared);
        let moved = tokio::task::spawn_blocking(move || world.pacer.catch_up(&world.sim)).await;
        if let Err(error) = moved {
            tracing::error!(%error, "the world could not move on");
            return;
        }
    }
}
