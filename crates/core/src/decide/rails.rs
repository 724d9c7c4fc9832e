//! The rails: the hard promises, looked at once more for a write that is about to be made. They share
//! no code with the guards, so that one mistake does not open both doors.
//!
//! A rail is an upper bound. It may let through what a guard holds; it never holds what the guards
//! rightly let through. A breach is a bug of ours: the write is not made.

mod floors;

use crate::model::decision::Action;
use crate::model::endpoint::{Endpoint, EndpointStatus};
use crate::model::estimate::{Estimate, Verdict};
use crate::model::fact::Fact;
use crate::model::goal::{Goal, Mode};
use crate::model::memory::VariantMemory;
use crate::model::reason::Field;
use crate::model::scaling::{
    MetricSpec, ScalableTarget, ScalingPolicy, ScheduledAction, TargetTracking,
};
use crate::model::snapshot::{Snapshot, Telemetry};
use crate::model::time::Timestamp;

use super::Rules;

/// Numbers that are computed in two ways differ by less.
const TOLERANCE: f64 = 1e-6;

/// What a write is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// The world, as it was read last.
    pub snapshot: &'a Snapshot,
    pub goal: &'a Goal,
    pub estimate: &'a Estimate,
    pub rules: &'a Rules,
    pub now: Timestamp,
}

/// Which rail a write breaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rail {
    /// Rules 1 and 7: the mode lets nothing be written, or the variant is not listed.
    Mode,
    /// Rule 2: configured account, caller and variant are not one account.
    Account,
    /// Rules 7 and 15: a kind that is never written.
    Kind,
    /// Rule 10: disabled, paused or frozen, or the memory that would say so is not known.
    Stopped,
    /// Rule 11: the endpoint is not settled.
    Endpoint,
    /// Rule 12: scaling is suspended.
    Suspended,
    /// The target value is no number that can be in force.
    Value,
    /// Rule 8: outside the owner's floor and ceiling.
    OwnerLimit,
    /// What is known of capacity contradicts itself.
    Estimate,
    /// Rule 27: above what one instance serves.
    AboveCapacity,
    /// Rule 8: too far in one write.
    Step,
    /// Rule 3: something that is not managed would change.
    CarriedOver,
    /// Rule 17: min and max that AWS refuses, or that nobody asked for.
    Bounds,
    /// Rule 13a: floors that are not setpoint's to keep, or that would not end.
    Floors,
}

/// A write that must not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    pub rail: Rail,
    pub sentence: &'static str,
}

type Checked = Result<(), Breach>;

/// Checks one write.
///
/// # Errors
/// The first rail that it breaches.
pub fn rails(before: &Before<'_>, action: &Action) -> Checked {
    permitted(before)?;
    let endpoint = settled(before)?;
    kind(before, endpoint, action)?;
    let memory = stopped(before, action)?;
    let target = suspended(before)?;
    match action {
        Action::RegisterTarget { min_capacity, max_capacity, expected, .. } => {
            bounds(before, (*min_capacity, *max_capacity), expected.as_ref())
        }
        Action::PutPolicy { policy_name, configuration, expected, fields } => {
            let put = Put { name: policy_name, to: configuration, from: expected.as_ref(), fields };
            put.value(before)?;
            put.estimate(before)?;
            put.above_capacity(before)?;
            put.carried_over(before)?;
            let load = Load::of(before, endpoint, target);
            put.step(memory, &load)
        }
        Action::PutFloors { puts, expected, .. } => floors::floors(before, puts, expected),
    }
}

fn keep(holds: bool, rail: Rail, sentence: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(Breach { rail, sentence }) }
}

fn permitted(before: &Before<'_>) -> Checked {
    let goal = before.goal;
    keep(goal.managed, Rail::Mode, "the configuration does not list the variant")?;
    let writes = matches!(goal.mode, Mode::Repair | Mode::Auto);
    keep(writes, Rail::Mode, "the mode lets nothing be written")?;
    let (own, caller) = (&before.snapshot.id.account_id, before.snapshot.caller.known());
    let one = before.rules.account_id.as_ref() == Some(own) && caller == Some(own);
    keep(one, Rail::Account, "account_id, the credentials and the variant are not of one account")
}

fn settled<'a>(before: &Before<'a>) -> Result<&'a Endpoint, Breach> {
    let breach = Breach { rail: Rail::Endpoint, sentence: "the endpoint is not known to exist" };
    let endpoint = before.snapshot.endpoint.known().and_then(Option::as_ref).ok_or(breach)?;
    let status = matches!(endpoint.status, EndpointStatus::InService | EndpointStatus::Updating);
    keep(status, Rail::Endpoint, "the endpoint is neither InService nor Updating")?;
    keep(!endpoint.deploy_in_progress, Rail::Endpoint, "a deploy is in progress")?;
    Ok(endpoint)
}

fn kind(before: &Before<'_>, endpoint: &Endpoint, action: &Action) -> Checked {
    let name = &before.snapshot.id.variant;
    let shadow = endpoint.shadow_variants.contains(name);
    keep(!shadow, Rail::Kind, "it is a shadow variant")?;
    let shown = endpoint.variants.iter().find(|variant| variant.name == *name);
    let odd = endpoint.asynchronous
        || shown.is_some_and(|v| v.serverless || v.instance_pools || v.managed_instance_scaling);
    keep(!odd, Rail::Kind, "DescribeEndpoint shows a kind that is not supported")?;
    let config = before.snapshot.endpoint_config.known().and_then(Option::as_ref);
    let model = before.snapshot.model.known().and_then(Option::as_ref);
    let configured = config.and_then(|c| c.variants.iter().find(|v| v.name == *name));
    let (Some(configured), Some(model)) = (configured, model) else {
        // What it was when that could be read is reason enough to make it safer, for nothing else.
        return keep(lowers_only(action), Rail::Kind, "the kind of variant is not known");
    };
    let family = configured.instance_type.as_deref().unwrap_or_default();
    let burstable = family
        .strip_prefix("ml.t")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let odd = config.is_some_and(|c| c.asynchronous)
        || configured.serverless
        || configured.instance_pools
        || configured.managed_instance_scaling
        || configured.model_name.is_none();
    keep(!odd && !burstable, Rail::Kind, "the endpoint config names a kind that is not supported")?;
    let one = !model.multi_model && model.containers <= 1;
    keep(one, Rail::Kind, "the model is of several models or containers")
}

/// Whether a write does nothing but lower the target value.
fn lowers_only(action: &Action) -> bool {
    match action {
        Action::PutPolicy { configuration, expected: Some(expected), fields, .. } => {
            *fields == [Field::TargetValue] && configuration.target_value < expected.target_value
        }
        _ => false,
    }
}

fn stopped<'a>(before: &Before<'a>, action: &Action) -> Result<&'a VariantMemory, Breach> {
    keep(before.rules.enabled, Rail::Stopped, "reconcile.enabled is false")?;
    let Fact::Known(memory) = &before.snapshot.memory else {
        return Err(Breach { rail: Rail::Stopped, sentence: "the memory is not known" });
    };
    let mut all = before.goal.paused.iter().chain(&memory.pause);
    let paused = all.any(|pause| before.now < pause.until);
    keep(!paused, Rail::Stopped, "the variant is paused")?;
    let thawed = before
        .rules
        .freeze
        .as_ref()
        .is_none_or(|freeze| freeze.allow_lowering && lowers_only(action));
    keep(thawed, Rail::Stopped, "a freeze window is open")?;
    Ok(memory)
}

fn suspended<'a>(before: &Before<'a>) -> Result<Option<&'a ScalableTarget>, Breach> {
    let Fact::Known(target) = &*before.snapshot.target else {
        let sentence = "whether scaling is suspended is not known";
        return Err(Breach { rail: Rail::Suspended, sentence });
    };
    let target = target.as_ref();
    let suspended = target
        .is_some_and(|t| t.suspended.scale_in || t.suspended.scale_out || t.suspended.scheduled);
    keep(!suspended || before.goal.unsuspend, Rail::Suspended, "scaling is suspended")?;
    Ok(target)
}

fn bounds(
    before: &Before<'_>,
    (min, max): (Option<i32>, Option<i32>),
    expected: Option<&ScalableTarget>,
) -> Checked {
    let goal = before.goal.capacity;
    keep(min.is_none() || min == goal.min, Rail::Bounds, "min is not the configured one")?;
    // A missing target is registered with a max that holds what runs (rule 17).
    let asked = match (max, goal.max) {
        (None, _) => true,
        (Some(max), Some(wanted)) => max == wanted || (expected.is_none() && max > wanted),
        (Some(_), None) => false,
    };
    keep(asked, Rail::Bounds, "max is not the configured one")?;
    let min = min.or(expected.map(|t| t.min_capacity));
    let max = max.or(expected.map(|t| t.max_capacity));
    let valid = min.zip(max).is_some_and(|(min, max)| 0 <= min && min <= max);
    keep(valid, Rail::Bounds, "AWS refuses such a min and max")
}

/// A `PutScalingPolicy`.
struct Put<'a> {
    name: &'a str,
    to: &'a TargetTracking,
    from: Option<&'a TargetTracking>,
    fields: &'a [Field],
}

impl Put<'_> {
    fn changes(&self, field: Field) -> bool {
        self.fields.contains(&field)
    }

    /// The value that it replaces. None where another metric, or none, was tracked.
    fn value_before(&self) -> Option<f64> {
        let counted = self.from.filter(|_| !self.changes(Field::MetricSpecification));
        counted.map(|from| from.target_value)
    }

    fn value(&self, before: &Before<'_>) -> Checked {
        let to = self.to.target_value;
        keep(to.is_finite() && to > 0.0, Rail::Value, "the target value is not above 0")?;
        let from = self.value_before();
        let limits = before.goal.target_value;
        // A step on the way to a limit may still lie beyond it.
        let under = limits.ceiling.is_none_or(|ceiling| to <= ceiling.get() + TOLERANCE);
        let nearer = from.is_some_and(|from| to <= from);
        keep(under || nearer, Rail::OwnerLimit, "the target value is above the ceiling")?;
        let over = limits.floor.is_none_or(|floor| to >= floor.get() - TOLERANCE);
        // With its metric, a policy gets no more than was held before, be that below the floor.
        let nearer = from.is_none_or(|from| to >= from) && !self.changes(Field::Policy);
        keep(over || nearer, Rail::OwnerLimit, "the target value is below the floor")
    }

    /// A new value is only as good as the estimate that the rules have judged it by.
    fn estimate(&self, before: &Before<'_>) -> Checked {
        if self
            .from
            .is_some_and(|from| from.target_value.to_bits() == self.to.target_value.to_bits())
        {
            return Ok(());
        }
        let unsound = before.estimate.unsound();
        unsound.map_or(Ok(()), |sentence| Err(Breach { rail: Rail::Estimate, sentence }))
    }

    fn above_capacity(&self, before: &Before<'_>) -> Checked {
        let to = self.to.target_value;
        let raises = self.value_before().is_none_or(|from| to > from + TOLERANCE);
        let measured = matches!(before.estimate.verdict, Verdict::Measured | Verdict::Inferred);
        let high = before.estimate.capacity.high.filter(|_| measured);
        let within = high.is_none_or(|high| to <= high + TOLERANCE);
        let confirmed = before.rules.confirmed.any();
        keep(
            !raises || within || confirmed,
            Rail::AboveCapacity,
            "one instance does not serve that",
        )
    }

    /// Rule 3. A write replaces the whole policy.
    fn carried_over(&self, before: &Before<'_>) -> Checked {
        let goal = before.goal;
        let (to, restores) = (self.to, self.changes(Field::MetricSpecification));
        let policies = before.snapshot.policies.known().map(Vec::as_slice);
        let Some(policies) = policies else {
            let sentence = "the policies are not known";
            return Err(Breach { rail: Rail::CarriedOver, sentence });
        };
        let shown = policies.iter().find(|policy| policy.name == self.name);
        let Some(from) = self.from else {
            let second = ScalingPolicy::of_invocations(policies).is_some();
            keep(!second, Rail::CarriedOver, "there is a policy on this metric already")?;
            let wanted = to.metric == MetricSpec::invocations()
                && to.scale_out_cooldown == goal.cooldown.scale_out_seconds
                && to.scale_in_cooldown == goal.cooldown.scale_in_seconds
                && to.disable_scale_in == goal.disable_scale_in;
            return keep(wanted, Rail::CarriedOver, "the new policy is not as configured");
        };
        let same = shown.and_then(ScalingPolicy::tracking).is_some_and(|now| now.equivalent(from));
        keep(same, Rail::CarriedOver, "AWS shows another policy than was decided on")?;
        let metric = if restores { MetricSpec::invocations() } else { from.metric.clone() };
        keep(to.metric == metric, Rail::CarriedOver, "the metric would change")?;
        // Byte for byte: what is not managed is sent back as it was read.
        let kept = self.changes(Field::TargetValue)
            || restores
            || to.target_value.to_bits() == from.target_value.to_bits();
        keep(kept, Rail::CarriedOver, "the target value would change")?;
        let managed = |field, goal: Option<i32>, to: Option<i32>, from: Option<i32>| {
            to == from || (goal.is_some() && to == goal && (restores || self.changes(field)))
        };
        let cooldown = goal.cooldown;
        let out = managed(
            Field::ScaleOutCooldown,
            cooldown.scale_out_seconds,
            to.scale_out_cooldown,
            from.scale_out_cooldown,
        );
        let scale_in = managed(
            Field::ScaleInCooldown,
            cooldown.scale_in_seconds,
            to.scale_in_cooldown,
            from.scale_in_cooldown,
        );
        keep(out && scale_in, Rail::CarriedOver, "a cooldown would change")?;
        let disable = to.disable_scale_in == from.disable_scale_in
            || (goal.disable_scale_in.is_some()
                && to.disable_scale_in == goal.disable_scale_in
                && (restores || self.changes(Field::DisableScaleIn)));
        keep(disable, Rail::CarriedOver, "disable_scale_in would change")
    }

    /// Rule 8, as an upper bound: what may go at once for another reason is let through.
    fn step(&self, memory: &VariantMemory, load: &Load) -> Checked {
        let (Some(from), to) = (self.value_before(), self.to.target_value) else { return Ok(()) };
        if to > from + TOLERANCE {
            let held = memory.highest_applied.map_or(from, |held| held.max(from));
            let near = to <= held * 1.1 + TOLERANCE;
            keep(near, Rail::Step, "a raise goes more than 10 % above all that was held")?;
            return keep(load.keeps(to), Rail::Step, "a raise removes more than 20 %");
        }
        if to >= from - TOLERANCE || to >= from * 0.7 - TOLERANCE || load.calls_for(from, to) {
            return Ok(());
        }
        // What was in force before somebody's edit, or before a raise that failed.
        let before = memory.last_write.and_then(|write| write.before);
        let raised = memory.verification.as_ref().map(|watch| watch.before);
        let held = memory.last_applied.map(|held| held.value);
        let mut earlier = [held, before, raised].into_iter().flatten();
        let restores = earlier.any(|value| to >= value - TOLERANCE);
        keep(restores, Rail::Step, "a lowering calls for more than 30 % more instances")
    }
}

/// What the present load calls for.
struct Load {
    /// Invocations a minute of the whole variant.
    invocations: Option<f64>,
    /// In service.
    running: Option<u32>,
    /// Wanted by AWS.
    wanted: Option<u32>,
    min: f64,
    /// The lowest min that the configuration or a scheduled action may set meanwhile.
    lasting_min: f64,
    max: f64,
}

impl Load {
    fn of(before: &Before<'_>, endpoint: &Endpoint, target: Option<&ScalableTarget>) -> Self {
        let name = &before.snapshot.id.variant;
        let shown = endpoint.variants.iter().find(|variant| variant.name == *name);
        let telemetry = before.snapshot.telemetry.known();
        let newest = telemetry.and_then(Telemetry::newest);
        let most = target.map(|t| t.max_capacity).max(before.goal.capacity.max);
        let min = target.map_or(0.0, |t| f64::from(t.min_capacity));
        let actions = before.snapshot.scheduled_actions.known();
        let set = |action: &ScheduledAction| action.next_run(before.now).and(action.min_capacity);
        let others = actions.into_iter().flatten().filter_map(set).chain(before.goal.capacity.min);
        let lasting_min =
            if actions.is_some() { others.map(f64::from).fold(min, f64::min) } else { 0.0 };
        Self {
            invocations: newest.and_then(|minute| minute.invocations),
            running: shown.and_then(|v| v.current_instances),
            wanted: shown.and_then(|v| v.desired_instances),
            min,
            lasting_min,
            max: most.map_or(f64::INFINITY, f64::from),
        }
    }

    fn needs(invocations: f64, value: f64) -> f64 {
        (invocations / value - TOLERANCE).ceil()
    }

    /// Whether a raise leaves enough of what runs.
    fn keeps(&self, to: f64) -> bool {
        let (Some(invocations), Some(running)) = (self.invocations, self.running) else {
            return false;
        };
        let running = f64::from(running);
        let stay = Self::needs(invocations, to).max(self.lasting_min).max(1.0);
        running - stay <= (running * 0.2).floor().max(1.0)
    }

    /// Whether a lowering calls for no more than a write may.
    fn calls_for(&self, from: f64, to: f64) -> bool {
        let (Some(invocations), Some(running)) = (self.invocations, self.running) else {
            return false;
        };
        let run = f64::from(running.max(self.wanted.unwrap_or(running)));
        let run = run.max(Self::needs(invocations, from).max(self.min));
        Self::needs(invocations, to).min(self.max) <= run + (run * 0.3).floor().max(1.0)
    }
}

impl Rail {
    /// The word used in logs and sentences.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mode => "mode",
            Self::Account => "account",
            Self::Kind => "kind",
            Self::Stopped => "stopped",
            Self::Endpoint => "endpoint",
            Self::Suspended => "suspended",
            Self::Value => "value",
            Self::OwnerLimit => "owner_limit",
            Self::Estimate => "estimate",
            Self::AboveCapacity => "above_capacity",
            Self::Step => "step",
            Self::CarriedOver => "carried_over",
            Self::Bounds => "bounds",
            Self::Floors => "floors",
        }
    }
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rail {}: {}", self.rail.as_str(), self.sentence)
    }
}
