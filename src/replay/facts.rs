//! The rows of a recording as what AWS would have shown: an endpoint in service with the instances
//! that ran, a wide scalable target, and one healthy policy at the value in force.

use crate::model::endpoint::{ConfigVariant, Endpoint, EndpointConfig, Model, VariantSummary};
use crate::model::fact::Fact;
use crate::model::goal::{BAD_MINUTES_PER_WEEK, Goal, LoadTest, Mode, SAFE_CHANGE_GRACE};
use crate::model::ids::{AccountId, EndpointName, Region, VariantId, VariantName};
use crate::model::memory::VariantMemory;
use crate::model::reads::Reads;
use crate::model::scale_out::Reaction;
use crate::model::scaling::{
    Alarm, AlarmSide, AlarmState, CONVENTIONAL_POLICY_NAME, MetricSpec, PolicyKind, ScalableTarget,
    ScalingPolicy, SuspendedState, TargetTracking,
};
use crate::model::shared::Shared;
use crate::model::snapshot::Snapshot;
use crate::model::stable_hash::fnv1a;
use crate::model::time::Timestamp;

use super::csv::Row;
use super::run::ReplaySettings;

/// The bounds of a scalable target where the recording states none: wide, so that they decide
/// nothing.
const BOUNDS: (i32, i32) = (1, i32::MAX);

/// What the rows up to now have stated.
#[derive(Debug, Clone, Default)]
pub(super) struct Stated {
    /// Up to where they were looked at.
    until: Option<Timestamp>,
    /// When the endpoint was made, if known.
    made_at: Option<Timestamp>,
    config: Option<String>,
    /// The newest target value in force, and the row that states it.
    pub(super) target: Option<(Timestamp, f64)>,
    instances: Option<u32>,
    desired: Option<u32>,
    bounds: (Option<i32>, Option<i32>),
}

impl Stated {
    /// Nothing yet, of an endpoint that was made then.
    pub(super) fn new(made_at: Option<Timestamp>) -> Self {
        Self { made_at, ..Self::default() }
    }

    /// Takes in the rows up to `now`, as far as the next one with another endpoint config, which is
    /// a deploy; answers with its time. At `now` there are no more.
    pub(super) fn advance(&mut self, rows: &[Row], now: Timestamp) -> Timestamp {
        if self.config.is_none() {
            self.config = rows.iter().find_map(|row| row.endpoint_config.clone());
        }
        let begin = rows.partition_point(|row| self.until.is_some_and(|to| row.minute.at <= to));
        for row in rows[begin..].iter().take_while(|row| row.minute.at <= now) {
            let at = row.minute.at;
            self.until = Some(at);
            if let Some(value) = row.configured_target {
                self.target = Some((at, value));
            }
            if let Some(count) = row.minute.instance_count() {
                self.instances = Some(count.round() as u32);
                self.desired = row.desired_instances.map(|count| count.round() as u32);
            }
            let bound = |n: Option<f64>| n.map(|n| n.min(f64::from(i32::MAX)).round() as i32);
            self.bounds.0 = bound(row.bounds.0).or(self.bounds.0);
            self.bounds.1 = bound(row.bounds.1).or(self.bounds.1);
            if row.endpoint_config.is_some() && row.endpoint_config != self.config {
                self.config.clone_from(&row.endpoint_config);
                return at;
            }
        }
        now
    }
}

/// The names of a recording's variant; nothing depends on them.
pub(super) fn id() -> VariantId {
    VariantId::of(
        valid(AccountId::new("000000000000")),
        valid(Region::new("us-east-1")),
        valid(EndpointName::new("recording")),
        valid(VariantName::new("AllTraffic")),
    )
}

#[expect(clippy::expect_used, reason = "constants, which every replay of a test reads")]
fn valid<T, E: std::fmt::Debug>(name: Result<T, E>) -> T {
    name.expect("a valid name")
}

/// What is wanted: `auto`, adopted, with the defaults of the configuration.
pub(super) fn goal(settings: &ReplaySettings) -> Goal {
    Goal {
        managed: true,
        mode: Mode::Auto,
        load_test: settings.max_rps.map(|max_rps| LoadTest {
            max_rps,
            date: None,
            instance_type: None,
            endpoint_config: None,
            max_age_days: None,
        }),
        safety_factor: settings.safety_factor,
        objective: settings.objective,
        family: None,
        probe: None,
        bad_minutes_per_week: BAD_MINUTES_PER_WEEK,
        adopt: true,
        safe_change_grace: SAFE_CHANGE_GRACE,
        ..Goal::nothing("a recording".to_owned())
    }
}

/// What AWS would have shown at `now`, but for the telemetry.
pub(super) fn snapshot(
    stated: &Stated,
    in_force: Option<f64>,
    memory: Shared<VariantMemory>,
    now: Timestamp,
) -> Snapshot {
    let id = id();
    let config = stated.config.clone().unwrap_or_default();
    let target = ScalableTarget {
        resource: id.resource(),
        min_capacity: stated.bounds.0.unwrap_or(BOUNDS.0),
        max_capacity: stated.bounds.1.unwrap_or(BOUNDS.1),
        suspended: SuspendedState::default(),
        arn: None,
        created_at: None,
    };
    let model = Model { name: config.clone(), containers: 1, multi_model: false, deploy_hash: 0 };
    Snapshot {
        taken_at: now,
        caller: Fact::Known(id.account_id.clone()),
        endpoint: Fact::Known(Some(endpoint(&id, &config, stated))).into(),
        endpoint_config: Fact::Known(Some(endpoint_config(&id, config))).into(),
        model: Fact::Known(Some(model)).into(),
        target: Fact::Known(Some(target)).into(),
        policies: Fact::Known(in_force.map(|value| policy(&id, value)).into_iter().collect())
            .into(),
        scheduled_actions: Fact::Known(Vec::new()).into(),
        activities: Fact::Known(Shared::default()),
        alarms: Fact::Known([AlarmSide::High, AlarmSide::Low].map(|side| alarm(&id, side)).into())
            .into(),
        telemetry: Fact::not_read_yet(),
        memory: Fact::Known(memory),
        reads: Reads::default(),
        reaction: Reaction::unseen(None).into(),
        factor: Shared::default(),
        instances: None,
        floors: Shared::default(),
        id,
    }
}

fn endpoint(id: &VariantId, config: &str, stated: &Stated) -> Endpoint {
    let desired = stated.desired.or(stated.instances);
    let variant = VariantSummary::plain(id.variant.clone(), stated.instances, desired);
    let created_at = stated.made_at.unwrap_or(Timestamp::UNIX_EPOCH);
    Endpoint::in_service(id.endpoint.clone(), config.to_owned(), created_at, variant)
}

/// A config of another name is another service: a recording does not say what is in it.
fn endpoint_config(id: &VariantId, name: String) -> EndpointConfig {
    EndpointConfig {
        created_at: Timestamp::UNIX_EPOCH,
        variants: vec![ConfigVariant {
            name: id.variant.clone(),
            model_name: Some(name.clone()),
            instance_type: None,
            serverless: false,
            instance_pools: false,
            managed_instance_scaling: false,
            routing: None,
            deploy_hash: fnv1a(name.bytes()),
        }],
        asynchronous: false,
        metric_period_seconds: None,
        name,
    }
}

fn policy(id: &VariantId, target_value: f64) -> ScalingPolicy {
    ScalingPolicy {
        resource: id.resource(),
        name: CONVENTIONAL_POLICY_NAME.to_owned(),
        arn: None,
        kind: PolicyKind::TargetTracking(TargetTracking {
            target_value,
            metric: MetricSpec::invocations(),
            scale_out_cooldown: None,
            scale_in_cooldown: None,
            disable_scale_in: None,
        }),
        alarm_names: None,
        created_at: None,
    }
}

fn alarm(id: &VariantId, side: AlarmSide) -> Alarm {
    Alarm {
        name: format!("TargetTracking-{}-{}-0", id.resource(), side.aws_name()).into(),
        state: AlarmState::Ok,
        actions_enabled: true,
        threshold: None,
        state_since: None,
    }
}
