//! Realistic statuses of variants, for tests of everything that shows them.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be built is a bug of the test")]

mod blind;
pub(crate) mod by_replay;
mod one_by_one;
mod picture;

pub(crate) use one_by_one::one_by_one;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use setpoint::decide::consent::Confirmed;
use setpoint::decide::lasting::lasting;
use setpoint::decide::{Rules, decide};
use setpoint::model::endpoint::{ConfigVariant, Endpoint, EndpointConfig, Model, VariantSummary};
use setpoint::model::estimate::{
    Capacity, DropReason, Estimate, Finding, MinutesUsed, Regime, Verdict,
};
use setpoint::model::fact::{Fact, Why, WhyKind};
use setpoint::model::factor::FactorAdvice;
use setpoint::model::goal::{
    CapacityGoal, CooldownGoal, Goal, LatencyObjective, LoadTest, Mode, Objective,
    TargetValueLimits,
};
use setpoint::model::ids::{AccountId, Region, ResourceId, Scope, VariantId};
use setpoint::model::memory::{Seen, Settled, VariantMemory};
use setpoint::model::reads::{Read, Reads};
use setpoint::model::scale_out::Reaction;
use setpoint::model::scaling::{
    Alarm, AlarmState, CONVENTIONAL_POLICY_NAME, MetricSpec, PolicyKind, ScalableTarget,
    ScalingPolicy, SuspendedState, TargetTracking,
};
use setpoint::model::series::Minute;
use setpoint::model::shared::Shared;
use setpoint::model::snapshot::{Snapshot, Telemetry};
use setpoint::model::status::EstimatorHandle;
use setpoint::model::status::{FleetStatus, MemoryStatus, VariantStatus};
use setpoint::model::time::Timestamp;
use setpoint::model::units::{LatencyStatistic, RequestsPerSecond, SafetyFactor};

pub(crate) use blind::blind_fleet;

/// 2026-11-23 12:00:00 UTC, when every fixture's pass ended.
pub(crate) fn noon() -> Timestamp {
    DateTime::from_timestamp(1_795_435_200, 0).unwrap()
}

/// The account and region of the fixtures.
pub(crate) fn scope() -> Scope {
    Scope {
        account_id: AccountId::new("123456789012").unwrap(),
        region: Region::new("us-east-1").unwrap(),
    }
}

/// The id of `endpoint/AllTraffic`.
pub(crate) fn id(endpoint: &str) -> VariantId {
    let resource: ResourceId = format!("endpoint/{endpoint}/variant/AllTraffic").parse().unwrap();
    VariantId::new(&scope(), &resource)
}

/// A fleet of these variants.
pub(crate) fn fleet(variants: Vec<VariantStatus>) -> FleetStatus {
    let variants: BTreeMap<_, _> =
        variants.into_iter().map(|status| (status.snapshot.id.clone(), Arc::new(status))).collect();
    FleetStatus { at: Some(noon()), variants: variants.into(), ..FleetStatus::default() }
}

/// One of each kind: a repair with a held field, in sync, in sync and unsafe, not compared, not
/// comparable, held, created, unlisted.
pub(crate) fn mixed_fleet() -> FleetStatus {
    let all = vec![
        drifted("fraud-scorer"),
        in_sync("search-ranker"),
        as_configured_and_unsafe("doc-embedder"),
        not_comparable("payments"),
        held("ads"),
        lost_policy("recreated"),
        load_test_expired("chat"),
        unlisted("sandbox"),
    ];
    let last_saved = Some(noon());
    FleetStatus {
        scopes: BTreeMap::from([(scope(), None)]),
        listed: BTreeMap::from([(scope(), noon())]),
        memory: Some(MemoryStatus { last_saved, ..MemoryStatus::default() }),
        ..fleet(all)
    }
}

/// What decides makes of a world: nothing in a fixture is said that the program does not say.
fn decided(
    goal: impl Into<Shared<Goal>>,
    snapshot: impl Into<Box<Snapshot>>,
    estimate: &Estimate,
) -> VariantStatus {
    let (goal, snapshot) = (goal.into(), snapshot.into());
    let rules = Rules {
        since: None,
        may_probe: false,
        account_id: Some(scope().account_id),
        enabled: true,
        freeze: None,
        telemetry_max_age: TimeDelta::minutes(45),
        writes_per_hour: 6,
        writes_per_day: 24,
        confirmed: Confirmed::Nothing,
    };
    let decision = decide(&snapshot, &goal, estimate, &rules, noon());
    VariantStatus {
        lasting: lasting(&snapshot, &decision.report, noon()).into(),
        goal,
        snapshot,
        decision,
        outcome: None,
        last_pass: noon(),
        last_successful_pass: Some(noon()),
        estimator: EstimatorHandle::default(),
    }
}

/// The same world under another goal, say.
pub(crate) fn decided_again(status: VariantStatus) -> VariantStatus {
    let estimate = status.decision.report.estimate.clone();
    decided(status.goal, status.snapshot, &estimate)
}

/// The same world with something else known of capacity.
pub(crate) fn decided_with(status: VariantStatus, estimate: &Estimate) -> VariantStatus {
    decided(status.goal, status.snapshot, estimate)
}

/// Load-tested at 20 requests a second, 600 configured and 600 desired, measured at 1,300.
pub(crate) fn in_sync(endpoint: &str) -> VariantStatus {
    decided(goal(Mode::Repair), snapshot(&id(endpoint), 600.0), &estimate())
}

/// As configured by a load test of 22 requests a second, where a third of that is safe.
pub(crate) fn as_configured_and_unsafe(endpoint: &str) -> VariantStatus {
    let mut goal = goal(Mode::Observe);
    goal.load_test.as_mut().unwrap().max_rps = RequestsPerSecond::new(22.0).unwrap();
    let capacity = Capacity {
        estimate: Some(420.0),
        low: Some(390.0),
        q25: Some(405.0),
        high: Some(450.0),
        lower_bound: Some(380.0),
    };
    let minutes = MinutesUsed { used: 18_100, broken: 13_073, ..estimate().minutes };
    let findings = vec![Finding::AboveCapacity, Finding::Over, Finding::ObjectiveBroken];
    let estimate = Estimate { capacity, minutes, findings, ..estimate() };
    decided(goal, snapshot(&id(endpoint), 660.0), &estimate)
}

/// Somebody set 5000 where 600 was held, and the load test that says so has expired.
pub(crate) fn load_test_expired(endpoint: &str) -> VariantStatus {
    let mut goal = goal(Mode::Repair);
    goal.load_test.as_mut().unwrap().date = chrono::NaiveDate::from_ymd_opt(2025, 1, 1);
    let nothing = Estimate::unobserved("the load does not show capacity yet");
    decided(goal, snapshot(&id(endpoint), 5000.0), &nothing)
}

/// A target value set too high by hand, being lowered in a step, and a max that is left alone.
pub(crate) fn drifted(endpoint: &str) -> VariantStatus {
    drifted_in(Mode::Repair, endpoint)
}

/// The same drift in `observe`.
pub(crate) fn held(endpoint: &str) -> VariantStatus {
    drifted_in(Mode::Observe, endpoint)
}

fn drifted_in(mode: Mode, endpoint: &str) -> VariantStatus {
    let mut snapshot = snapshot(&id(endpoint), 900.0);
    if let Fact::Known(Some(target)) = &mut *snapshot.target {
        target.max_capacity = 30;
    }
    let estimate = Estimate { findings: vec![Finding::Over], ..estimate() };
    decided(goal(mode), snapshot, &estimate)
}

/// A variant whose policies could not be read.
pub(crate) fn not_comparable(endpoint: &str) -> VariantStatus {
    let mut snapshot = snapshot(&id(endpoint), 600.0);
    let why = "application-autoscaling DescribeScalingPolicies failed: AccessDeniedException: \
               not authorized";
    snapshot.policies = Fact::Unknown(Why::new(WhyKind::Denied, why)).into();
    snapshot.alarms = Fact::not_read_yet().into();
    snapshot.model = Fact::not_read_yet().into();
    snapshot.telemetry = Fact::not_read_yet();
    let nothing = Estimate::unobserved("no telemetry has been read yet");
    let mut status = decided(goal(Mode::Repair), snapshot, &nothing);
    status.last_successful_pass = Some(noon() - TimeDelta::minutes(30));
    status
}

/// An endpoint that was recreated and lost scalable target and policy.
pub(crate) fn lost_policy(endpoint: &str) -> VariantStatus {
    let mut snapshot = snapshot(&id(endpoint), 600.0);
    snapshot.target = Fact::Known(None).into();
    snapshot.policies = Fact::Known(Vec::new()).into();
    snapshot.alarms = Fact::Known(Vec::new()).into();
    if let Fact::Known(Some(endpoint)) = &mut *snapshot.endpoint {
        endpoint.created_at = noon() - TimeDelta::hours(2);
        endpoint.variants[0].desired_instances = Some(4);
    }
    decided(goal(Mode::Repair), snapshot, &estimate())
}

/// A variant that was discovered and that the configuration does not list.
pub(crate) fn unlisted(endpoint: &str) -> VariantStatus {
    let mut goal = Goal {
        managed: false,
        load_test: None,
        capacity: CapacityGoal::default(),
        cooldown: CooldownGoal::default(),
        adopt: false,
        ..goal(Mode::Observe)
    };
    goal.origin = "discovery".into();
    goal.objective.latency = None;
    let mut snapshot = snapshot(&id(endpoint), 600.0);
    if let Fact::Known(policies) = &mut *snapshot.policies {
        let kind = PolicyKind::Step;
        policies.push(ScalingPolicy { name: "step-by-hand".into(), kind, ..policies[0].clone() });
    }
    let nothing = Estimate::unobserved("there is no latency objective to judge capacity by");
    decided(goal, snapshot, &nothing)
}

fn estimate() -> Estimate {
    Estimate {
        verdict: Verdict::Measured,
        capacity: Capacity {
            estimate: Some(1300.0),
            low: Some(1180.0),
            q25: Some(1225.0),
            high: Some(1410.0),
            lower_bound: Some(1100.0),
        },
        regime: Some(Regime {
            started_at: noon() - TimeDelta::days(9),
            declared: true,
            first: false,
            speed_ratio: Some(1.12),
        }),
        minutes: MinutesUsed {
            used: 8_412,
            broken: 87,
            dropped: [(DropReason::Missing, 40), (DropReason::FewRequests, 310)]
                .into_iter()
                .collect(),
        },
        siblings: None,
        highest_good_load: Some(1350.0),
        findings: Vec::new(),
        wander: Some(0.04),
        lows: Vec::new(),
        incident_since: None,
        fit: None,
        history_complete_ratio: Some(1.0),
        sentence: "one instance serves 1300 invocations per minute (1180 to 1410): 87 of 8412 \
                   minutes broke p99 250 ms"
            .to_owned(),
        picture: picture::picture(),
    }
}

fn goal(mode: Mode) -> Goal {
    Goal {
        origin: "setpoint.yaml targets[0]".to_owned(),
        managed: true,
        mode,
        load_test: Some(LoadTest {
            max_rps: RequestsPerSecond::new(20.0).unwrap(),
            date: chrono::NaiveDate::from_ymd_opt(2026, 11, 1),
            instance_type: Some("ml.c5.xlarge".to_owned()),
            endpoint_config: None,
            max_age_days: Some(180),
        }),
        safety_factor: SafetyFactor::new(0.5).unwrap(),
        safety_factor_auto: false,
        family: None,
        probe: None,
        per_instance: false,
        bad_minutes_per_week: 10.0,
        objective: Objective {
            latency: Some(LatencyObjective {
                statistic: LatencyStatistic::P99,
                threshold_ms: 250.0,
            }),
            error_rate_max: 0.01,
        },
        capacity: CapacityGoal { min: Some(1), max: Some(20) },
        cooldown: CooldownGoal { scale_out_seconds: Some(60), scale_in_seconds: Some(300) },
        disable_scale_in: None,
        target_value: TargetValueLimits::default(),
        adopt: true,
        unsuspend: false,
        allow_clamp: false,
        safe_change_grace: TimeDelta::hours(4),
        removed_target_grace: TimeDelta::minutes(30),
        removed_policy_grace: TimeDelta::minutes(5),
        floors: setpoint::model::floors::FloorsGoal::OFF,
        paused: None,
    }
}

fn tracking(target_value: f64) -> TargetTracking {
    TargetTracking {
        target_value,
        metric: MetricSpec::invocations(),
        scale_out_cooldown: Some(60),
        scale_in_cooldown: Some(300),
        disable_scale_in: None,
    }
}

fn snapshot(id: &VariantId, target_value: f64) -> Snapshot {
    let alarms = vec![
        alarm(id, "High", AlarmState::Alarm, target_value),
        alarm(id, "Low", AlarmState::Ok, target_value * 0.9),
    ];
    let invocations = ScalingPolicy {
        resource: id.resource(),
        name: CONVENTIONAL_POLICY_NAME.to_owned(),
        arn: None,
        kind: PolicyKind::TargetTracking(tracking(target_value)),
        alarm_names: Some(alarms.iter().map(|alarm| alarm.name.clone()).collect()),
        created_at: None,
    };
    Snapshot {
        id: id.clone(),
        reaction: Reaction::unseen(None).into(),
        factor: FactorAdvice::default().into(),
        instances: None,
        floors: setpoint::model::floors::Floors::default().into(),
        taken_at: noon(),
        reads: reads(),
        caller: Fact::Known(id.account_id.clone()),
        endpoint: Fact::Known(Some(endpoint(id))).into(),
        endpoint_config: Fact::Known(Some(endpoint_config(id))).into(),
        model: Fact::Known(Some(Model {
            name: format!("{}-model", id.endpoint),
            containers: 1,
            multi_model: false,
            deploy_hash: 0,
        }))
        .into(),
        target: Fact::Known(Some(ScalableTarget {
            resource: id.resource(),
            min_capacity: 1,
            max_capacity: 20,
            suspended: SuspendedState::default(),
            arn: None,
            created_at: None,
        }))
        .into(),
        policies: Fact::Known(vec![invocations]).into(),
        scheduled_actions: Fact::Known(Vec::new()).into(),
        activities: Fact::Known(Vec::new().into()),
        alarms: Fact::Known(alarms).into(),
        telemetry: Fact::Known(telemetry()),
        memory: Fact::Known(memory(id).into()),
    }
}

/// 600 was held for a month.
fn memory(id: &VariantId) -> VariantMemory {
    let since = noon() - TimeDelta::days(30);
    VariantMemory {
        since: Some(since),
        adopted: true,
        highest_applied: Some(600.0),
        last_applied: Some(Seen { value: 600.0, since: noon() }),
        value_in_force: Some(600.0),
        policy_name: Some(CONVENTIONAL_POLICY_NAME.to_owned()),
        settled: Some(
            Settled {
                at: noon() - TimeDelta::hours(3),
                created_at: noon() - TimeDelta::days(40),
                config_name: format!("{}-config-7", id.endpoint),
                instance_type: Some("ml.c5.xlarge".to_owned()),
                instances: 4,
            }
            .into(),
        ),
        ..VariantMemory::default()
    }
}

/// Read at noon, but for the telemetry of five minutes before and activities that nobody read.
fn reads() -> Reads {
    let read = |operation| Some(Read::new(operation, noon()));
    Reads {
        caller: read("GetCallerIdentity"),
        endpoint: read("DescribeEndpoint"),
        endpoint_config: read("DescribeEndpointConfig"),
        model: read("DescribeModel"),
        scalable_target: read("DescribeScalableTargets"),
        policies: read("DescribeScalingPolicies"),
        scheduled_actions: read("DescribeScheduledActions"),
        activities: None,
        alarms: read("DescribeAlarms"),
        steady: false,
        telemetry: Some(Read::new("GetMetricData", noon() - TimeDelta::minutes(5))),
        memory: read("load"),
    }
}

fn endpoint(id: &VariantId) -> Endpoint {
    let plain = VariantSummary::plain(id.variant.clone(), Some(4), Some(5));
    let variant = VariantSummary { images: vec!["sha256:0f1e".to_owned()], ..plain };
    let config_name = format!("{}-config-7", id.endpoint);
    let created_at = noon() - TimeDelta::days(40);
    Endpoint {
        modified_at: noon() - TimeDelta::days(9),
        ..Endpoint::in_service(id.endpoint.clone(), config_name, created_at, variant)
    }
}

fn endpoint_config(id: &VariantId) -> EndpointConfig {
    EndpointConfig {
        name: format!("{}-config-7", id.endpoint),
        created_at: noon() - TimeDelta::days(9),
        variants: vec![ConfigVariant {
            name: id.variant.clone(),
            model_name: Some(format!("{}-model", id.endpoint)),
            instance_type: Some("ml.c5.xlarge".to_owned()),
            serverless: false,
            instance_pools: false,
            managed_instance_scaling: false,
            routing: None,
            deploy_hash: 0,
        }],
        asynchronous: false,
        metric_period_seconds: None,
    }
}

fn alarm(id: &VariantId, side: &str, state: AlarmState, threshold: f64) -> Alarm {
    Alarm {
        name: format!("TargetTracking-{}-Alarm{side}-0a1b", id.resource()).into(),
        state,
        actions_enabled: true,
        threshold: Some(threshold),
        state_since: None,
    }
}

fn telemetry() -> Telemetry {
    let at = noon() - TimeDelta::minutes(4);
    let newest = Minute {
        invocations: Some(2_200.0),
        invocations_per_instance: Some(550.0),
        latency_us: Some(183_000.0),
        latency_p50_us: Some(41_500.0),
        errors_5xx: Some(0.0),
        ..Minute::empty(at)
    };
    Telemetry {
        read_at: noon(),
        newest_datapoint: Some(noon() - TimeDelta::minutes(3)),
        recent: vec![newest, Minute::empty(at + TimeDelta::minutes(1))].into(),
        hours: setpoint::compact::Packed::default(),
        peak_invocations: Some(5_400.0),
        max_load_since_last_read: Some(711.0),
        usage: setpoint::compact::Packed::default(),
    }
}

/// A probe is under way.
pub(crate) fn probe(status: &mut VariantStatus) {
    use setpoint::model::probe::{Probe, ProbeGoal};
    if let Fact::Known(memory) = &mut status.snapshot.memory {
        let probe = Probe { began_at: noon(), before: 600.0, to: 660.0, invocations: 2000.0 };
        memory.probes.under_way = Some(probe);
    }
    status.goal.probe = Some(ProbeGoal { bad_minutes_per_week: 5.0 });
}
