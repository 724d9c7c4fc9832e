//! `setpoint plan`: one pass without writing: what differs, and what would be done.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::ask::PlanAnswer;
use super::config_args::counted;
use super::deadline::{Bounded, Timeout};
use super::doctor::reads;
use super::exit::{self, Exit};
use super::source::Source;
use super::{CliError, compose, kubernetes};
use crate::cli::out::{self, Data, TextOutput, noteln};
use crate::config::{Config, DiscoveryTelemetry};
use crate::daemon::{open_freeze, pass_settings};
use crate::doctor;
use crate::model::status::FleetStatus;
use crate::ports::{CallObserver, Clock};
use crate::reconcile::{
    CostMeter, DOLLARS_PER_METRIC, Fleet, HistoryWait, PassInput, Purpose, Settings,
};
use crate::render::plan as render;
use crate::system::{Alone, WallClock};

/// Variants whose whole history is read within half a minute, so that the last day need not come
/// first and is not paid for twice.
const AT_ONCE: usize = 40;
/// Metrics that are read of one variant with a latency objective.
const METRICS_A_VARIANT: f64 = 5.0;

/// One pass without writing: what differs, and what would be done.
#[derive(Debug, clap::Args)]
#[command(after_help = exit::HELP)]
pub(super) struct Args {
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = TextOutput::Text)]
    output: TextOutput,
    /// Report findings in the exit code (see below); without it only 1, 64, and 3 when an account
    /// and region or the memory could not be read
    #[arg(long)]
    detailed_exitcode: bool,
    /// Read the paid metrics although the configuration lists no variant (5 metrics a variant, 0.01
    /// US dollars for 1,000)
    #[arg(long)]
    metrics: bool,
    #[command(flatten)]
    source: Source,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    if args.source.is_daemon() {
        return ask(args);
    }
    let (flags, timeout) = (&args.source.config, args.source.timeout);
    let (config, _logs) = flags.load_with_logs()?;
    let bounded = Bounded::new(timeout)?;
    let stop = AtomicBool::new(false);
    let fleet = bounded.run(async {
        let mut passes = fleet(&config, timeout, bounded.observer(), WithoutMemory::Says).await?;
        bounded.follow(passes.progress());
        let how = How { timeout, metrics: reads_metrics(&config, args.metrics) };
        Ok::<_, CliError>(pass(&mut passes, &config, how, Purpose::Plan, &stop).await)
    })??;
    if !reads_metrics(&config, args.metrics) {
        report_price(&fleet);
    }
    report_month(&config, &fleet);
    print(&fleet, args.output)?;
    strict(args, !fleet.config.warnings.is_empty())?;
    let exit = if args.detailed_exitcode { Exit::of_plan(&fleet) } else { Exit::of_reads(&fleet) };
    Ok(exit.into())
}

/// What the daemon's last pass decided. It reads nothing from AWS, and `apply` never takes it for a look of
/// its own.
fn ask(args: &Args) -> Result<ExitCode, CliError> {
    if args.metrics {
        let what = "--metrics is for reading AWS: the daemon has read what its configuration says";
        return Err(CliError::usage(what));
    }
    let answer: PlanAnswer = args.source.ask("/api/v1/plan".to_owned())?;
    noteln!("{}", answer.source(&args.source.address()?));
    match args.output {
        TextOutput::Text => out::text(&answer.text())?,
        TextOutput::Json => out::data(&answer.plan, Data::Json)?,
        TextOutput::Yaml => out::data(&answer.plan, Data::Yaml)?,
    }
    strict(args, answer.has_warnings())?;
    Ok(answer.exit(args.detailed_exitcode).into())
}

fn strict(args: &Args, warned: bool) -> Result<(), CliError> {
    if args.source.config.strict && warned {
        return Err(CliError::failed(
            "--strict takes each warning about the configuration as an error",
        ));
    }
    Ok(())
}

/// Whether the paid metrics are read: those of listed variants are, and those of a region of which
/// nothing is known only for whoever asks.
fn reads_metrics(config: &Config, asked: bool) -> bool {
    let discovery = config.discovery.telemetry;
    asked || !config.targets.is_empty() || discovery == DiscoveryTelemetry::Full
}

/// What was left out, and what it would cost.
fn report_price(fleet: &FleetStatus) {
    let variants = fleet.variants.len();
    if variants > 0 {
        let dollars = variants as f64 * METRICS_A_VARIANT * DOLLARS_PER_METRIC;
        noteln!(
            "The configuration lists no variant, so CloudWatch was not read and no capacity is known; \
             --metrics reads it for {} ({}).",
            doctor::amount(dollars),
            counted(variants, "variant", "variants")
        );
    }
}

/// What a month of the daemon would cost, and what to do when the budget does not cover it: `doctor`'s check.
/// Where nothing paid is read, there is nothing to say.
fn report_month(config: &Config, fleet: &FleetStatus) {
    let reads = reads(config, fleet);
    if config.telemetry.budget_dollars_per_month <= 0.0 || reads.is_nothing() {
        return;
    }
    let month = doctor::budget(config, reads, WallClock.now());
    noteln!("CloudWatch, with the daemon: {}.", month.found);
    if let Some(advice) = month.advice {
        noteln!("warning: the month is close to its budget or above it: {advice}");
    }
}

/// How a pass reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// The command's limit; most of it may be used up by history.
    timeout: Timeout,
    /// Whether the paid metrics are read.
    metrics: bool,
}

impl How {
    /// As the configuration says, within the command's limit.
    pub(super) fn of(config: &Config, timeout: Timeout) -> Self {
        Self { timeout, metrics: reads_metrics(config, false) }
    }
}

/// What a command does without the daemon's memory, where that is in Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WithoutMemory {
    /// It says so, and shows what it sees.
    Says,
    /// It ends: a pause would not be heard, and nothing that it writes would be remembered.
    Ends,
}

/// What makes passes over every account and region of the configuration.
///
/// # Errors
/// When there is no way to AWS, or none to the memory for a command that writes.
pub(super) async fn fleet(
    config: &Config,
    timeout: Timeout,
    observer: Arc<dyn CallObserver>,
    without: WithoutMemory,
) -> Result<Fleet, CliError> {
    let aws = compose::connect(config, timeout, observer).await?;
    let memory = match kubernetes::memory_of_the_daemon(config).await {
        Ok(Some(memory)) => memory,
        Ok(None) => compose::memory(config, &aws),
        Err(error) if without == WithoutMemory::Ends => {
            let advice = "run the command in the daemon's pod: kubectl exec POD -- setpoint apply";
            return Err(CliError::failed(format!("{error}; {advice}")));
        }
        Err(error) => {
            noteln!(
                "warning: {error}. What follows does not know of pauses, adoption and earlier writes; --daemon asks \
                 the daemon, which does."
            );
            compose::memory(config, &aws)
        }
    };
    Ok(Fleet::new(aws, Arc::new(WallClock), Arc::new(Alone), memory, CostMeter::default()))
}

/// One pass with everything read.
pub(super) async fn pass(
    fleet: &mut Fleet,
    config: &Config,
    how: How,
    purpose: Purpose<'_>,
    stop: &AtomicBool,
) -> FleetStatus {
    let settings = Settings {
        history_wait: HistoryWait::Until(how.timeout.most_of_it()),
        last_day_first_above: AT_ONCE,
        ..pass_settings(config)
    };
    let freeze = |now| open_freeze(config, now);
    let mut status = fleet
        .pass(PassInput {
            goals: config,
            settings: &settings,
            telemetry: how.metrics,
            refresh: None,
            purpose,
            freeze: Some(&freeze),
            stop,
        })
        .await;
    status.config.warnings = config.warnings(WallClock.now(), Some(&status));
    status.config.warnings.extend(config.memory_place());
    status.prices = Arc::clone(&config.prices);
    status.shard = config.shard();
    status
}

/// Prints a plan.
///
/// # Errors
/// When it cannot be written: what was not shown must not be acted on.
pub(super) fn print(fleet: &FleetStatus, output: TextOutput) -> Result<(), CliError> {
    match output {
        TextOutput::Text => out::text(&render::text(fleet)),
        TextOutput::Json => out::data(&render::json(fleet), Data::Json),
        TextOutput::Yaml => out::data(&render::json(fleet), Data::Yaml),
    }
}
