//! `setpoint audit`: what is wrong in an account that nobody has configured.

pub(super) mod telemetry;

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use futures::{StreamExt, stream};

use self::telemetry::Reading;
use super::CliError;
use super::config_args::ConfigArgs;
use super::deadline::{Bounded, Timeout};
use super::exit::Exit;
use super::survey::{Survey, survey};
use crate::audit::{self, Audit, Severity};
use crate::cli::out::{self, Data, TableOutput, noteln, outln};
use crate::config::Config;
use crate::model::ids::VariantId;
use crate::model::scaling::{AlarmSide, AlarmState};
use crate::model::status::VariantStatus;
use crate::ports::Aws;
use crate::render::trouble::what_is_missing;

/// Of so many variants the scaling activities are read: each is a call of its own, and the budget of
/// a region is 2 a second.
const ACTIVITIES_MAX: usize = 50;
/// Calls under way at once.
const CONCURRENCY: usize = 4;

/// Report what is wrong with the scaling of every variant, worst first, without a configuration.
/// Only free calls are made, unless `--telemetry` asks for more, and nothing is written.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 done, 3 an account and region could not be read, 1 failed, 64 usage; with \
                  --detailed-exitcode also 2 something of high or medium severity was found, 3 a \
                  variant could not be judged."
)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = TableOutput::Table)]
    output: TableOutput,
    /// Report findings in the exit code (see below)
    #[arg(long)]
    detailed_exitcode: bool,
    /// Also read CloudWatch, which costs money, and say whether target values are within capacity, by
    /// latency objectives that are guessed; the price is stated first
    #[arg(long)]
    telemetry: bool,
    /// Do not ask before `--telemetry` reads what it has priced
    #[arg(short, long, requires = "telemetry")]
    yes: bool,
    #[command(flatten)]
    timeout: Timeout,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let (config, _logs) = args.config.load_with_logs()?;
    let nobody = Config::from_yaml("").map_err(|errors| CliError::failed(errors.to_string()))?;
    let bounded = Bounded::new(args.timeout)?;
    let seen = bounded.run(async {
        let mut seen = survey(&config, &nobody, args.timeout, bounded.observer()).await?;
        read_activities(&mut seen).await;
        Ok::<_, CliError>(seen)
    })??;
    let mut audit = Audit::of(&seen.fleet);
    if args.telemetry
        && let Some(priced) =
            telemetry::consented(&config, &seen, Reading::GuessAndJudge, args.yes)?
    {
        let judging = telemetry::judged(&config, &nobody, &seen, args.timeout, &bounded, priced);
        audit = audit.with_guessed(bounded.run(judging)?);
    }
    let scopes_are_read = Exit::of_reads(&seen.fleet) == Exit::Done;
    match args.output {
        TableOutput::Json => out::data(&audit::json(&audit, &seen.fleet), Data::Json)?,
        TableOutput::Yaml => out::data(&audit::json(&audit, &seen.fleet), Data::Yaml)?,
        TableOutput::Table => {
            out::text(&audit::text(&audit, seen.fleet.scopes.len() > 1, out::width()))?;
            // Of an account that could not be read, or not whole, it is not known that it is empty.
            if audit.variants > 0 || scopes_are_read {
                outln!("Next: {}", next(args, &audit));
            }
        }
    }
    for sentence in what_is_missing(&seen.fleet) {
        noteln!("warning: {sentence}");
    }
    Ok(exit_of(args, &seen, &audit).into())
}

fn exit_of(args: &Args, seen: &Survey, audit: &Audit) -> Exit {
    let scopes = Exit::of_reads(&seen.fleet);
    if !args.detailed_exitcode {
        return scopes;
    }
    let judged = if audit.unread.is_empty() { Exit::Done } else { Exit::NotCompared };
    let bad = audit.count(Severity::High) + audit.count(Severity::Medium) > 0;
    Exit::worst([scopes, judged, if bad { Exit::Differs } else { Exit::Done }])
}

/// The scaling activities of the variants that most likely have something to tell.
async fn read_activities(seen: &mut Survey) {
    let mut asked: Vec<(&VariantId, &Arc<VariantStatus>)> =
        seen.fleet.variants.iter().filter(|(_, status)| has_policy(status)).collect();
    asked.sort_by_key(|(_, status)| Reverse(interest(status)));
    let ids: Vec<VariantId> =
        asked.into_iter().take(ACTIVITIES_MAX).map(|(id, _)| id.clone()).collect();
    let of = |id: &VariantId| seen.aws.iter().find(|aws| aws.scope == id.scope());
    let calls: Vec<(VariantId, &Aws)> =
        ids.into_iter().filter_map(|id| Some((id.clone(), of(&id)?))).collect();
    let read: Vec<_> = stream::iter(calls)
        .map(|(id, aws)| async {
            let activities = aws.scaling.scaling_activities(&id.resource()).await;
            (id, activities)
        })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    for (id, activities) in read {
        if let Some(status) = seen.fleet.variants.get_mut(&id) {
            *status = Arc::new(audit::with_activities(status, activities.into()));
        }
    }
}

fn has_policy(status: &VariantStatus) -> bool {
    status.snapshot.policies.known().is_some_and(|policies| !policies.is_empty())
}

/// Whether its alarm rings, then how many instances it runs.
fn interest(status: &VariantStatus) -> (bool, u32) {
    let snapshot = &status.snapshot;
    let alarms = snapshot.alarms.known().map_or(&[][..], Vec::as_slice);
    let rings = alarms
        .iter()
        .any(|alarm| alarm.side() == Some(AlarmSide::High) && alarm.state == AlarmState::Alarm);
    let endpoint = snapshot.endpoint.known().and_then(Option::as_ref);
    let variant = endpoint.and_then(|endpoint| endpoint.variant(&snapshot.id.variant));
    (rings, variant.and_then(|variant| variant.current_instances).unwrap_or_default())
}

/// The command to type next.
fn next(args: &Args, audit: &Audit) -> String {
    if audit.variants == 0 {
        return format!(
            "{} --help (no endpoints here: is it the right account and region?)",
            "setpoint audit"
        );
    }
    let mut command = "setpoint import --out setpoint.yaml".to_owned();
    if args.telemetry {
        command.push_str(" --telemetry");
    }
    for path in args.config.config.iter().filter(|path| !path.as_os_str().is_empty()) {
        let _ = write!(command, " --config {}", path.display());
    }
    for (flag, value) in
        [("--region", &args.config.region), ("--endpoint-url", &args.config.endpoint_url)]
    {
        if let Some(value) = value {
            let _ = write!(command, " {flag} {value}");
        }
    }
    format!("{command}   (a configuration of what is there, to correct and to plan with)")
}
