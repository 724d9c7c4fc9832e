//! `setpoint doctor`: finds out what setpoint depends on here.

mod questions;

pub(super) use questions::reads;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use super::CliError;
use super::config_args::{ConfigArgs, counted};
use super::deadline::{Bounded, Timeout};
use super::exit::Exit;
use super::survey::{Survey, survey};
use super::{ask, compose};
use crate::aws::{self, Settings};
use crate::cli::out::{self, Data, TableOutput};
use crate::config::Config;
use crate::doctor::{self, Check, Diagnosis, Health, Outcome, Outcomes, ScrapeFound};
use crate::model::floors::FloorsMode;
use crate::model::goal::Mode;
use crate::ports::{CallObserver, CallRecord, Clock as _};
use crate::system::WallClock;

/// Check what setpoint depends on here: configuration, credentials, permissions, clock, network, metrics,
/// schedules, budget, memory and the running daemon. Nothing is written to AWS; one paid metric of each
/// listed variant is read ($0.00001 each), unless the budget is 0.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 nothing failed, 1 something failed, 64 usage; with --detailed-exitcode also 2 something \
                  needs attention."
)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where the daemon answers [default: `http.listen` of the configuration, on this machine]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Ask this Prometheus whether it scrapes setpoint
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = TableOutput::Table)]
    output: TableOutput,
    /// Report warnings in the exit code too (see below)
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    timeout: Timeout,
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`]; what is found to be wrong is no error of the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let mut found = Diagnosis::default();
    if let Some(config) = configuration(args, &mut found) {
        // The SDK's log lines would say the same between the checks.
        let bounded = Bounded::new(args.timeout)?;
        found.checks.extend(surroundings(&config));
        let checks = bounded.run(of_aws(&config, args.timeout, bounded.observer()));
        found.checks.extend(checks.unwrap_or_else(|error| {
            let advice = "is AWS reachable? --timeout waits longer";
            vec![Check::fail("credentials", error.to_string(), advice)]
        }));
        found.checks.extend(of_the_daemon(args, &config));
    }
    match args.output {
        TableOutput::Json => out::data(&found.json(), Data::Json)?,
        TableOutput::Yaml => out::data(&found.json(), Data::Yaml)?,
        TableOutput::Table => out::text(&found.text())?,
    }
    Ok(exit_of(args, &found).into())
}

fn exit_of(args: &Args, found: &Diagnosis) -> Exit {
    match (found.count(Health::Fail), found.count(Health::Warn)) {
        (0, 0) => Exit::Done,
        (0, _) if args.detailed_exitcode => Exit::Differs,
        (0, _) => Exit::Done,
        _ => Exit::Failed,
    }
}

/// The configuration, with what is wrong or strange in it.
fn configuration(args: &Args, found: &mut Diagnosis) -> Option<Config> {
    match args.config.load() {
        Err(error) => {
            let advice = "setpoint config check says the same; fix it first";
            found.checks.push(Check::fail("configuration", error.to_string(), advice));
            None
        }
        Ok(config) => {
            let targets = counted(config.targets.len(), "target", "targets");
            let files = counted(args.config.sources().files.len(), "file", "files");
            let what = format!("{targets} in {files}");
            found.checks.push(Check::ok("configuration", what));
            for warning in config.warnings(WallClock.now(), None) {
                let advice = "setpoint config check explains it";
                found.checks.push(Check::warn("configuration", warning.to_string(), advice));
            }
            Some(config)
        }
    }
}

fn surroundings(config: &Config) -> Vec<Check> {
    let now = WallClock.now();
    let mut checks = vec![
        doctor::proxy(&questions::environment()),
        doctor::trust(&questions::authorities()),
        doctor::memory(&questions::memory(config), writes(config)),
        doctor::store(&questions::store(config), config.telemetry.history.num_days()),
        doctor::writes(writes(config), config.memory.tags, keeps_floors(config)),
    ];
    checks.extend(doctor::schedules(config, now));
    checks
}

/// Whether floors of any target are kept in AWS.
fn keeps_floors(config: &Config) -> bool {
    writes(config)
        && config.targets.iter().any(|target| target.goal.floors.mode == FloorsMode::Keep)
}

/// Whether any target may be written to.
fn writes(config: &Config) -> bool {
    let bolder = |mode: Mode| mode.min(config.mode_ceiling()) != Mode::Observe;
    config.targets.iter().any(|target| bolder(target.goal.mode))
}

async fn of_aws(config: &Config, timeout: Timeout, observer: Arc<dyn CallObserver>) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut all = match compose::settings_of_all(config) {
        Ok(all) => all,
        Err(error) => {
            let advice = "set aws.region, --region or AWS_REGION";
            return vec![Check::fail("credentials", error.to_string(), advice)];
        }
    };
    for settings in &mut all {
        timeout.bound(settings);
    }
    if !callers(&all, &mut checks).await {
        return checks;
    }
    let recorder = Arc::new(Recorder { outcomes: Mutex::default(), also: observer });
    match survey(config, config, timeout, Arc::<Recorder>::clone(&recorder) as _).await {
        Err(error) => {
            let advice = "fix what credentials reports first";
            checks.push(Check::fail("endpoints", error.to_string(), advice));
        }
        Ok(seen) => of_fleet(config, &seen, &recorder, &mut checks).await,
    }
    checks
}

/// Who calls in each account and region, and whether any of them got an answer.
async fn callers(all: &[Settings], checks: &mut Vec<Check>) -> bool {
    let mut any = false;
    let mut clock = None;
    for settings in all {
        let answer = aws::who_am_i(settings).await;
        let region = settings.region.as_str();
        checks.push(doctor::caller(region, settings.account_id.as_ref(), &answer.caller));
        any |= answer.caller.is_ok();
        clock = clock.or_else(|| answer.aws_time.map(|aws| (WallClock.now(), aws)));
    }
    checks.push(match clock {
        Some((own, aws)) => doctor::clock(own, Some(aws)),
        None => doctor::clock(WallClock.now(), None),
    });
    any
}

async fn of_fleet(config: &Config, seen: &Survey, recorder: &Recorder, checks: &mut Vec<Check>) {
    let now = WallClock.now();
    let asked = questions::metrics(config, seen, now).await;
    let per_instance = config.targets.iter().any(|target| target.goal.per_instance);
    questions::activities(seen, per_instance).await;
    let outcomes = recorder.outcomes.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for scope in seen.fleet.scopes.keys() {
        let variants: Vec<_> =
            seen.fleet.variants.keys().filter(|id| id.scope() == *scope).collect();
        let endpoints: BTreeSet<_> = variants.iter().map(|id| &id.endpoint).collect();
        let found = (endpoints.len(), variants.len());
        checks.push(doctor::endpoints(scope, found, config.aws.call_rate_per_second));
        checks.extend(doctor::permissions(scope, &outcomes, (config.memory.tags, per_instance)));
    }
    checks.extend(doctor::metrics(&asked.metrics, asked.dollars, now));
    checks.push(doctor::budget(config, questions::reads(config, &seen.fleet), now));
}

fn of_the_daemon(args: &Args, config: &Config) -> Vec<Check> {
    let own = (env!("CARGO_PKG_VERSION"), option_env!("SETPOINT_REVISION").unwrap_or("unknown"));
    let url = args.url.clone().map_or_else(|| ask::address(config.http.listen), Ok);
    let daemon = match url {
        Err(error) => Check::note("daemon", error.to_string()),
        Ok(url) => doctor::daemon(&url, &questions::daemon(&url), own),
    };
    let scraped = args.prometheus.as_deref().map_or(ScrapeFound::NotAsked, questions::prometheus);
    vec![daemon, doctor::prometheus(&scraped)]
}

/// Takes note of what became of each operation.
struct Recorder {
    outcomes: Mutex<Outcomes>,
    also: Arc<dyn CallObserver>,
}

impl CallObserver for Recorder {
    fn called(&self, call: &CallRecord) {
        self.also.called(call);
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome: &mut Outcome =
            outcomes.entry((call.scope.clone(), call.operation)).or_default();
        match call.error {
            None => outcome.answered = true,
            Some(kind) => outcome.failed = Some((kind, call.error_code.clone())),
        }
    }
}
