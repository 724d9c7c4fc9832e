//! Tests of `metrics`.

#![expect(clippy::unwrap_used, reason = "a test without its registry has failed")]

mod promtool;
mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use expect_test::{expect, expect_file};
use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus::Registry;
use setpoint::metrics::definition::Definition;
use setpoint::metrics::process_families::PHASES;
use setpoint::metrics::{
    DEFAULT_PER_VARIANT_LIMIT, Metrics, PassKind, PassResult, Shown, StatusSource, reference, text,
};
use setpoint::model::decision::{Outcome, StepOutcome, StepResult};
use setpoint::model::estimate::Finding;
use setpoint::model::evidence::{EvidenceStatus, NotResumed};
use setpoint::model::fact::Fact;
use setpoint::model::goal::LoadTestProblem;
use setpoint::model::minutes::Minutes;
use setpoint::model::reaction::Spread;
use setpoint::model::scale_out::{Parts, Reaction};
use setpoint::model::spending::Saving;
use setpoint::model::status::{FleetStatus, StoreStatus};
use setpoint::model::warning::{ConfigStatus, HeldReload};
use setpoint::ports::{CallObserver, CallRecord, ErrorKind, NoCode, Service};
use setpoint::reconcile::Phase;

use crate::fixtures;

/// Publishes what a test puts into it.
#[derive(Default)]
pub(crate) struct Published(Mutex<Arc<FleetStatus>>);

impl Published {
    pub(crate) fn new(fleet: FleetStatus) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Arc::new(fleet))))
    }

    pub(crate) fn publish(&self, fleet: FleetStatus) {
        *self.0.lock().unwrap() = Arc::new(fleet);
    }
}

impl StatusSource for Published {
    fn fleet(&self) -> Arc<FleetStatus> {
        self.0.lock().unwrap().clone()
    }
}

fn metrics_over(fleet: FleetStatus, limit: usize) -> (Metrics, Arc<Published>) {
    let source = Published::new(fleet);
    (Metrics::register(Registry::new(), source.clone(), Shown::up_to(limit)).unwrap(), source)
}

/// The sample lines of a scrape that contain `part`, sorted.
fn lines(metrics: &Metrics, part: &str) -> String {
    let scrape = text(metrics).unwrap();
    let lines = scrape.lines().filter(|line| !line.starts_with('#') && line.contains(part));
    // The labels of the variant are the same in all of them.
    let short = |line: &str| {
        line.replace("account_id=\"123456789012\",region=\"us-east-1\",", "")
            .replace(",variant=\"AllTraffic\"", "")
    };
    let mut lines: Vec<String> = lines.map(short).map(|line| line + "\n").collect();
    lines.sort();
    lines.concat()
}

#[test]
fn one_variant_has_exactly_these_series() {
    let (metrics, _) = metrics_over(fixtures::fleet(vec![fixtures::drifted("fraud")]), 2000);
    expect_file!["golden/metrics_of_a_variant.txt"].assert_eq(&lines(&metrics, "endpoint=\""));
}

#[test]
fn a_variant_without_traffic_was_read_all_the_same() {
    let mut status = fixtures::in_sync("idle");
    let Fact::Known(telemetry) = &mut status.snapshot.telemetry else { panic!("it is known") };
    telemetry.newest_datapoint = None;
    telemetry.recent = Minutes::default();
    let (metrics, _) = metrics_over(fixtures::fleet(vec![status]), 2000);
    assert_eq!(lines(&metrics, "setpoint_newest_datapoint"), "");
    let read = lines(&metrics, "setpoint_telemetry_read");
    // Five minutes before noon.
    let expected = "setpoint_telemetry_read_timestamp_seconds{endpoint=\"idle\"} 1795434900\n";
    assert_eq!(read, expected);
}

#[test]
fn a_number_that_does_not_exist_is_an_absent_series() {
    let fleet = fixtures::fleet(vec![fixtures::not_comparable("payments")]);
    let (metrics, _) = metrics_over(fleet, 2000);
    for family in [
        "setpoint_configured_target",
        "setpoint_safe_target",
        "setpoint_capacity_invocations",
        "setpoint_target_divergence",
        "setpoint_divergence",
        "setpoint_speed_ratio",
        "setpoint_observed",
        "setpoint_instances_wanted",
        "field=\"target_value\"",
        "setpoint_competing_policies",
        "setpoint_alarm_state",
        "setpoint_newest_datapoint",
        "setpoint_telemetry_read",
    ] {
        assert_eq!(lines(&metrics, family), "", "{family} must be absent");
    }
    expect![[r#"
        setpoint_comparable{endpoint="payments"} 0
    "#]]
    .assert_eq(&lines(&metrics, "setpoint_comparable"));
    assert!(!text(&metrics).unwrap().contains("NaN"));
}

#[test]
fn not_a_number_is_an_absent_series_too() {
    let mut status = fixtures::in_sync("a");
    status.decision.report.divergence = Some(f64::NAN);
    status.decision.report.safe_target = Some(f64::INFINITY);
    let (metrics, _) = metrics_over(fixtures::fleet(vec![status]), 2000);
    assert_eq!(lines(&metrics, "divergence_ratio"), "");
    assert_eq!(lines(&metrics, "setpoint_safe_target"), "");
}

#[test]
fn a_load_test_is_valid_or_not_or_nobody_knows() {
    let valid = |problem| {
        let mut status = fixtures::in_sync("a");
        status.decision.report.load_test_problem = problem;
        let (metrics, _) = metrics_over(fixtures::fleet(vec![status]), 2000);
        lines(&metrics, "load_test_valid")
    };
    assert!(valid(None).ends_with(" 1\n"));
    assert!(valid(Some(LoadTestProblem::Expired)).ends_with(" 0\n"));
    assert_eq!(valid(Some(LoadTestProblem::CouldNotCompare)), "");
}

#[test]
fn an_account_and_region_is_there_without_a_variant() {
    let (metrics, source) = metrics_over(FleetStatus::default(), 2000);
    let scrape = || text(&metrics).unwrap();
    let beside = || {
        let scrape = scrape();
        let ours = |line: &&str| {
            line.starts_with("setpoint_scope_") || line.starts_with("setpoint_memory_")
        };
        scrape.lines().filter(ours).map(|line| line.to_owned() + "\n").collect::<String>()
    };
    assert_eq!(beside(), "", "nothing is known before the first pass");
    source.publish(fixtures::blind_fleet());
    expect![[r#"
        setpoint_memory_readable 0
        setpoint_memory_writable 0
        setpoint_scope_readable{account_id="123456789012",region="us-east-1"} 0
        setpoint_scope_undescribed_endpoints{account_id="123456789012",region="us-east-1"} 0
    "#]]
    .assert_eq(&beside());
    source.publish(fixtures::mixed_fleet());
    expect![[r#"
        setpoint_memory_last_saved_timestamp_seconds 1795435200
        setpoint_memory_readable 1
        setpoint_memory_writable 1
        setpoint_scope_last_listing_timestamp_seconds{account_id="123456789012",region="us-east-1"} 1795435200
        setpoint_scope_readable{account_id="123456789012",region="us-east-1"} 1
        setpoint_scope_undescribed_endpoints{account_id="123456789012",region="us-east-1"} 0
    "#]]
    .assert_eq(&beside());
}

#[test]
fn findings_are_zero_only_while_somebody_can_judge() {
    let mut status = fixtures::unlisted("sandbox");
    let (metrics, source) = metrics_over(fixtures::fleet(vec![status.clone()]), 2000);
    assert_eq!(lines(&metrics, "setpoint_divergence{"), "");
    status.decision.report.estimate.findings = vec![Finding::LoadTestExpired];
    source.publish(fixtures::fleet(vec![status]));
    expect![[r#"
        setpoint_divergence{endpoint="sandbox",finding="load_test_expired"} 1
    "#]]
    .assert_eq(&lines(&metrics, "setpoint_divergence{"));
}

#[test]
fn series_go_away_with_their_variant() {
    let (metrics, source) = metrics_over(fixtures::mixed_fleet(), 2000);
    assert!(!lines(&metrics, "endpoint=\"ads\"").is_empty());
    source.publish(fixtures::fleet(vec![fixtures::in_sync("search-ranker")]));
    assert_eq!(lines(&metrics, "endpoint=\"ads\""), "");
    assert!(!lines(&metrics, "endpoint=\"search-ranker\"").is_empty());
    source.publish(FleetStatus::default());
    assert_eq!(lines(&metrics, "endpoint="), "");
}

#[test]
fn decisions_and_writes_are_counted() {
    let (metrics, _) = metrics_over(FleetStatus::default(), 2000);
    let pair = "setpoint_decisions_total{action=\"set_target\",reason=\"drift\"}";
    assert_eq!(lines(&metrics, pair), format!("{pair} 0\n"));
    metrics.process.decided(&fixtures::drifted("a").decision);
    assert_eq!(lines(&metrics, pair), format!("{pair} 1\n"));

    let step = |operation, result| StepOutcome { result, ..StepOutcome::success(operation, "") };
    metrics.process.acted(&Outcome {
        steps: vec![
            step("RegisterScalableTarget", StepResult::Success),
            step("PutScalingPolicy", StepResult::ReadBackDiffers),
            step("PutScalingPolicy", StepResult::Error),
        ],
    });
    expect![[r#"
        setpoint_writes_total{operation="PutScalingPolicy",result="error"} 1
        setpoint_writes_total{operation="PutScalingPolicy",result="skipped"} 0
        setpoint_writes_total{operation="PutScalingPolicy",result="success"} 1
        setpoint_writes_total{operation="PutScheduledAction",result="error"} 0
        setpoint_writes_total{operation="PutScheduledAction",result="skipped"} 0
        setpoint_writes_total{operation="PutScheduledAction",result="success"} 0
        setpoint_writes_total{operation="RegisterScalableTarget",result="error"} 0
        setpoint_writes_total{operation="RegisterScalableTarget",result="skipped"} 0
        setpoint_writes_total{operation="RegisterScalableTarget",result="success"} 1
    "#]]
    .assert_eq(&lines(&metrics, "setpoint_writes_total"));
}

fn call(error_code: &str, error: Option<ErrorKind>, metrics_requested: u64) -> CallRecord {
    CallRecord {
        scope: fixtures::scope(),
        service: Service::CloudWatch,
        operation: "GetMetricData",
        status_code: if error.is_some() { 400 } else { 200 },
        error_code: error_code.to_owned(),
        error,
        duration: Duration::from_millis(120),
        retries: 2,
        metrics_requested,
    }
}

/// Counts and sums of calls; how they spread is the library's business.
fn calls_without_buckets(metrics: &Metrics) -> String {
    let all = lines(metrics, "setpoint_aws_call");
    let parts = ["_bucket", "_count", "duration"];
    all.split_inclusive('\n').filter(|line| !parts.iter().any(|part| line.contains(part))).collect()
}

#[test]
fn calls_and_their_cost_are_counted() {
    let (metrics, _) = metrics_over(FleetStatus::default(), 2000);
    metrics.calls.expect_scope(&fixtures::scope());
    let cost = || lines(&metrics, "setpoint_cloudwatch_cost_dollars_total");
    assert!(cost().ends_with(" 0\n"), "the cost is shown at zero: {}", cost());
    metrics.calls.called(&call("", None, 2500));
    metrics.calls.called(&call("Throttling", Some(ErrorKind::Throttled), 0));
    metrics.calls.called(&call("AccessDenied", Some(ErrorKind::Denied), 0));
    expect![[r#"
        setpoint_aws_call_permission_errors_total{error_code="AccessDenied",operation="GetMetricData",service="cloudwatch"} 1
        setpoint_aws_call_retries_sum{operation="GetMetricData",service="cloudwatch"} 6
        setpoint_aws_call_throttled_errors_total{error_code="Throttling",operation="GetMetricData",service="cloudwatch"} 1
        setpoint_aws_calls_total{error_code="",operation="GetMetricData",service="cloudwatch",status_code="200"} 1
        setpoint_aws_calls_total{error_code="AccessDenied",operation="GetMetricData",service="cloudwatch",status_code="400"} 1
        setpoint_aws_calls_total{error_code="Throttling",operation="GetMetricData",service="cloudwatch",status_code="400"} 1
    "#]]
    .assert_eq(
&calls_without_buckets(&metrics));
    // 2,500 metrics at 0.01 USD a thousand.
    assert!(cost().ends_with(" 0.025\n"), "{}", cost());
    assert!(lines(&metrics, "metrics_requested_total").ends_with(" 2500\n"));
}

#[test]
fn the_error_code_of_a_failed_call_is_never_empty() {
    let (metrics, _) = metrics_over(FleetStatus::default(), 2000);
    // Even when a port forgets it.
    metrics.calls.called(&call("", Some(ErrorKind::Transient), 0));
    metrics.calls.called(&call("", None, 0));
    for n in 0..500 {
        metrics.calls.called(&call(&format!("Code{n}"), Some(ErrorKind::Invalid), 0));
    }
    // Our own words are not lost among invented codes.
    metrics.calls.called(&call("dispatch_failure", Some(ErrorKind::Transient), 0));
    let codes = lines(&metrics, "setpoint_aws_calls_total");
    assert!(codes.contains("error_code=\"dispatch_failure\""), "{codes}");
    assert!(codes.contains("error_code=\"no_code\""), "{codes}");
    let empty: Vec<&str> = codes.lines().filter(|l| l.contains("error_code=\"\"")).collect();
    assert!(empty.len() == 1 && empty[0].contains("status_code=\"200\""), "{empty:?}");
    let page = reference::markdown();
    for word in NoCode::ALL {
        assert!(page.contains(word.as_str()), "{word:?} is not documented");
    }
}

#[test]
fn invented_error_codes_cannot_fill_the_memory() {
    let (metrics, _) = metrics_over(FleetStatus::default(), 2000);
    for n in 0..500 {
        metrics.calls.called(&call(&format!("Code{n}"), Some(ErrorKind::Invalid), 0));
    }
    assert_eq!(lines(&metrics, "setpoint_aws_calls_total").lines().count(), 65);
    assert!(lines(&metrics, "error_code=\"other\"").ends_with(" 436\n"));
}

#[test]
fn passes_reloads_leadership_and_the_budget_show() {
    let (metrics, _) = metrics_over(FleetStatus::default(), 2000);
    let process = &metrics.process;
    assert_eq!(lines(&metrics, "budget_dollars"), "", "no budget is no series");
    process.set_budget(Some(40.0));
    process.set_budget(Some(25.0));
    let budget = lines(&metrics, "budget_dollars");
    assert_eq!(budget, "setpoint_cloudwatch_budget_dollars{shard=\"0\"} 25\n");
    process.set_budget(None);
    assert_eq!(lines(&metrics, "budget_dollars"), "");

    process.set_month_cost(0.25, Saving::Unlisted);
    let cost = lines(&metrics, "month_cost");
    assert_eq!(cost, "setpoint_cloudwatch_month_cost_dollars{shard=\"0\"} 0.25\n");

    assert_eq!(lines(&metrics, "setpoint_config_last"), "", "nothing was loaded yet");
    process.config_loaded(Some(fixtures::noon()));
    process.config_loaded(None);
    let held = HeldReload {
        plan_id: "config-1".to_owned(),
        dropped: 12,
        of: 12,
        limit: 3,
        examples: vec!["a/AllTraffic".to_owned()],
        since: fixtures::noon(),
    };
    let status = ConfigStatus { held: Some(held), ..ConfigStatus::default() };
    process.set_config(12, &status);
    assert!(lines(&metrics, "setpoint_config_drops_targets").ends_with(" 12\n"));
    assert!(lines(&metrics, "setpoint_config_targets").ends_with(" 12\n"));
    process.set_config(12, &ConfigStatus::default());
    assert!(lines(&metrics, "setpoint_config_drops_targets").ends_with(" 0\n"));
    expect![[r"
        setpoint_config_last_reload_success_timestamp_seconds 1795435200
        setpoint_config_last_reload_successful 0
    "]]
    .assert_eq(&lines(&metrics, "setpoint_config_last_reload"));

    process.set_leader(true);
    assert!(lines(&metrics, "leader_election_master_status").ends_with(" 1\n"));
    let passes = || lines(&metrics, "setpoint_passes_total");
    assert_eq!(passes().lines().count(), 9, "all of them are there from the start: {}", passes());
    process.pass_ended(PassKind::Describe, PassResult::Error);
    process.pass_ended(PassKind::Asked, PassResult::Success);
    assert_eq!(PHASES, Phase::ALL.map(Phase::as_str));
    for phase in Phase::ALL {
        process.phase_took(phase.as_str(), Duration::from_secs(1));
    }
    let counted: String = passes()
        .lines()
        .filter(|line| !line.ends_with(" 0"))
        .map(|l| l.to_owned() + "\n")
        .collect();
    expect![[r#"
        setpoint_passes_total{kind="asked",result="success"} 1
        setpoint_passes_total{kind="describe",result="error"} 1
    "#]]
    .assert_eq(&counted);
    expect![[r#"
        setpoint_pass_duration_seconds_count{phase="act"} 1
        setpoint_pass_duration_seconds_count{phase="decide"} 1
        setpoint_pass_duration_seconds_count{phase="observe"} 1
        setpoint_pass_duration_seconds_count{phase="remember"} 1
    "#]]
    .assert_eq(&lines(&metrics, "setpoint_pass_duration_seconds_count"));
}

#[test]
fn a_thousand_variants_fit_into_300_kilobytes_on_the_wire() {
    let kinds = [fixtures::in_sync, fixtures::drifted, fixtures::held, fixtures::not_comparable];
    let statuses = (0..1000).map(|n| kinds[n % kinds.len()](&format!("endpoint-{n}")));
    let (metrics, _) = metrics_over(fixtures::fleet(statuses.collect()), DEFAULT_PER_VARIANT_LIMIT);
    let scrape = text(&metrics).unwrap();
    // As /metrics compresses it.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(scrape.as_bytes()).unwrap();
    let (sent, whole) = (encoder.finish().unwrap().len(), scrape.len());
    assert!(sent < 300_000, "{sent} of {whole} bytes");
}

#[test]
fn the_reference_page_is_up_to_date() {
    expect_file!["../../docs/metrics.md"].assert_eq(&reference::markdown());
}

/// A registry in which every defined family has a series.
fn everything() -> Metrics {
    let mut fleet = fixtures::mixed_fleet();
    if let Some(status) = fleet.variants.values_mut().next() {
        let seen = Parts { alarm: Some(Spread::exactly(5.0)), ..Parts::default() };
        let snapshot = &mut Arc::make_mut(status).snapshot;
        *snapshot.reaction = Reaction { seen, joins_watched: 1, ..Reaction::unseen(None) };
        crate::floors::of_the_week(snapshot);
        fixtures::probe(Arc::make_mut(status));
        fixtures::one_by_one(Arc::make_mut(status));
    }
    let mut suspended = fixtures::in_sync("suspended");
    if let Fact::Known(Some(target)) = &mut *suspended.snapshot.target {
        target.suspended.scale_in = true;
    }
    let suspended = fixtures::decided_again(suspended);
    fleet.variants.insert(suspended.snapshot.id.clone(), Arc::new(suspended));
    fleet.history = Some(StoreStatus {
        path: Some("history.redb".into()),
        last_saved: fleet.at,
        size_bytes: Some(1),
        ..StoreStatus::default()
    });
    fleet.evidence = Some(EvidenceStatus {
        resumed: 4,
        dropped: [(NotResumed::Deploy.as_str(), 1)].into(),
        kept: 5,
        last_kept: fleet.at,
        trouble: None,
    });
    let (metrics, _) = metrics_over(fleet, DEFAULT_PER_VARIANT_LIMIT);
    metrics.process.set_budget(Some(25.0));
    metrics.process.config_loaded(Some(fixtures::noon()));
    metrics.process.set_last_pass(Some(std::time::Instant::now()));
    metrics.process.set_config(6, &ConfigStatus::default());
    let listed = call("", None, 5);
    metrics.calls.called(&listed);
    metrics.calls.skipped(&listed.scope, listed.service, listed.operation, 1);
    metrics.calls.called(&call("Throttling", Some(ErrorKind::Throttled), 0));
    metrics.calls.called(&call("AccessDenied", Some(ErrorKind::Denied), 0));
    metrics
}

/// The names of the labels of a series.
fn label_names(series: &str) -> BTreeSet<&str> {
    let labels = series.split_once('{').map_or("", |(_, rest)| rest.trim_end_matches('}'));
    labels.split(',').filter_map(|label| Some(label.split_once('=')?.0)).collect()
}

#[test]
fn a_scrape_holds_what_the_reference_lists_and_nothing_else() {
    let defined: BTreeMap<&str, &Definition> = reference::all().map(|d| (d.name, d)).collect();
    assert_eq!(defined.len(), reference::all().count(), "two definitions share a name");
    let scrape = text(&everything()).unwrap();
    let mut seen = BTreeSet::new();
    let mut family: Option<&Definition> = None;
    let mut series = 0;
    for line in scrape.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(series > 0 || family.is_none(), "{family:?} has no series");
            (family, series) = (Some(defined[name]), 0);
            assert_eq!(help, defined[name].help);
            assert!(seen.insert(name), "{name} stands in two places");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let family = family.unwrap();
            assert_eq!(rest, format!("{} {}", family.name, family.kind.as_str()));
        } else {
            let family = family.unwrap();
            let (name, _) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with(family.name), "{name} is not of {}", family.name);
            let mut labels = label_names(name);
            labels.remove("le");
            assert_eq!(labels, family.label_names().into_iter().collect(), "{line}");
            series += 1;
        }
    }
    assert_eq!(seen, defined.keys().copied().collect::<BTreeSet<_>>());
}

#[test]
fn no_series_appears_twice() {
    let mut status = fixtures::drifted("a");
    let fields = &mut status.decision.report.fields;
    let repeated = fields[0].clone();
    fields.push(repeated);
    let Fact::Known(alarms) = &mut *status.snapshot.alarms else { panic!("alarms are known") };
    alarms.push(alarms[0].clone());
    let (metrics, _) = metrics_over(fixtures::fleet(vec![status]), 2000);
    let scrape = text(&metrics).unwrap();
    let series: Vec<&str> = scrape
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' ').map(|(series, _)| series))
        .collect();
    assert_eq!(series.len(), series.iter().collect::<BTreeSet<_>>().len());
}
