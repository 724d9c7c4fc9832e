//! The bar of `replay`: on an export of what the daemon did it decides what the daemon decided, at the
//! same minutes, through restarts and a person's edit.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use setpoint::config::Config;
use setpoint::memory::ProcessMemory;
use setpoint::model::ids::ResourceId;
use setpoint::model::reason::{ActionKind, Reason};
use setpoint::model::scaling::{Activity, ScalingPolicy};
use setpoint::model::time::Timestamp;
use setpoint::model::units::LatencyStatistic;
use setpoint::ports::{Aws, Leadership, Metric, MetricQuery};
use setpoint::reconcile::{CostMeter, Fleet, Goals};
use setpoint::replay::columns::Column;
use setpoint::replay::export::{METRIC_COLUMNS, Telemetry, counts};
use setpoint::replay::{ReplaySettings, csv, replay};
use setpoint::sim::{Scenario, SimClock};

use crate::harness;

/// A target far above what one instance serves, and bursts that show where that is.
const WORLD: &str = "
world: {seed: 11}
history_days: 14
endpoints:
  - name: scorer
    variants:
      - instances: 4
        target: {min: 1, max: 20, policy: {target_value: 1200, scale_out_cooldown: 60, scale_in_cooldown: 300}}
        load:
          service: {family: {worker_queue: {workers: 4}}, base_ms: 50, saturation: 1100}
          objective: {statistic: p99, threshold_ms: 250}
          traffic: [{diurnal: {low: 1500, high: 3600, peak_hour: 18}}, {bursts: {per_day: 8, rate: 3000, minutes: 8}}]
";

const CONFIG: &str = "
aws: {region: us-east-1, account_id: '123456789012'}
defaults: {mode: auto, adopt: true, objective: {latency: {statistic: p99, threshold_ms: 250}}}
targets: [{endpoint: '*', variant: '*', load_test: {max_rps: 15}}]
";

/// Minutes of the run.
const MINUTES: i64 = 2 * 1440;
/// A new process takes over so often, in minutes: at no round time.
const RESTART_EVERY: i64 = 443;
/// When a person edits the target value, in minutes, and to what.
const EDITED: (i64, f64) = (1440 + 17, 2500.0);

struct Leads;

impl Leadership for Leads {
    fn may_write(&self) -> bool {
        true
    }
}

/// What was decided: when, what, the value in force afterwards, and why.
type Line = (Timestamp, ActionKind, Option<f64>, Reason);

struct Recorded {
    decided: Vec<Line>,
    csv: String,
    settings: ReplaySettings,
}

async fn target_value(aws: &Aws, resource: &ResourceId) -> f64 {
    let policies = aws.scaling.scaling_policies(Some(resource)).await.unwrap();
    policies.iter().find_map(ScalingPolicy::invocations_tracking).unwrap().target_value
}

/// Lets the daemon run in a closed loop, and exports what happened.
async fn record() -> Recorded {
    let sim = Scenario::parse(WORLD, "the world").unwrap().build().unwrap();
    let scope = crate::harness::scope();
    let aws = setpoint::sim::aws(&sim, scope.clone());
    let resource: ResourceId = "endpoint/scorer/variant/AllTraffic".parse().unwrap();
    let memory = Arc::new(ProcessMemory::default());
    let fleet = || {
        let clock = Arc::new(SimClock::self_driven(sim.clone()));
        let (aws, memory) = (vec![aws.clone()], Arc::clone(&memory));
        Fleet::new(aws, clock, Arc::new(Leads), memory, CostMeter::default())
    };
    let config = Config::from_yaml(CONFIG).unwrap();
    let (start, mut running) = (sim.now(), fleet());
    let (mut decided, mut targets) = (Vec::new(), Vec::new());
    // AWS lists the newest 50: whoever wants all of them exports often.
    let mut activities: BTreeMap<String, Activity> = BTreeMap::new();
    for minute in 1..=MINUTES {
        let now = start + TimeDelta::minutes(minute);
        if minute == EDITED.0 {
            sim.run_until(now - TimeDelta::seconds(30));
            let edit = serde_json::json!({"edit_policy": {
                "variant": "scorer/AllTraffic", "target_value": EDITED.1}});
            sim.with_world(|world| world.change(&serde_json::from_value(edit).unwrap())).unwrap();
        }
        sim.run_until(now);
        if minute % RESTART_EVERY == 0 {
            running = fleet();
        }
        if minute % 60 == 0 || minute == MINUTES {
            let newest = aws.scaling.scaling_activities(&resource).await.unwrap();
            activities.extend(newest.into_iter().map(|activity| (activity.id.clone(), activity)));
        }
        targets.push((now, target_value(&aws, &resource).await));
        let telemetry = now.timestamp() % 900 == 0;
        let pass = harness::Pass { telemetry, ..harness::pass(&config) };
        let status = pass.of(&mut running).await;
        let report = &status.variants.values().next().unwrap().decision.report;
        let written = report.wanted_target.filter(|_| report.action == ActionKind::SetTarget);
        decided.push((now, report.action, written.or(report.configured_target), report.reason));
    }
    let goal =
        Goals::goal(&config, &setpoint::model::ids::VariantId::new(&scope, &resource)).unwrap();
    let from = start - TimeDelta::days(14);
    let activities: Vec<Activity> = activities.into_values().collect();
    let csv = export(&aws, &resource, (from, sim.now()), targets, &activities).await;
    let settings = ReplaySettings {
        objective: goal.objective,
        max_rps: goal.load_test.map(|test| test.max_rps),
        safety_factor: goal.safety_factor,
        configured_target: Some(1200.0),
        made_at: None,
        from: Some(start),
        every: TimeDelta::minutes(1),
        refinements: setpoint::estimate::Refinements::ALL,
    };
    Recorded { decided, csv, settings }
}

/// As `setpoint export` writes it, with the past values of the target, which AWS does not tell.
async fn export(
    aws: &Aws,
    resource: &ResourceId,
    (from, until): (Timestamp, Timestamp),
    targets: Vec<(Timestamp, f64)>,
    activities: &[Activity],
) -> String {
    let metric = |column: &Column| match column {
        Column::Invocations => Metric::Invocations,
        Column::InvocationsPerInstance => Metric::InvocationsPerInstance,
        Column::Latency(statistic) => Metric::ModelLatency(*statistic),
        _ => Metric::Invocation5xxErrors,
    };
    let query = |column: &Column| MetricQuery {
        instance: None,
        resource: resource.clone(),
        metric: metric(column),
        period_seconds: 60,
    };
    let queries: Vec<MetricQuery> = METRIC_COLUMNS.iter().map(query).collect();
    let answers = aws.metrics.metric_data(&queries, from, until).await;
    let mut telemetry = Telemetry::default();
    telemetry.targets = targets.into_iter().map(|(at, value)| (at, Some(value))).collect();
    telemetry.bounds = Some((1, 20));
    for (column, answer) in METRIC_COLUMNS.iter().zip(answers) {
        telemetry.add(*column, 60, &answer.unwrap().iter().collect::<Vec<_>>());
    }
    telemetry.counts = counts(activities);
    telemetry.to_csv()
}

#[tokio::test]
async fn replay_decides_what_the_daemon_decided() {
    let recorded = record().await;
    let rows = csv::read("x", recorded.csv.as_bytes(), LatencyStatistic::P99).unwrap().rows;
    let mut replayed: Vec<Line> = Vec::new();
    replay(&rows, &recorded.settings, |e| {
        replayed.push((e.at, e.decided.action, e.decided.target_value, e.decided.reason));
    });
    let last = rows.last().unwrap().minute.at;
    let writes = |lines: &[Line]| -> Vec<Line> {
        lines.iter().filter(|l| l.1 == ActionKind::SetTarget && l.0 < last).copied().collect()
    };
    let (daemon, again) = (writes(&recorded.decided), writes(&replayed));
    // A run in which nothing happens says nothing.
    let lowers_in_steps = daemon.iter().any(|line| line.3 == Reason::LoweringStep);
    let edited = daemon[0].0 + TimeDelta::minutes(EDITED.0 - 1);
    let put_back = daemon.iter().any(|l| (0..=2).contains(&(l.0 - edited).num_minutes()));
    assert!(daemon.len() >= 4 && lowers_in_steps && put_back, "{daemon:#?}");
    assert_eq!(daemon, again);
    // And it keeps still for the same reasons, but for the minutes in which a new process has not read
    // its telemetry yet.
    let since_restart = |at: Timestamp| {
        (at - recorded.decided[0].0 + TimeDelta::minutes(1)).num_minutes() % RESTART_EVERY
    };
    let begins = |at: Timestamp| since_restart(at) * 60 <= at.timestamp() % 900;
    let at = |line: &&Line| replayed.iter().find(|other| other.0 == line.0);
    let all = recorded.decided.iter().filter(|line| line.0 < last && !begins(line.0));
    let differ: Vec<_> = all.filter(|line| at(line) != Some(line)).map(|l| (l, at(&l))).collect();
    assert!(
        differ.is_empty(),
        "{} differ, such as {:#?}",
        differ.len(),
        &differ[..differ.len().min(12)]
    );
}
