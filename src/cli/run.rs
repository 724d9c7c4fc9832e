//! `setpoint run`: reconcile continuously.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use prometheus::Registry;
use tokio::signal::unix::{SignalKind, signal};

use super::config_args::{ConfigArgs, load_with_logs};
use super::kubernetes::Kubernetes;
use super::{CliError, compose, panics};
use crate::config::{Config, MetricsSettings, MetricsVariants, memory_place};
use crate::daemon::{Daemon, FleetCell, Handle, LeadershipSource, Parts, Ticks};
use crate::http::{App, Control, Health, Server, Site};
use crate::metrics::{Metrics, SeriesOf, Shown};
use crate::model::shard::Shard;
use crate::ports::{Aws, CallObserver, Clock, Events, Memory};
use crate::reconcile::{CostMeter, Fleet};
use crate::store::FileShelf;
use crate::system::{Alone, WallClock};
use crate::telemetry::Logs;

/// Reconcile continuously, until SIGTERM or SIGINT; SIGHUP reloads the configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let pod_name = std::env::var("POD_NAME").ok().filter(|name| !name.is_empty());
    let loader = Arc::new(args.config.shard_loader(pod_name));
    let (config, logs) = load_with_logs(&*loader)?;
    compose::runtime()?.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(WallClock);
        let kubernetes = Kubernetes::join(&config, &clock).await?;
        let mut publishing = Publishing::new(&config)?;
        publishing.count_lost_lines(&logs);
        publishing.events = kubernetes.events();
        let leadership = kubernetes.leadership();
        let aws = compose::connect_fenced(&config, publishing.observer(), leadership).await?;
        publishing.expect(&aws);
        let memory = kubernetes.memory().unwrap_or_else(|| compose::memory(&config, &aws));
        if let Some(wrong) = config.memory.file.as_deref().and_then(memory_place) {
            tracing::warn!("{wrong}");
        }
        let shard = config.shard();
        let daemon = Assembled::new(config, loader, aws, clock, memory, publishing).await?;
        let daemon = daemon.elected_by(kubernetes);
        tracing::info!(version = env!("CARGO_PKG_VERSION"), http = %daemon.address, "running");
        if let Some(shard) = &shard {
            tracing::info!(shard = shard.shard.index(), total = shard.shard.total(), "{shard}");
        }
        let signals = tokio::spawn(follow_signals(daemon.handle.clone()));
        let result = Box::pin(daemon.run()).await;
        signals.abort();
        result
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What a daemon publishes, and where.
pub(super) struct Publishing {
    fleet: Arc<FleetCell>,
    metrics: Metrics,
    /// Where decisions are reported besides the log.
    pub(super) events: Option<Arc<dyn Events>>,
}

impl Publishing {
    pub(super) fn new(config: &Config) -> Result<Self, CliError> {
        let fleet = Arc::new(FleetCell::default());
        let shown = shown(&config.metrics);
        let metrics = Metrics::register(Registry::new(), Arc::clone(&fleet) as _, shown)
            .map_err(|error| CliError::failed(format!("cannot register metrics: {error}")))?;
        metrics.process.set_shard(config.sharding.own.unwrap_or(Shard::WHOLE));
        Ok(Self { fleet, metrics, events: None })
    }

    /// Counts the lines of the log that are dropped.
    pub(super) fn count_lost_lines(&self, logs: &Logs) {
        let dropped = logs.dropped();
        self.metrics.process.count_dropped_log_lines(move || dropped.lines());
    }

    /// Counts every call to AWS.
    pub(super) fn observer(&self) -> Arc<dyn CallObserver> {
        Arc::clone(&self.metrics.calls) as _
    }

    /// Shows the cost counters of every account and region from the start.
    pub(super) fn expect(&self, all: &[Aws]) {
        for aws in all {
            self.metrics.calls.expect_scope(&aws.scope);
        }
    }

    /// Where all metrics are registered.
    pub(super) fn registry(&self) -> Registry {
        self.metrics.registry.clone()
    }
}

/// What the configuration says of the series of variants.
const fn shown(config: &MetricsSettings) -> Shown {
    let variants = match config.variants {
        MetricsVariants::Auto => SeriesOf::Auto,
        MetricsVariants::All => SeriesOf::All,
        MetricsVariants::Listed => SeriesOf::Listed,
        MetricsVariants::Problems => SeriesOf::Problems,
    };
    Shown { variants, per_variant_limit: config.per_variant_limit }
}

/// A daemon with its HTTP server, ready to run.
pub(super) struct Assembled {
    daemon: Daemon,
    server: Server,
    app: App,
    /// By which it is asked for things.
    pub(super) handle: Handle,
    /// Where it publishes.
    pub(super) fleet: Arc<FleetCell>,
    pub(super) address: std::net::SocketAddr,
    grace: std::time::Duration,
    kubernetes: Kubernetes,
}

impl Assembled {
    /// Puts everything together and takes the HTTP address.
    pub(super) async fn new(
        config: Config,
        loader: crate::daemon::Loader,
        aws: Vec<Aws>,
        clock: Arc<dyn Clock>,
        memory: Arc<dyn Memory>,
        publishing: Publishing,
    ) -> Result<Self, CliError> {
        let server = Server::bind(config.http.listen)
            .await
            .map_err(|error| CliError::failed(error.to_string()))?;
        // A pass may take its whole time and then wait for calls that have limits of their own.
        let max_silence = config.reconcile.pass_timeout * 2 + config.aws.operation_timeout;
        let health = Arc::new(Health::new(Instant::now(), max_silence));
        let Publishing { fleet, metrics, events } = publishing;
        panics::log(&metrics.process);
        let exposition = Arc::clone(&metrics.exposition);
        let (passes_clock, passes_memory) = (Arc::clone(&clock), Arc::clone(&memory));
        // The budget is the process's: a new term of leadership does not restart it.
        let cost = CostMeter::default();
        let history = compose::history(&config);
        let evidence = history.clone();
        let shelf = FileShelf::beside(config.store.path.as_deref());
        let make_fleet = Box::new(move |leadership| {
            let (clock, memory) = (Arc::clone(&passes_clock), Arc::clone(&passes_memory));
            let fleet = Fleet::new(aws.clone(), clock, leadership, memory, cost.clone());
            let fleet = fleet.resting(&shelf);
            // In memory it would outlive nothing.
            if evidence.survives_restart() {
                fleet.keeping(Arc::new(evidence.clone()))
            } else {
                fleet
            }
        });
        let (token_file, grace) = (config.http.token_file.clone(), config.reconcile.shutdown_grace);
        let allowed_hosts = config.http.allowed_hosts.clone();
        let site = Site {
            base_path: config.http.base_path.clone(),
            dashboard_url: config.http.dashboard_url.clone(),
            ..Site::default()
        };
        let (daemon, handle) = Daemon::new(Parts {
            config,
            loader,
            leadership: LeadershipSource::Alone(Arc::new(Alone)),
            make_fleet,
            clock,
            memory,
            history: history.clone(),
            events,
            fleet: Arc::clone(&fleet),
            metrics,
            health: Arc::clone(&health),
        });
        let app = App {
            status: Arc::clone(&fleet) as _,
            history,
            leading: Arc::new(LeadershipSource::Alone(Arc::new(Alone))),
            exposition,
            control: Arc::new(handle.clone()),
            health,
            token_file,
            allowed_hosts,
            site,
        };
        let address = server.address();
        let kubernetes = Kubernetes::default();
        Ok(Self { daemon, server, app, handle, fleet, address, grace, kubernetes })
    }

    /// Makes passes only while this process leads, if there is an election.
    pub(super) fn elected_by(mut self, kubernetes: Kubernetes) -> Self {
        kubernetes.announce(self.address);
        if let Some(terms) = kubernetes.terms() {
            self.app.leading = Arc::new(terms.clone());
            self.daemon = self.daemon.led_by(terms);
        }
        self.kubernetes = kubernetes;
        self
    }

    /// Runs until the handle says to stop; a pass under way gets its grace to end.
    ///
    /// # Errors
    /// When the daemon or its server fails, or the grace was not enough.
    pub(super) async fn run(self) -> Result<(), CliError> {
        let ticks = Ticks::start(&self.handle)
            .await
            .map_err(|error| CliError::failed(error.to_string()))?;
        let (stopped, has_stopped) = tokio::sync::oneshot::channel::<()>();
        let until = async {
            // A sender that is dropped says the same.
            let _ = has_stopped.await;
        };
        let http = tokio::spawn(self.server.serve(self.app, until));
        let ended = Box::pin(wait_for(self.daemon.run(), &self.handle, self.grace)).await;
        ticks.stop().await;
        // While a pass that would not end may still write, the Lease is left to expire.
        let left = self.kubernetes.leave(ended.is_ok()).await;
        let ended = ended.and(left);
        drop(stopped);
        match http.await {
            Ok(()) => ended,
            Err(error) => Err(CliError::failed(format!("http server: {error}"))),
        }
    }
}

/// Waits for the passes to end; once they are asked to, no longer than the grace.
async fn wait_for(
    passes: impl Future<Output = ()>,
    handle: &Handle,
    grace: std::time::Duration,
) -> Result<(), CliError> {
    tokio::pin!(passes);
    tokio::select! {
        () = &mut passes => return Ok(()),
        () = handle.stopping() => {}
    }
    tokio::time::timeout(grace, passes)
        .await
        .map_err(|_| CliError::failed("the pass under way did not end within the grace period"))
}

/// SIGTERM and SIGINT stop, SIGHUP reloads.
pub(super) async fn follow_signals(handle: Handle) {
    let streams = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    );
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = streams else {
        tracing::error!("signals cannot be received; stop with SIGKILL");
        return;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                // The problems are in the log and in the metric.
                let _ = handle.reload().await;
            }
        }
    }
    tracing::info!("asked to stop");
    handle.stop();
}
