//! `setpoint simulate serve`: the embedded AWS at one URL, for the SDKs, boto3 and the aws CLI.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chrono::SecondsFormat;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::super::CliError;
use crate::cli::out::{noteln, outln};
use crate::ports::Clock as _;
use crate::sim::scenario::Start;
use crate::sim::server::{Pace, Server};
use crate::sim::{Scenario, Sim};
use crate::system::WallClock;

/// Fastest virtual time, in virtual seconds a second: a day in less than nine seconds.
const SPEED_MAX: f64 = 10_000.0;
/// How long the process waits for the world's last move after the server has stopped.
const EXIT_GRACE: Duration = Duration::from_millis(300);

/// Serve AWS's protocols over a simulated fleet: one JSON line with the URL, then until SIGTERM.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The world to serve, a YAML file (docs/simulate.md); the world of `setpoint demo` otherwise.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Virtual seconds a second of wall-clock time, above 0, at most 10000.
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = parse_speed)]
    speed: f64,
    /// Let virtual time stand still but for POST /_sim/advance?seconds=N.
    #[arg(long, conflicts_with = "speed")]
    step: bool,
    /// When the world begins: now, or a time such as 2026-11-23T12:00:00Z; the scenario's own
    /// `start` otherwise, and now where it has none.
    #[arg(long, value_name = "TIME")]
    start: Option<Start>,
    /// The seed of everything random; the scenario's own otherwise.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Listen on an address that other machines can reach; nothing is authenticated.
    #[arg(long)]
    allow_non_loopback: bool,
}

fn parse_speed(text: &str) -> Result<f64, String> {
    let speed = text.parse::<f64>().ok().filter(|s| *s > 0.0 && *s <= SPEED_MAX);
    speed.ok_or_else(|| format!("not a speed (allowed: above 0, at most {SPEED_MAX})"))
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    if !args.listen.ip().is_loopback() && !args.allow_non_loopback {
        return Err(CliError::usage(format!(
            "--listen {}: anybody on that network could use it (allowed: a loopback address such \
             as 127.0.0.1:0; or add --allow-non-loopback)",
            args.listen
        )));
    }
    let sim = world(args)?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| CliError::failed(format!("cannot start the runtime: {error}")))?;
    let served = runtime.block_on(serve(args, sim));
    // A world in the middle of a long move does not hold up the exit.
    runtime.shutdown_timeout(EXIT_GRACE);
    served.map(|()| ExitCode::SUCCESS)
}

async fn serve(args: &Args, sim: Sim) -> Result<(), CliError> {
    let signals = |error| CliError::failed(format!("cannot listen for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(signals)?;
    let pace = if args.step { Pace::Step } else { Pace::Speed(args.speed) };
    let now = sim.now();
    let server = Server::start(sim, args.listen, pace)
        .await
        .map_err(|error| CliError::failed(format!("cannot listen on {}: {error}", args.listen)))?;
    let line = json!({
        "endpoint_url": server.endpoint_url(),
        "now": now.to_rfc3339_opts(SecondsFormat::AutoSi, true),
    });
    // Whoever started the process waits for it.
    outln!("{line}");
    if !args.step && args.speed > 1.0 {
        noteln!(
            "note: virtual time runs {} times as fast as the clock of this machine: for a daemon or \
             command by that clock, what is read here comes from the future (docs/simulate.md)",
            args.speed
        );
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    server.stop().await;
    Ok(())
}

/// The world that the arguments describe, its history generated.
fn world(args: &Args) -> Result<Sim, CliError> {
    let scenario = match &args.scenario {
        Some(path) => Scenario::load(path),
        None => Scenario::demo(),
    };
    let mut scenario = scenario.map_err(|error| CliError::failed(error.to_string()))?;
    if let Some(seed) = args.seed {
        scenario.world.seed = seed;
    }
    if args.start.is_some() {
        scenario.world.start = args.start;
    }
    scenario.begin_at(WallClock.now());
    scenario.build().map_err(|error| CliError::failed(error.to_string()))
}
