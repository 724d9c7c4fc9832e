//! `setpoint export`: write the telemetry of a variant in the form that replay reads.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use chrono::TimeDelta;

use super::ask::{DaemonArgs, kept_history, parse_selector as selector};
use super::config_args::{ConfigArgs, init_logs};
use super::deadline::{Bounded, Timeout};
use super::replay::parse_every;
use super::{CliError, compose};
use crate::aws;
use crate::cli::out::noteln;
use crate::config::Config;
use crate::model::goal::Goal;
use crate::model::ids::{
    AccountId, EndpointName, Region, ResourceId, Scope, VariantId, VariantName,
};
use crate::model::scaling::{Activity, ScalingPolicy, TargetTracking};
use crate::model::selector::Selector;
use crate::model::time::{Timestamp, floor_to};
use crate::observe::progress::Progress;
use crate::ports::{Aws, CallObserver, Clock, Metric, MetricQuery};
use crate::replay::columns::Column;
use crate::replay::export::{METRIC_COLUMNS, Telemetry, counts};
use crate::replay::past::targets;
use crate::system::WallClock;

/// The newest minutes are incomplete and never exported.
const INCOMPLETE: TimeDelta = TimeDelta::minutes(3);
/// The longest window: `CloudWatch` keeps one-minute data for 15 days.
const WINDOW_MAX: TimeDelta = TimeDelta::days(15);
/// Minutes in one request, so that a window needs few of them and none is cut short.
const CHUNK: TimeDelta = TimeDelta::days(1);

/// Write the telemetry of a variant in the form that replay reads.
///
/// Reads `CloudWatch`: eight metrics a minute of the window, and twice as many where minutes have
/// fewer than 100 requests. AWS bills each metric requested.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// ENDPOINT/VARIANT, ENDPOINT for its usual variant, or ACCOUNT/REGION/ENDPOINT/VARIANT
    #[arg(value_name = "VARIANT", value_parser = one, required_unless_present = "endpoint")]
    of: Option<Selector>,
    #[command(flatten)]
    config: ConfigArgs,
    /// The account, where `accounts` has several; --region names the region then
    #[arg(long, value_name = "ID")]
    account: Option<AccountId>,
    /// The endpoint, instead of VARIANT
    #[arg(long, value_name = "NAME", conflicts_with = "of")]
    endpoint: Option<EndpointName>,
    /// The variant of --endpoint
    #[arg(long, value_name = "NAME", conflicts_with = "of", default_value = USUAL_VARIANT)]
    variant: VariantName,
    /// How far to look back, at most 15d
    #[arg(long, value_name = "TIME", default_value = "14d", value_parser = parse_every)]
    since: TimeDelta,
    /// The end of the window (RFC 3339); by default the newest complete minute
    #[arg(long, value_name = "INSTANT")]
    until: Option<Timestamp>,
    /// Where to write; standard output by default
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    timeout: Timeout,
}

/// What most variants are called, because SageMaker's console calls them so.
pub(super) const USUAL_VARIANT: &str = "AllTraffic";

/// The one variant to be read, and of which time.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) config: ConfigArgs,
    pub(super) account: Option<AccountId>,
    pub(super) endpoint: EndpointName,
    pub(super) variant: VariantName,
    pub(super) since: TimeDelta,
    pub(super) until: Option<Timestamp>,
    pub(super) timeout: Timeout,
}

/// One variant; of an endpoint alone the one with the usual name.
fn one(text: &str) -> Result<Selector, String> {
    let found = selector(text)?;
    let Some(endpoint) = found.endpoint else {
        return Err(
            "allowed: ENDPOINT/VARIANT, ENDPOINT, ACCOUNT/REGION/ENDPOINT/VARIANT".to_owned()
        );
    };
    let variant = found.variant.or_else(|| VariantName::new(USUAL_VARIANT).ok());
    Ok(Selector { endpoint: Some(endpoint), variant, ..found })
}

impl Args {
    fn wanted(&self) -> Result<Wanted, CliError> {
        let mut config = self.config.clone();
        let of = self.of.clone().unwrap_or_default();
        for (named, flag, what) in [
            (
                of.account_id.as_ref().map(AccountId::as_str),
                self.account.as_ref().map(AccountId::as_str),
                "--account",
            ),
            (of.region.as_ref().map(Region::as_str), config.region.as_deref(), "--region"),
        ] {
            if let (Some(named), Some(flag)) = (named, flag)
                && named != flag
            {
                return Err(CliError::usage(format!(
                    "the variant is of {named}, and {what} says {flag} (leave {what} out)"
                )));
            }
        }
        config.region = config.region.or_else(|| of.region.map(|region| region.to_string()));
        let endpoint = of.endpoint.or_else(|| self.endpoint.clone());
        Ok(Wanted {
            config,
            account: of.account_id.or_else(|| self.account.clone()),
            endpoint: endpoint
                .ok_or_else(|| CliError::usage("name a variant: ENDPOINT/VARIANT"))?,
            variant: of.variant.unwrap_or_else(|| self.variant.clone()),
            since: self.since,
            until: self.until,
            timeout: self.timeout,
        })
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let wanted = args.wanted()?;
    let mut telemetry = fetch(&wanted)?.telemetry;
    fill_past_targets(&wanted, &mut telemetry);
    write(args.out.as_deref(), &telemetry)?;
    noteln!("{} rows", telemetry.len());
    Ok(ExitCode::SUCCESS)
}

/// Fills the target values of the past from setpoint's own history, where there is one, and says what
/// is blank otherwise.
fn fill_past_targets(args: &Wanted, telemetry: &mut Telemetry) {
    let history = (!args.config.config.is_empty()).then(|| {
        let daemon =
            DaemonArgs::new(args.config.config.clone(), None, args.timeout.limit().as_secs());
        let variant = Selector {
            account_id: args.account.clone(),
            region: args.config.region.clone().and_then(|region| Region::new(region).ok()),
            endpoint: Some(args.endpoint.clone()),
            variant: Some(args.variant.clone()),
        };
        kept_history(&daemon, &variant, &format!("{}m", (args.since + WINDOW_MAX).num_minutes()))
    });
    let past = match history {
        Some(Ok(history)) => targets(&history),
        Some(Err(error)) => {
            noteln!("note: configured_target is blank before the newest minute: {error}");
            return;
        }
        None => {
            noteln!(
                "note: configured_target is blank before the newest minute, because AWS does not keep past \
                 values; with --config it comes from the history of setpoint"
            );
            return;
        }
    };
    let first = past.iter().find(|(_, value)| value.is_some()).map(|(at, _)| *at);
    telemetry.targets.splice(0..0, past);
    match first {
        Some(first) => noteln!(
            "note: configured_target is known since {}, and blank where setpoint did not run",
            first.format("%FT%TZ")
        ),
        None => noteln!("note: the history of setpoint has no target value of this window"),
    }
}

/// What AWS has of a variant: its telemetry, and how it is set.
pub(super) struct Recorded {
    pub(super) telemetry: Telemetry,
    pub(super) tracking: Option<TargetTracking>,
    /// Fewest and most instances.
    pub(super) bounds: Option<(i32, i32)>,
    pub(super) instance_type: Option<String>,
    /// The newest scaling activities, newest first.
    pub(super) activities: Vec<Activity>,
    pub(super) goal: Option<Goal>,
    pub(super) prices: Arc<BTreeMap<String, f64>>,
}

/// Reads what AWS has of a variant.
pub(super) fn fetch(args: &Wanted) -> Result<Recorded, CliError> {
    if args.since > WINDOW_MAX {
        return Err(CliError::usage(
            "--since is longer than 15d, for which CloudWatch keeps minutes",
        ));
    }
    let (config, scope) = configuration(args)?;
    let _logs = init_logs(&config.log)?;
    let bounded = Bounded::new(args.timeout)?;
    let progress = Arc::new(Progress::default());
    bounded.follow(Arc::clone(&progress));
    bounded.run(async {
        let aws = connect(&config, args, scope.as_ref(), bounded.observer()).await?;
        let recorded = read(&aws, args, WallClock.now(), &progress).await?;
        let resource =
            ResourceId { endpoint: args.endpoint.clone(), variant: args.variant.clone() };
        let goal = config.goal(&VariantId::new(&aws.scope, &resource));
        let goal = goal.map_err(|error| CliError::usage(error.to_string()))?;
        Ok(Recorded { goal: Some(goal), prices: Arc::clone(&config.prices), ..recorded })
    })?
}

/// The configuration, and which of its accounts and regions is meant if it has several: there
/// `--region` selects, while in any other it sets `aws.region`.
fn configuration(args: &Wanted) -> Result<(Config, Option<Scope>), CliError> {
    let without_region = ConfigArgs { region: None, ..args.config.clone() };
    match without_region.load() {
        Ok(config) if !config.accounts.is_empty() => {
            let region = args.config.region.clone().map(Region::new).transpose();
            let region = region.map_err(|error| CliError::usage(format!("--region: {error}")))?;
            let scope = select(&config.scopes(), args.account.as_ref(), region.as_ref())?;
            Ok((config, Some(scope)))
        }
        _ => Ok((args.config.load()?, None)),
    }
}

/// The one of several accounts and regions that is meant.
fn select(
    scopes: &[Scope],
    account_id: Option<&AccountId>,
    region: Option<&Region>,
) -> Result<Scope, CliError> {
    let is_meant = |scope: &&Scope| {
        account_id.is_none_or(|account_id| *account_id == scope.account_id)
            && region.is_none_or(|region| *region == scope.region)
    };
    let meant: Vec<&Scope> = scopes.iter().filter(is_meant).collect();
    if let [scope] = meant.as_slice() {
        return Ok((*scope).clone());
    }
    let listed = |scopes: &mut dyn Iterator<Item = &Scope>| {
        scopes.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    Err(CliError::usage(if meant.is_empty() {
        let all = listed(&mut scopes.iter());
        format!("no account and region of accounts is meant (it has {all})")
    } else {
        let all = listed(&mut meant.into_iter());
        format!("several are meant: {all} (say which with --account and --region)")
    }))
}

async fn connect(
    config: &Config,
    args: &Wanted,
    scope: Option<&Scope>,
    observer: Arc<dyn CallObserver>,
) -> Result<Aws, CliError> {
    if let Some(scope) = scope {
        return compose::connect_to(config, scope, args.timeout, observer).await;
    }
    let mut settings = compose::settings(config)?;
    args.timeout.bound(&mut settings);
    let aws = aws::connect(&settings, observer)
        .await
        .map_err(|error| CliError::failed(format!("cannot connect to AWS: {error}")))?;
    match &args.account {
        Some(wanted) if *wanted != aws.scope.account_id => Err(CliError::usage(format!(
            "--account {wanted}, and the configuration is of {}",
            aws.scope.account_id
        ))),
        _ => Ok(aws),
    }
}

/// Reads all that the columns need.
async fn read(
    aws: &Aws,
    args: &Wanted,
    now: Timestamp,
    progress: &Progress,
) -> Result<Recorded, CliError> {
    let resource = ResourceId { endpoint: args.endpoint.clone(), variant: args.variant.clone() };
    let newest = now - INCOMPLETE;
    let until = floor_to(args.until.map_or(newest, |until| until.min(newest)), 900);
    let from = floor_to(until - args.since, 900);
    let mut telemetry = Telemetry::default();
    read_period(aws, &resource, 60, (from, until), &mut telemetry, progress).await?;
    if telemetry.is_empty() || telemetry.has_thin_minutes() {
        for period in [300, 900] {
            read_period(aws, &resource, period, (from, until), &mut telemetry, progress).await?;
        }
    }
    if telemetry.is_empty() {
        return Err(CliError::failed(format!("CloudWatch has no datapoint of {resource}")));
    }
    let failed = |e: crate::ports::PortError| CliError::failed(e.to_string());
    let mut instance_type = None;
    if let Some(endpoint) = aws.endpoints.endpoint(&args.endpoint).await.map_err(failed)? {
        let name = endpoint.config_name;
        let config = aws.endpoints.endpoint_config(&name).await.map_err(failed)?;
        let variant = config.as_ref().and_then(|config| config.variant(&args.variant));
        instance_type = variant.and_then(|variant| variant.instance_type.clone());
        telemetry.endpoint_config = config.map(|config| (name, config.created_at));
    }
    let policies = aws.scaling.scaling_policies(Some(&resource)).await.map_err(failed)?;
    let tracking = policies.iter().find_map(ScalingPolicy::invocations_tracking).cloned();
    if let Some(tracking) = &tracking {
        // AWS does not keep the past values.
        telemetry.targets.extend(telemetry.newest().map(|at| (at, Some(tracking.target_value))));
    }
    let activities = aws.scaling.scaling_activities(&resource).await.map_err(failed)?;
    telemetry.counts = counts(&activities);
    let targets = aws.scaling.scalable_targets(Some(std::slice::from_ref(&resource))).await;
    let bounds = targets.map_err(failed)?.first().map(|t| (t.min_capacity, t.max_capacity));
    telemetry.bounds = bounds;
    let (goal, prices) = (None, Arc::default());
    Ok(Recorded { telemetry, tracking, bounds, instance_type, activities, goal, prices })
}

async fn read_period(
    aws: &Aws,
    resource: &ResourceId,
    period_seconds: u32,
    (from, until): (Timestamp, Timestamp),
    telemetry: &mut Telemetry,
    progress: &Progress,
) -> Result<(), CliError> {
    let columns = METRIC_COLUMNS.into_iter().filter_map(|c| Some((c, metric(c)?)));
    let (columns, queries): (Vec<Column>, Vec<MetricQuery>) = columns
        .map(|(c, metric)| (c, MetricQuery { resource: resource.clone(), metric, period_seconds }))
        .unzip();
    let days = (until - from).num_minutes().max(0) as usize;
    progress.days.expect(days.div_ceil(CHUNK.num_minutes() as usize));
    let mut begin = from;
    while begin < until {
        let end = (begin + CHUNK).min(until);
        let answers = aws.metrics.metric_data(&queries, begin, end).await;
        for (column, answer) in columns.iter().zip(answers) {
            let points = answer.map_err(|why| CliError::failed(why.message))?;
            telemetry.add(*column, period_seconds, &points.iter().collect::<Vec<_>>());
        }
        progress.days.done();
        begin = end;
    }
    Ok(())
}

/// The metric whose datapoints a column holds.
const fn metric(column: Column) -> Option<Metric> {
    match column {
        Column::Invocations => Some(Metric::Invocations),
        Column::InvocationsPerInstance => Some(Metric::InvocationsPerInstance),
        Column::Latency(statistic) => Some(Metric::ModelLatency(statistic)),
        Column::Errors5xx => Some(Metric::Invocation5xxErrors),
        _ => None,
    }
}

fn write(out: Option<&Path>, telemetry: &Telemetry) -> Result<(), CliError> {
    let csv = telemetry.to_csv();
    match out {
        Some(path) => std::fs::write(path, csv)
            .map_err(|e| CliError::failed(format!("cannot write {}: {e}", path.display()))),
        None => match std::io::stdout().lock().write_all(csv.as_bytes()) {
            Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(CliError::failed(format!("cannot write the output: {e}")))
            }
            _ => Ok(()),
        },
    }
}
