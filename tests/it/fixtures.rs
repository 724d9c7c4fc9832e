//! Realistic statuses of variants, for tests of everything that shows them.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be built is a bug of the test")]

mod blind;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use setpoint::model::decision::{
    Action, Decision, FieldReport, FieldState, InstanceForecast, Note, Plan, Report,
};
use setpoint::model::endpoint::{Endpoint, EndpointStatus, VariantSummary};
use setpoint::model::estimate::{
    Capacity, DropReason, Estimate, Finding, MinutesUsed, Regime, Verdict,
};
use setpoint::model::fact::{Fact, Why, WhyKind};
use setpoint::model::goal::{
    CapacityGoal, CooldownGoal, Goal, LatencyObjective, LoadTest, Mode, Objective,
    TargetValueLimits,
};
use setpoint::model::ids::{AccountId, EndpointName, Region, ResourceId, Scope, VariantId};
use setpoint::model::memory::VariantMemory;
use setpoint::model::reads::{Read, Reads};
use setpoint::model::reason::{ActionKind, Field, Reason};
use setpoint::model::scaling::{
    Alarm, AlarmState, CONVENTIONAL_POLICY_NAME, MetricSpec, PolicyKind, ScalableTarget,
    ScalingPolicy, SuspendedState, TargetTracking,
};
use setpoint::model::series::Minute;
use setpoint::model::snapshot::{Snapshot, Telemetry};
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
    FleetStatus { at: Some(noon()), variants, ..FleetStatus::default() }
}

/// One of each kind: a repair with a held field, in sync, not comparable, held, created, unlisted.
pub(crate) fn mixed_fleet() -> FleetStatus {
    let all = vec![
        drifted("fraud-scorer"),
        in_sync("search-ranker"),
        not_comparable("payments"),
        held("ads"),
        lost_policy("recreated"),
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

/// Load-tested at 20 requests a second, 600 configured and 600 desired, measured at 1,300.
pub(crate) fn in_sync(endpoint: &str) -> VariantStatus {
    let id = id(endpoint);
    VariantStatus {
        goal: goal(Mode::Repair),
        snapshot: snapshot(&id, 600.0),
        decision: Decision {
            id: format!("{endpoint}-0001"),
            at: noon(),
            variant: id,
            plan: Plan::default(),
            report: report(),
            wake_at: None,
        },
        outcome: None,
        last_pass: noon(),
        last_successful_pass: Some(noon()),
    }
}

/// A target value set too high by hand, being lowered in a step, and a cooldown that is held.
pub(crate) fn drifted(endpoint: &str) -> VariantStatus {
    let mut status = in_sync(endpoint);
    status.snapshot = snapshot(&status.snapshot.id.clone(), 900.0);
    let report = &mut status.decision.report;
    report.action = ActionKind::SetTarget;
    report.reason = Reason::Drift;
    report.sentence = "drift: target value 900 is not the desired 600".into();
    report.configured_target = Some(900.0);
    report.wanted_target = Some(630.0);
    report.divergence = Some(900.0 / 612.5);
    report.instances = Some(InstanceForecast {
        now: Some(4),
        at_present_load: Some(6),
        at_peak_before: Some(9),
        at_peak_after: Some(13),
    });
    report.fields = vec![
        field(
            Field::TargetValue,
            (Some("900"), "600"),
            (FieldState::Write, Reason::LoweringStep),
            "lowering is limited to 30 % a write",
        ),
        field(
            Field::ScaleInCooldown,
            (Some("120"), "300"),
            (FieldState::Held, Reason::SafeChangeGrace),
            "held: a person's safe change is left alone until 14:00",
        ),
    ];
    report.estimate.findings = vec![Finding::Over];
    let before = tracking(900.0);
    status.decision.plan.actions = vec![Action::PutPolicy {
        policy_name: CONVENTIONAL_POLICY_NAME.to_owned(),
        configuration: TargetTracking { target_value: 630.0, ..before.clone() },
        expected: Some(before),
        fields: vec![Field::TargetValue],
    }];
    status
}

/// The same drift in `observe`.
pub(crate) fn held(endpoint: &str) -> VariantStatus {
    let mut status = drifted(endpoint);
    status.goal.mode = Mode::Observe;
    status.decision.plan = Plan::default();
    let report = &mut status.decision.report;
    report.mode = Mode::Observe;
    report.action = ActionKind::Hold;
    report.reason = Reason::Observe;
    report.sentence = "wanted 900 -> 630, held: observe".into();
    for field in &mut report.fields {
        field.state = FieldState::Held;
        field.reason = Reason::Observe;
        "held: observe".clone_into(&mut field.sentence);
    }
    status
}

/// A variant whose policies could not be read.
pub(crate) fn not_comparable(endpoint: &str) -> VariantStatus {
    let mut status = in_sync(endpoint);
    let why = "application-autoscaling DescribeScalingPolicies failed: AccessDeniedException: \
               not authorized";
    status.snapshot.policies = Fact::Unknown(Why::new(WhyKind::Denied, why));
    status.snapshot.alarms = Fact::not_read_yet();
    status.snapshot.telemetry = Fact::not_read_yet();
    let report = &mut status.decision.report;
    report.action = ActionKind::Hold;
    report.reason = Reason::CouldNotCompare;
    report.sentence = format!("could not be compared: {why}");
    report.comparable = false;
    report.configured_target = None;
    report.safe_target = None;
    report.wanted_target = None;
    report.divergence = None;
    report.instances = None;
    report.notes = Vec::new();
    report.estimate = Estimate::unobserved("no telemetry has been read yet");
    report.fields =
        vec![field(Field::TargetValue, (None, "600"), (FieldState::Unknown, Reason::Unknown), why)];
    status.last_successful_pass = Some(noon() - TimeDelta::minutes(30));
    status
}

/// An endpoint that was recreated and lost scalable target and policy.
pub(crate) fn lost_policy(endpoint: &str) -> VariantStatus {
    let mut status = in_sync(endpoint);
    status.snapshot.target = Fact::Known(None);
    status.snapshot.policies = Fact::Known(Vec::new());
    status.snapshot.alarms = Fact::Known(Vec::new());
    let report = &mut status.decision.report;
    report.action = ActionKind::CreatePolicy;
    report.reason = Reason::Drift;
    report.sentence = "drift: the scalable target and its policy are missing".into();
    report.configured_target = None;
    report.divergence = None;
    report.instances = None;
    report.fields = vec![
        field(
            Field::ScalableTarget,
            (None, "min 1, max 20"),
            (FieldState::Write, Reason::Drift),
            "missing",
        ),
        field(Field::Policy, (None, "600"), (FieldState::Write, Reason::Drift), "missing"),
    ];
    status.decision.plan.actions = vec![
        Action::RegisterTarget {
            min_capacity: Some(1),
            max_capacity: Some(20),
            unsuspend: false,
            expected: None,
            expected_instances: Some((4, 4)),
        },
        Action::PutPolicy {
            policy_name: CONVENTIONAL_POLICY_NAME.to_owned(),
            configuration: tracking(600.0),
            expected: None,
            fields: vec![Field::Policy],
        },
    ];
    status
}

/// A variant that was discovered and that the configuration does not list.
pub(crate) fn unlisted(endpoint: &str) -> VariantStatus {
    let mut status = in_sync(endpoint);
    status.goal = Goal { managed: false, load_test: None, ..goal(Mode::Observe) };
    status.goal.origin = "discovery".into();
    status.goal.objective.latency = None;
    let report = &mut status.decision.report;
    report.managed = false;
    report.mode = Mode::Observe;
    report.reason = Reason::Unlisted;
    report.sentence = "not in the configuration: observed, never written".into();
    report.fields = Vec::new();
    report.formula_target = None;
    report.safe_target = None;
    report.wanted_target = None;
    report.divergence = None;
    report.estimate = Estimate::unobserved("there is no latency objective to judge capacity by");
    status
}

/// The result of comparing a field: what AWS has and what is desired, the outcome, and why.
pub(crate) fn field(
    field: Field,
    (actual, desired): (Option<&str>, &str),
    (state, reason): (FieldState, Reason),
    sentence: &str,
) -> FieldReport {
    FieldReport {
        field,
        actual: actual.map(str::to_owned),
        desired: Some(desired.to_owned()),
        number: None,
        wanted: None,
        state,
        reason,
        sentence: sentence.to_owned(),
    }
}

fn report() -> Report {
    Report {
        mode: Mode::Repair,
        managed: true,
        action: ActionKind::None,
        reason: Reason::InSync,
        sentence: "in sync".to_owned(),
        fields: vec![
            field(
                Field::TargetValue,
                (Some("600"), "600"),
                (FieldState::InSync, Reason::InSync),
                "in sync",
            ),
            field(
                Field::MaxCapacity,
                (Some("20"), "20"),
                (FieldState::InSync, Reason::InSync),
                "in sync",
            ),
        ],
        notes: vec![Note {
            reason: Reason::CompetingPolicy,
            sentence: "another policy, step-by-hand, scales the same variant".to_owned(),
        }],
        comparable: true,
        configured_target: Some(600.0),
        formula_target: Some(600.0),
        load_test_problem: None,
        safe_target: Some(612.5),
        wanted_target: Some(600.0),
        divergence: Some(600.0 / 612.5),
        instances: Some(InstanceForecast {
            now: Some(4),
            at_present_load: Some(4),
            at_peak_before: Some(9),
            at_peak_after: Some(9),
        }),
        estimate: estimate(),
    }
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
            speed_ratio: Some(1.12),
        }),
        minutes: MinutesUsed {
            used: 8_412,
            dropped: BTreeMap::from([(DropReason::Missing, 40), (DropReason::FewRequests, 310)]),
        },
        highest_good_load: Some(1350.0),
        findings: Vec::new(),
        wander: Some(0.04),
        incident_since: None,
        advised_safety_factor: None,
        sentence: "one instance serves 1180 to 1410 invocations a minute within p99 250 ms"
            .to_owned(),
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
    let invocations = ScalingPolicy {
        resource: id.resource(),
        name: CONVENTIONAL_POLICY_NAME.to_owned(),
        arn: None,
        kind: PolicyKind::TargetTracking(tracking(target_value)),
        alarm_names: Some(Vec::new()),
        created_at: None,
    };
    let step = ScalingPolicy {
        name: "step-by-hand".to_owned(),
        kind: PolicyKind::Step,
        ..invocations.clone()
    };
    Snapshot {
        id: id.clone(),
        taken_at: noon(),
        reads: reads(),
        caller: Fact::Known(id.account_id.clone()),
        endpoint: Fact::Known(Some(endpoint(id))),
        endpoint_config: Fact::Known(None),
        model: Fact::not_read_yet(),
        target: Fact::Known(Some(ScalableTarget {
            resource: id.resource(),
            min_capacity: 1,
            max_capacity: 20,
            suspended: SuspendedState { scale_in: true, ..SuspendedState::default() },
            arn: None,
            created_at: None,
        })),
        policies: Fact::Known(vec![invocations, step]),
        scheduled_actions: Fact::Known(Vec::new()),
        activities: Fact::Known(Vec::new()),
        alarms: Fact::Known(vec![
            alarm(id, "High", AlarmState::Alarm),
            alarm(id, "Low", AlarmState::Ok),
        ]),
        telemetry: Fact::Known(telemetry()),
        memory: Fact::Known(VariantMemory { adopted: true, ..VariantMemory::default() }),
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
        telemetry: Some(Read::new("GetMetricData", noon() - TimeDelta::minutes(5))),
        memory: read("load"),
    }
}

fn endpoint(id: &VariantId) -> Endpoint {
    let name: EndpointName = id.endpoint.clone();
    Endpoint {
        name,
        status: EndpointStatus::InService,
        config_name: format!("{}-config-7", id.endpoint),
        created_at: noon() - TimeDelta::days(40),
        modified_at: noon() - TimeDelta::days(9),
        variants: vec![VariantSummary {
            name: id.variant.clone(),
            current_instances: Some(4),
            desired_instances: Some(5),
            images: vec!["sha256:0f1e".to_owned()],
            serverless: false,
            instance_pools: false,
            managed_instance_scaling: false,
            statuses: Vec::new(),
        }],
        shadow_variants: Vec::new(),
        pending_config_name: None,
        deploy_in_progress: false,
        asynchronous: false,
        failure_reason: None,
    }
}

fn alarm(id: &VariantId, side: &str, state: AlarmState) -> Alarm {
    Alarm {
        name: format!("TargetTracking-{}-Alarm{side}-0a1b", id.resource()),
        state,
        actions_enabled: true,
        threshold: Some(600.0),
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
        recent: vec![newest, Minute::empty(at + TimeDelta::minutes(1))],
        peak_invocations: Some(5_400.0),
        max_load_since_last_read: Some(711.0),
    }
}
