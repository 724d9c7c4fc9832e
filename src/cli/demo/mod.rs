//! `setpoint demo`: see the main job on the embedded AWS, without an account.
//!
//! The real daemon with the real SDK clients runs against the embedded AWS on loopback, whose time
//! is sped up. Nothing in here decides anything: it prints what the daemon publishes.

mod account;
mod summary;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::{Days, TimeDelta};

use super::run::{Assembled, Publishing, follow_signals};
use super::{CliError, compose};
use crate::aws;
use crate::cli::out::outln;
use crate::config::Config;
use crate::memory::ProcessMemory;
use crate::model::time::Timestamp;
use crate::ports::Clock as _;
use crate::sim::server::{Pace, Server};
use crate::sim::{Scenario, Sim, SimClock};
use crate::system::WallClock;
use crate::telemetry::{self, Logs};

use account::Account;

/// The configuration that the demo runs with.
const CONFIG: &str = include_str!("config.yaml");
/// The address in [`CONFIG`] that `--listen` replaces.
const ANY_PORT: &str = "127.0.0.1:0";
/// The days since a load test stand between these in [`CONFIG`], in the place of its date.
const DAYS_AGO: (&str, &str) = ("{", " days ago}");
/// The speed of the world that has caught up with the present.
const OF_LIFE: f64 = 1.0;
/// How often the account looks for something new to show.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// See the main job on the embedded AWS, without an account: about a minute, no network.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Virtual seconds in a second
    #[arg(long, default_value_t = 90.0, value_parser = speed)]
    speed: f64,
    /// Virtual minutes after which the demo ends
    #[arg(long, default_value_t = 75, value_parser = clap::value_parser!(u32).range(1..=1440))]
    minutes: u32,
    /// Stay up after the summary, until SIGINT or SIGTERM
    #[arg(long)]
    serve: bool,
    /// Where the daemon answers HTTP; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Seed of the world's randomness
    #[arg(long)]
    seed: Option<u64>,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (1.0..=600.0).contains(&speed) => Ok(speed),
        _ => Err("allowed: a number from 1 to 600".to_owned()),
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let config = config(args.listen, WallClock.now())?;
    let logs = telemetry::init(&config.log);
    let logs = logs.map_err(|error| CliError::failed(error.to_string()))?;
    compose::runtime()?.block_on(demo(args, config, &logs))?;
    Ok(ExitCode::SUCCESS)
}

/// The demo's configuration with the address asked for, and load tests that are as old as it says.
fn config(listen: SocketAddr, now: Timestamp) -> Result<Config, CliError> {
    let text = dated(CONFIG, now).replace(ANY_PORT, &listen.to_string());
    Config::from_yaml(&text)
        .map_err(|errors| CliError::failed(format!("the demo's configuration\n{errors}")))
}

/// The text with dates in the place of `{N days ago}`.
fn dated(text: &str, now: Timestamp) -> String {
    let (begin, end) = DAYS_AGO;
    let date = |before: &str| {
        let (head, days) = before.rsplit_once(begin)?;
        let date = now.date_naive().checked_sub_days(Days::new(days.parse().ok()?))?;
        Some(format!("{head}{date}"))
    };
    let mut parts: Vec<&str> = text.split(end).collect();
    let last = parts.pop().unwrap_or_default();
    parts.iter().map(|part| date(part).unwrap_or_else(|| (*part).to_owned())).collect::<String>()
        + last
}

/// When the story begins: so that at its end the world has caught up with the present.
fn beginning(now: Timestamp, args: &Args) -> Timestamp {
    let (story, lasts) =
        (f64::from(args.minutes) * 60.0, f64::from(args.minutes) * 60.0 / args.speed);
    now - TimeDelta::milliseconds(((story - lasts) * 1000.0) as i64)
}

async fn demo(args: &Args, config: Config, logs: &Logs) -> Result<(), CliError> {
    let mut scenario = Scenario::demo().map_err(|error| CliError::failed(error.to_string()))?;
    if let Some(seed) = args.seed {
        scenario.world.seed = seed;
    }
    scenario.begin_at(beginning(WallClock.now(), args));
    let sim = scenario.build().map_err(|error| CliError::failed(error.to_string()))?;
    let start = sim.now();
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::start(sim.clone(), loopback, Pace::Speed(args.speed))
        .await
        .map_err(|error| CliError::failed(format!("cannot serve the embedded AWS: {error}")))?;
    let publishing = Publishing::new(&config)?;
    publishing.count_lost_lines(logs);
    let registry = publishing.registry();
    let daemon = assemble(config, &sim, &server, publishing).await?;

    let mut account = Account::new(&scenario, start, std::io::stdout().is_terminal());
    Account::begin(&server.endpoint_url(), daemon.address, args.speed)?;
    let (handle, fleet, address) =
        (daemon.handle.clone(), Arc::clone(&daemon.fleet), daemon.address);
    let signals = tokio::spawn(follow_signals(handle.clone()));
    let end = start + TimeDelta::minutes(i64::from(args.minutes));
    let story = async {
        while sim.now() < end && !handle.is_stopping() {
            account.show(&fleet.get(), sim.now())?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        account.end(&fleet.get(), &registry, &sim)?;
        if args.serve && !handle.is_stopping() {
            outln!(
                "\nStill at http://{address}/ and {}, at the speed of life",
                server.endpoint_url()
            );
            // A slow machine has not come to the present yet.
            while sim.now() < WallClock.now() && !handle.is_stopping() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            server.set_speed(OF_LIFE);
            while !handle.is_stopping() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    };
    let story = async {
        let shown = story.await;
        handle.stop();
        shown
    };
    let (ended, shown) = tokio::join!(daemon.run(), story);
    signals.abort();
    server.stop().await;
    ended.and(shown)
}

/// The daemon of `setpoint run`, with its SDK clients pointed at the embedded AWS.
async fn assemble(
    config: Config,
    sim: &Sim,
    server: &Server,
    publishing: Publishing,
) -> Result<Assembled, CliError> {
    let mut settings = compose::settings(&config)?;
    settings.endpoint_url = Some(server.endpoint_url());
    settings.rates.sagemaker_calls_per_second =
        aws::Growing::fixed(config.aws.call_rate_per_second);
    settings.rates.alarm_calls_per_second = config.aws.call_rate_per_second;
    settings.credentials = aws::CredentialSource::Fixed {
        access_key_id: "demo".to_owned(),
        secret_access_key: "demo".to_owned(),
    };
    let aws = aws::connect(&settings, publishing.observer())
        .await
        .map_err(|error| CliError::failed(error.to_string()))?;
    let aws = vec![aws];
    publishing.expect(&aws);
    let clock = Arc::new(SimClock::driven_by_others(sim.clone()));
    let memory = Arc::new(ProcessMemory::default());
    let same = config.clone();
    let loader = Arc::new(move || Ok(same.clone()));
    Assembled::new(config, loader, aws, clock, memory, publishing).await
}
