//! A healthy variant in `repair` whose policy is as desired; each test breaks one thing.

use chrono::TimeDelta;
use setpoint::decide::consent::Confirmed;
use setpoint::decide::rails::{Before, Rail, rails};
use setpoint::decide::remember::remember;
use setpoint::decide::{Rules, decide};
use setpoint::model::decision::{Action, Decision, FieldState, Outcome, StepOutcome, StepResult};
use setpoint::model::endpoint::{ConfigVariant, Endpoint, EndpointConfig, Model, VariantSummary};
use setpoint::model::estimate::Estimate;
use setpoint::model::fact::{Fact, Why, WhyKind};
use setpoint::model::factor::FactorAdvice;
use setpoint::model::goal::{
    CapacityGoal, CooldownGoal, Goal, LoadTest, Mode, Objective, TargetValueLimits,
};
use setpoint::model::ids::VariantId;
use setpoint::model::memory::{Seen, VariantMemory};
use setpoint::model::reads::Reads;
use setpoint::model::reason::{Field, Reason};
use setpoint::model::scale_out::Reaction;
use setpoint::model::scaling::{
    Alarm, AlarmState, MetricSpec, PolicyKind, ScalableTarget, ScalingPolicy, SuspendedState,
    TargetTracking,
};
use setpoint::model::series::Minute;
use setpoint::model::snapshot::{Snapshot, Telemetry};
use setpoint::model::time::Timestamp;
use setpoint::model::units::{RequestsPerSecond, SafetyFactor};

pub(super) struct World {
    pub snapshot: Snapshot,
    pub goal: Goal,
    pub estimate: Estimate,
    pub rules: Rules,
    pub now: Timestamp,
}

pub(super) fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

pub(super) fn why() -> Why {
    Why::new(WhyKind::Throttled, "Rate exceeded")
}

impl World {
    /// 600 in force and wanted; 4 instances at 500 invocations a minute each.
    pub(super) fn healthy() -> Self {
        let id = VariantId::of(
            "123456789012".parse().unwrap(),
            "us-east-1".parse().unwrap(),
            "fraud-scorer".parse().unwrap(),
            "AllTraffic".parse().unwrap(),
        );
        Self {
            goal: goal(),
            estimate: Estimate::unobserved("not looked at"),
            rules: Rules {
                since: None,
                may_probe: false,
                account_id: Some(id.account_id.clone()),
                enabled: true,
                freeze: None,
                telemetry_max_age: TimeDelta::minutes(45),
                writes_per_hour: 6,
                writes_per_day: 24,
                confirmed: Confirmed::Nothing,
            },
            snapshot: snapshot(id),
            now: now(),
        }
    }

    pub(super) fn decide(&self) -> Decision {
        decide(&self.snapshot, &self.goal, &self.estimate, &self.rules, self.now)
    }

    /// The rail that a write would breach.
    pub(super) fn breached(&self, action: &Action) -> Option<Rail> {
        let Self { snapshot, goal, estimate, rules, now } = self;
        let before = Before { snapshot, goal, estimate, rules, now: *now };
        rails(&before, action).err().map(|breach| breach.rail)
    }

    pub(super) fn endpoint(&mut self) -> &mut Endpoint {
        match &mut *self.snapshot.endpoint {
            Fact::Known(Some(endpoint)) => endpoint,
            other @ (Fact::Known(None) | Fact::Unknown(_)) => panic!("no endpoint: {other:?}"),
        }
    }

    pub(super) fn target(&mut self) -> &mut ScalableTarget {
        match &mut *self.snapshot.target {
            Fact::Known(Some(target)) => target,
            other => panic!("no target: {other:?}"),
        }
    }

    pub(super) fn policies(&mut self) -> &mut Vec<ScalingPolicy> {
        match &mut *self.snapshot.policies {
            Fact::Known(policies) => policies,
            Fact::Unknown(why) => panic!("no policies: {why:?}"),
        }
    }

    pub(super) fn tracking(&mut self) -> &mut TargetTracking {
        match &mut self.policies()[0].kind {
            PolicyKind::TargetTracking(tracking) => tracking,
            other => panic!("no target tracking: {other:?}"),
        }
    }

    pub(super) fn alarms(&mut self) -> &mut Vec<Alarm> {
        match &mut *self.snapshot.alarms {
            Fact::Known(alarms) => alarms,
            Fact::Unknown(why) => panic!("no alarms: {why:?}"),
        }
    }

    pub(super) fn memory(&mut self) -> &mut VariantMemory {
        match &mut self.snapshot.memory {
            Fact::Known(memory) => memory,
            Fact::Unknown(why) => panic!("no memory: {why:?}"),
        }
    }

    pub(super) fn telemetry(&mut self) -> &mut Telemetry {
        match &mut self.snapshot.telemetry {
            Fact::Known(telemetry) => telemetry,
            Fact::Unknown(why) => panic!("no telemetry: {why:?}"),
        }
    }

    /// Puts another value in force, alarms included.
    pub(super) fn in_force(&mut self, value: f64) {
        self.tracking().target_value = value;
        self.alarms()[0].threshold = Some(value);
    }

    /// Sets the load of the newest minute and the number of instances.
    pub(super) fn load(&mut self, invocations: f64, instances: u32) {
        let variant = &mut self.endpoint().variants[0];
        variant.current_instances = Some(instances);
        variant.desired_instances = Some(instances);
        self.telemetry().recent.change(|all| {
            let newest = all.last_mut().unwrap();
            newest.invocations = Some(invocations);
            newest.invocations_per_instance = Some(invocations / f64::from(instances));
        });
    }

    /// `setpoint` has held this value in force.
    pub(super) fn hold(&mut self, value: f64) {
        self.memory().last_applied = Some(Seen { value, since: now() });
    }

    /// Scalable target and policy are gone, and have been seen to be for so many minutes.
    pub(super) fn deregistered(&mut self, minutes: i64) {
        self.snapshot.target = Fact::Known(None).into();
        self.policies().clear();
        let since = self.now - TimeDelta::minutes(minutes);
        for field in [Field::ScalableTarget, Field::Policy] {
            self.memory().missing.insert(field, since);
        }
    }

    /// The policy alone is gone, and has been seen to be for so many minutes.
    pub(super) fn without_policy(&mut self, minutes: i64) {
        self.policies().clear();
        let since = self.now - TimeDelta::minutes(minutes);
        self.memory().missing.insert(Field::Policy, since);
    }

    /// Carries a decision out as far as the world goes, and remembers it.
    pub(super) fn pass(&mut self) -> Decision {
        self.pass_with(&[StepResult::Success; 2])
    }

    /// [`Self::pass`], with what comes of each step.
    pub(super) fn pass_with(&mut self, results: &[StepResult]) -> Decision {
        let decision = self.decide();
        let steps = decision.plan.actions.iter().zip(results);
        let step = |a: &Action, result: StepResult| StepOutcome {
            result,
            ..StepOutcome::success(a.operation(), "")
        };
        let steps = steps.map(|(action, result)| step(action, *result)).collect::<Vec<_>>();
        let outcome = (!steps.is_empty()).then_some(Outcome { steps });
        let before = self.memory().clone();
        let (snapshot, goal) = (&self.snapshot, &self.goal);
        let after = remember(&before, (snapshot, goal), (&decision, outcome.as_ref()), self.now);
        *self.memory() = after;
        if let Some(value) = written(&decision).filter(|_| self.policies().len() == 1) {
            self.in_force(value);
        }
        decision
    }

    /// Time passes, and CloudWatch keeps up with it.
    pub(super) fn wait(&mut self, minutes: i64) {
        self.now += TimeDelta::minutes(minutes);
        self.snapshot.taken_at = self.now;
        if let Fact::Known(telemetry) = &mut self.snapshot.telemetry {
            telemetry.newest_datapoint = Some(self.now - TimeDelta::minutes(3));
        }
    }

    /// A dangerous edit: the value in force is above the desired one, and must go down.
    pub(super) fn drifted() -> Self {
        let mut world = Self::healthy();
        world.in_force(700.0);
        world
    }
}

/// The value that the plan puts in force.
pub(super) fn written(decision: &Decision) -> Option<f64> {
    decision.plan.actions.iter().find_map(|action| match action {
        Action::PutPolicy { configuration, .. } => Some(configuration.target_value),
        Action::RegisterTarget { .. } | Action::PutFloors { .. } => None,
    })
}

/// Asserts that a field differs, is held for this reason, and that nothing is written at all.
pub(super) fn assert_held(decision: &Decision, field: Field, reason: Reason) {
    let found = decision.report.fields.iter().find(|f| f.field == field);
    let found = found.unwrap_or_else(|| panic!("{field} was not compared: {decision:#?}"));
    assert_eq!((found.state, found.reason), (FieldState::Held, reason), "{found:?}");
    assert!(decision.plan.is_empty(), "{:?}", decision.plan);
}

pub(super) fn goal() -> Goal {
    Goal {
        origin: "test".to_owned(),
        managed: true,
        mode: Mode::Repair,
        load_test: Some(LoadTest {
            max_rps: RequestsPerSecond::new(20.0).unwrap(),
            date: Some("2026-11-01".parse().unwrap()),
            instance_type: Some("ml.c5.xlarge".to_owned()),
            endpoint_config: None,
            max_age_days: Some(180),
        }),
        safety_factor: SafetyFactor::new(0.5).unwrap(),
        safety_factor_auto: false,
        objective: Objective { latency: None, error_rate_max: 0.01 },
        family: None,
        probe: None,
        per_instance: false,
        bad_minutes_per_week: 10.0,
        capacity: CapacityGoal { min: Some(1), max: Some(20) },
        cooldown: CooldownGoal { scale_out_seconds: Some(60), scale_in_seconds: Some(300) },
        disable_scale_in: Some(false),
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

fn snapshot(id: VariantId) -> Snapshot {
    let now = now();
    let resource = id.resource();
    let long_ago = now - TimeDelta::days(100);
    let alarm = |side: &str, threshold: f64| Alarm {
        name: format!("TargetTracking-{resource}-Alarm{side}-0f3c").into(),
        state: AlarmState::Ok,
        actions_enabled: true,
        threshold: Some(threshold),
        state_since: None,
    };
    let alarms = vec![alarm("High", 600.0), alarm("Low", 540.0)];
    Snapshot {
        reaction: Reaction::unseen(None).into(),
        factor: FactorAdvice::default().into(),
        instances: None,
        floors: setpoint::model::floors::Floors::default().into(),
        taken_at: now,
        reads: Reads::default(),
        caller: Fact::Known(id.account_id.clone()),
        endpoint: Fact::Known(Some(endpoint(&id, long_ago))).into(),
        endpoint_config: Fact::Known(Some(endpoint_config(&id, long_ago))).into(),
        model: Fact::Known(Some(Model {
            name: "fraud-1".to_owned(),
            containers: 1,
            multi_model: false,
            deploy_hash: 0,
        }))
        .into(),
        target: Fact::Known(Some(ScalableTarget {
            resource: resource.clone(),
            min_capacity: 1,
            max_capacity: 20,
            suspended: SuspendedState::default(),
            arn: None,
            created_at: None,
        }))
        .into(),
        policies: Fact::Known(vec![ScalingPolicy {
            resource,
            name: "invocations".to_owned(),
            arn: None,
            kind: PolicyKind::TargetTracking(TargetTracking {
                target_value: 600.0,
                metric: MetricSpec::invocations(),
                scale_out_cooldown: Some(60),
                // Absent equals AWS's default of 300.
                scale_in_cooldown: None,
                disable_scale_in: None,
            }),
            alarm_names: Some(alarms.iter().map(|a| a.name.clone()).collect()),
            created_at: None,
        }])
        .into(),
        scheduled_actions: Fact::Known(Vec::new()).into(),
        activities: Fact::Known(Vec::new().into()),
        alarms: Fact::Known(alarms).into(),
        telemetry: Fact::Known(telemetry(now)),
        memory: Fact::Known(
            VariantMemory {
                since: Some(now - TimeDelta::days(30)),
                adopted: true,
                highest_applied: Some(600.0),
                value_in_force: Some(600.0),
                ..VariantMemory::default()
            }
            .into(),
        ),
        id,
    }
}

fn endpoint(id: &VariantId, created_at: Timestamp) -> Endpoint {
    let variant = VariantSummary::plain(id.variant.clone(), Some(4), Some(4));
    let config_name = "fraud-config-1".to_owned();
    Endpoint::in_service(id.endpoint.clone(), config_name, created_at, variant)
}

fn endpoint_config(id: &VariantId, created_at: Timestamp) -> EndpointConfig {
    EndpointConfig {
        name: "fraud-config-1".to_owned(),
        created_at,
        variants: vec![ConfigVariant {
            name: id.variant.clone(),
            model_name: Some("fraud-1".to_owned()),
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

fn telemetry(now: Timestamp) -> Telemetry {
    let newest = now - TimeDelta::minutes(4);
    Telemetry {
        read_at: now,
        newest_datapoint: Some(newest + TimeDelta::minutes(1)),
        recent: vec![Minute {
            invocations: Some(2000.0),
            invocations_per_instance: Some(500.0),
            ..Minute::empty(newest)
        }]
        .into(),
        hours: setpoint::compact::Packed::default(),
        peak_invocations: Some(5000.0),
        max_load_since_last_read: Some(500.0),
        usage: setpoint::compact::Packed::default(),
    }
}
