//! WRITE: plan -> outcome. Makes no choices: one match arm for each action. Of `decide` it uses the rails
//! alone, which can only take a write away.
//!
//! Right before each write it asks for leadership again and looks whether the thing to be written
//! is still the one decided on; right after it, it reads back what AWS shows (rules 20 and 23).

use std::time::Duration;

use crate::decide::rails::{Before, rails};
use crate::model::alarms::AlarmProblem;
use crate::model::decision::{Action, Decision, Outcome, StepOutcome, StepResult};
use crate::model::endpoint::Endpoint;
use crate::model::fact::{Fact, Why};
use crate::model::ids::{ResourceId, VariantId};
use crate::model::kept_floors::FloorPut;
use crate::model::reason::Reason;
use crate::model::scaling::{
    ScalableTarget, ScalingPolicy, ScheduledAction, SuspendedState, TargetTracking, alarm_prefix,
};
use crate::model::snapshot::Snapshot;
use crate::ports::{
    Aws, Clock, ErrorKind, Leadership, PortError, PortResult, PutScalingPolicy, PutScheduledAction,
    RegisterScalableTarget, Service, whole,
};

/// How often the read-back looks before it says that AWS shows something else.
const READ_BACK_ATTEMPTS: u32 = 3;
/// How long it waits in between: AWS is eventually consistent.
const READ_BACK_WAIT: Duration = Duration::from_secs(2);
/// How long the look at the endpoint right before a write may take; others wait behind it.
const LOOK_WAIT: Duration = Duration::from_secs(5);
/// What is said when the very write that was about to be made is there already (rule 26): within
/// the seconds between the look and the write that is no person.
const JUST_MADE: &str = "somebody else has just made this very write";
/// What is said of a step that AWS shows.
const READ_BACK: &str = "written and read back";

/// Writes to one account and region: what a write needs of the world.
pub struct Writer<'a> {
    /// The account and region of the variant.
    pub aws: &'a Aws,
    /// Time, for the read-back.
    pub clock: &'a dyn Clock,
    /// Whether this process may write.
    pub leadership: &'a dyn Leadership,
}

/// Carries a plan out, in order. After a step that did not succeed the rest is skipped: the next
/// pass decides again. `before` is what it was decided on.
pub async fn act(writer: &Writer<'_>, decision: &Decision, before: &Before<'_>) -> Outcome {
    let mut steps = Vec::with_capacity(decision.plan.actions.len());
    let mut go_on = true;
    for action in &decision.plan.actions {
        let step = if go_on {
            step(writer, before, action).await
        } else {
            let sentence = "the step before it did not succeed";
            skipped(action.operation(), Reason::WriteFailed, sentence)
        };
        go_on &= step.result == StepResult::Success;
        steps.push(step);
    }
    Outcome { steps }
}

async fn step(writer: &Writer<'_>, before: &Before<'_>, action: &Action) -> StepOutcome {
    let resource = before.snapshot.id.resource();
    match action {
        Action::RegisterTarget {
            min_capacity,
            max_capacity,
            unsuspend,
            expected,
            expected_instances,
        } => {
            let register = RegisterScalableTarget {
                resource,
                min_capacity: *min_capacity,
                max_capacity: *max_capacity,
                suspended: unsuspend.then(SuspendedState::default),
            };
            let expected = (expected.as_ref(), *expected_instances);
            register_target(writer, before, &register, expected, action).await
        }
        Action::PutPolicy { policy_name, configuration, expected, .. } => {
            let put = PutScalingPolicy {
                resource,
                policy_name: policy_name.clone(),
                configuration: configuration.clone(),
            };
            put_policy(writer, before, &put, expected.as_ref(), action).await
        }
        Action::PutFloors { puts, expected, .. } => {
            put_floors(writer, before, (puts, expected), action).await
        }
    }
}

async fn register_target(
    writer: &Writer<'_>,
    before: &Before<'_>,
    register: &RegisterScalableTarget,
    (expected, expected_instances): (Option<&ScalableTarget>, Option<(u32, u32)>),
    action: &Action,
) -> StepOutcome {
    const OPERATION: &str = "RegisterScalableTarget";
    let actual = match find_target(writer.aws, &register.resource).await {
        Ok(actual) => actual,
        Err(error) => return unseen(OPERATION, &error),
    };
    let same_target = match (&actual, expected) {
        (None, None) => true,
        (Some(a), Some(b)) => {
            (a.min_capacity, a.max_capacity, a.suspended)
                == (b.min_capacity, b.max_capacity, b.suspended)
        }
        _ => false,
    };
    if !same_target && actual.as_ref().is_some_and(|actual| shows(actual, register)) {
        return skipped(OPERATION, Reason::OtherSetpoint, JUST_MADE);
    }
    if !same_target {
        let sentence = "the scalable target has changed since it was decided on";
        return skipped(OPERATION, Reason::WorldChanged, sentence);
    }
    match settled(writer.aws, OPERATION, &before.snapshot.id).await {
        Ok(now) if instances(&now, &before.snapshot.id) == expected_instances => {}
        Ok(_) => {
            let sentence = "the instance count has changed since the decision";
            return skipped(OPERATION, Reason::WorldChanged, sentence);
        }
        Err(step) => return step,
    }
    let read = Snapshot { target: Fact::Known(actual).into(), ..before.snapshot.clone() };
    if let Some(step) = breached(before, &read, action) {
        return step;
    }
    if !writer.leadership.may_write() {
        return skipped(OPERATION, Reason::NotLeader, "leadership was lost");
    }
    if let Err(error) = writer.aws.writes.register_scalable_target(register).await {
        return failed(OPERATION, error);
    }
    let shown = read_back(writer, OPERATION, || async {
        let shown = find_target(writer.aws, &register.resource).await?;
        Ok(shown.filter(|shown| shows(shown, register)))
    })
    .await;
    match shown {
        Ok(_) => StepOutcome::success(OPERATION, READ_BACK),
        Err(step) => step,
    }
}

async fn put_policy(
    writer: &Writer<'_>,
    before: &Before<'_>,
    put: &PutScalingPolicy,
    expected: Option<&TargetTracking>,
    action: &Action,
) -> StepOutcome {
    const OPERATION: &str = "PutScalingPolicy";
    let policies = match find_policies(writer.aws, &put.resource).await {
        Ok(policies) => policies,
        Err(error) => return unseen(OPERATION, &error),
    };
    let same = match expected {
        Some(expected) => {
            let actual = tracking_of(&policies, &put.policy_name);
            actual.is_some_and(|actual| actual.equivalent(expected))
        }
        // A policy is made only where none tracks this metric, under whatever name.
        None => ScalingPolicy::of_invocations(&policies).is_none(),
    };
    let made = || tracking_of(&policies, &put.policy_name);
    if !same && made().is_some_and(|made| made.equivalent(&put.configuration)) {
        return skipped(OPERATION, Reason::OtherSetpoint, JUST_MADE);
    }
    if !same {
        let sentence = "the policy has changed since it was decided on";
        return skipped(OPERATION, Reason::WorldChanged, sentence);
    }
    if let Err(step) = settled(writer.aws, OPERATION, &before.snapshot.id).await {
        return step;
    }
    let read = Snapshot { policies: Fact::Known(policies).into(), ..before.snapshot.clone() };
    if let Some(step) = breached(before, &read, action) {
        return step;
    }
    if !writer.leadership.may_write() {
        return skipped(OPERATION, Reason::NotLeader, "leadership was lost");
    }
    if let Err(error) = writer.aws.writes.put_scaling_policy(put).await {
        return failed(OPERATION, error);
    }
    let shown = read_back(writer, OPERATION, || async {
        let policies = find_policies(writer.aws, &put.resource).await?;
        let tracking = tracking_of(&policies, &put.policy_name);
        let is_shown = tracking.is_some_and(|shown| shown.equivalent(&put.configuration));
        Ok(is_shown.then_some(policies))
    })
    .await;
    let policies = match shown {
        Ok(policies) => policies,
        Err(step) => return step,
    };
    match alarms_as_shown(writer.aws, put, &policies).await {
        Some(said) => StepOutcome::success(OPERATION, format!("{READ_BACK}; {said}")),
        None => StepOutcome::success(OPERATION, READ_BACK),
    }
}

/// Puts a set of floors, one action after the other. Where one fails, the next pass completes the set.
async fn put_floors(
    writer: &Writer<'_>,
    before: &Before<'_>,
    (puts, expected): (&[FloorPut], &[ScheduledAction]),
    action: &Action,
) -> StepOutcome {
    const OPERATION: &str = "PutScheduledAction";
    let resource = before.snapshot.id.resource();
    let actions = match find_actions(writer.aws, &resource).await {
        Ok(actions) => actions,
        Err(error) => return unseen(OPERATION, &error),
    };
    let is_shown = |actions: &[ScheduledAction]| {
        puts.iter().all(|put| actions.iter().any(|action| put.is_shown_by(action)))
    };
    let same = actions.len() == expected.len() && expected.iter().all(|e| actions.contains(e));
    if !same && is_shown(&actions) {
        return skipped(OPERATION, Reason::OtherSetpoint, JUST_MADE);
    }
    if !same {
        let sentence = "the scheduled actions have changed since they were decided on";
        return skipped(OPERATION, Reason::WorldChanged, sentence);
    }
    if let Err(step) = settled(writer.aws, OPERATION, &before.snapshot.id).await {
        return step;
    }
    let read =
        Snapshot { scheduled_actions: Fact::Known(actions).into(), ..before.snapshot.clone() };
    if let Some(step) = breached(before, &read, action) {
        return step;
    }
    for (made, floor) in puts.iter().enumerate() {
        let part = format!("after {made} of {} scheduled actions", puts.len());
        let step = if writer.leadership.may_write() {
            let put = PutScheduledAction { resource: resource.clone(), floor: floor.clone() };
            let put = writer.aws.writes.put_scheduled_action(&put).await;
            put.err().map(|error| failed(OPERATION, error))
        } else {
            Some(skipped(OPERATION, Reason::NotLeader, "leadership was lost"))
        };
        match step {
            None => {}
            Some(step) if made == 0 => return step,
            // Some of it has been carried out, whatever AWS says of this one.
            Some(step) => {
                let (result, reason) = (StepResult::Error, Reason::WriteFailed);
                let sentence = format!("{part}: {}", step.sentence);
                return StepOutcome::other(OPERATION, result, reason, sentence);
            }
        }
    }
    let shown = read_back(writer, OPERATION, || async {
        let actions = find_actions(writer.aws, &resource).await?;
        Ok(is_shown(&actions).then_some(()))
    })
    .await;
    match shown {
        Ok(()) => {
            let s = if puts.len() == 1 { "" } else { "s" };
            StepOutcome::success(
                OPERATION,
                format!("{} scheduled action{s} {READ_BACK}", puts.len()),
            )
        }
        Err(step) => step,
    }
}

/// The last look before a write is sent: whether it keeps the hard promises, going by what was `read`
/// just now. A breach is a bug of ours, and the write is not sent.
fn breached(before: &Before<'_>, read: &Snapshot, action: &Action) -> Option<StepOutcome> {
    let breach = rails(&Before { snapshot: read, ..*before }, action).err()?;
    Some(skipped(action.operation(), Reason::Rails, format!("a bug of setpoint, {breach}")))
}

/// Whether a scalable target is as a registration leaves it.
fn shows(target: &ScalableTarget, register: &RegisterScalableTarget) -> bool {
    register.min_capacity.is_none_or(|min| min == target.min_capacity)
        && register.max_capacity.is_none_or(|max| max == target.max_capacity)
        && register.suspended.is_none_or(|suspended| suspended == target.suspended)
}

/// What is wrong with the alarms after a put, as AWS shows them (rule 20). It may still be making
/// them, so this is reported and nothing more; the passes that follow compare them.
async fn alarms_as_shown(
    aws: &Aws,
    put: &PutScalingPolicy,
    policies: &[ScalingPolicy],
) -> Option<String> {
    let policy = policies.iter().find(|policy| policy.name == put.policy_name)?;
    match aws.metrics.alarms(&alarm_prefix(&put.resource)).await {
        Ok(alarms) => match AlarmProblem::of(policy, &alarms)? {
            // New alarms have no data yet.
            AlarmProblem::InsufficientData(_) => None,
            // What AWS does not say is not absent.
            AlarmProblem::BothMissing | AlarmProblem::Missing(_)
                if policy.alarm_names.is_none() =>
            {
                None
            }
            problem => Some(problem.to_string()),
        },
        Err(error) => Some(format!("the alarms could not be read: {error}")),
    }
}

/// Looks a few times whether AWS shows what was written: what `look` made of it when it does, and
/// the outcome of the step when it does not.
async fn read_back<T, Fut>(
    writer: &Writer<'_>,
    operation: &'static str,
    look: impl Fn() -> Fut,
) -> Result<T, StepOutcome>
where
    Fut: Future<Output = PortResult<Option<T>>>,
{
    let mut last_error = None;
    for attempt in 0..READ_BACK_ATTEMPTS {
        if attempt > 0 {
            writer.clock.sleep(READ_BACK_WAIT).await;
        }
        match look().await {
            Ok(Some(shown)) => return Ok(shown),
            Ok(None) => last_error = None,
            Err(error) => last_error = Some(error),
        }
    }
    let sentence = last_error.map_or_else(
        || "written, but AWS does not show it".to_owned(),
        |error| format!("written, but it could not be read back: {error}"),
    );
    let (result, reason) = (StepResult::ReadBackDiffers, Reason::ReadBackDiffers);
    Err(StepOutcome::other(operation, result, reason, sentence))
}

fn skipped(operation: &'static str, reason: Reason, sentence: impl Into<String>) -> StepOutcome {
    StepOutcome::other(operation, StepResult::Skipped, reason, sentence)
}

/// What could not be looked at again is not written.
fn unseen(operation: &'static str, error: &PortError) -> StepOutcome {
    skipped(operation, Reason::Unknown, format!("could not look again: {error}"))
}

/// A write that was sent, or that the budget did not let out.
fn failed(operation: &'static str, error: PortError) -> StepOutcome {
    let sentence = error.to_string();
    let refused = error.kind.certainly_refused().then(|| Why::from(error).kind);
    StepOutcome {
        refused,
        ..StepOutcome::other(operation, StepResult::Error, Reason::WriteFailed, sentence)
    }
}

async fn find_target(aws: &Aws, resource: &ResourceId) -> PortResult<Option<ScalableTarget>> {
    let of = std::slice::from_ref(resource);
    let targets = whole("DescribeScalableTargets", aws.scaling.scalable_targets(Some(of)).await?)?;
    Ok(targets.into_iter().find(|t| t.resource == *resource))
}

async fn find_policies(aws: &Aws, resource: &ResourceId) -> PortResult<Vec<ScalingPolicy>> {
    whole("DescribeScalingPolicies", aws.scaling.scaling_policies(Some(resource)).await?)
}

async fn find_actions(aws: &Aws, resource: &ResourceId) -> PortResult<Vec<ScheduledAction>> {
    whole("DescribeScheduledActions", aws.scaling.scheduled_actions(Some(resource)).await?)
}

/// The target-tracking configuration of the policy of this name.
fn tracking_of<'p>(policies: &'p [ScalingPolicy], name: &str) -> Option<&'p TargetTracking> {
    policies.iter().find(|policy| policy.name == name).and_then(ScalingPolicy::tracking)
}

/// The endpoint as SageMaker shows it now, unless a deploy has begun since a write was decided on (rule 11): other
/// writes and their read-backs may have come in between.
async fn settled(
    aws: &Aws,
    operation: &'static str,
    variant: &VariantId,
) -> Result<Endpoint, StepOutcome> {
    let endpoint = look(aws, variant).await.map_err(|error| unseen(operation, &error))?;
    let gone = || skipped(operation, Reason::WorldChanged, "the endpoint has gone");
    let endpoint = endpoint.ok_or_else(gone)?;
    match endpoint.unsettled() {
        None => Ok(endpoint),
        Some(why) => Err(skipped(operation, Reason::WorldChanged, format!("by now {why}"))),
    }
}

async fn look(aws: &Aws, variant: &VariantId) -> PortResult<Option<Endpoint>> {
    let look = tokio::time::timeout(LOOK_WAIT, aws.endpoints.endpoint(&variant.endpoint)).await;
    look.unwrap_or_else(|_| {
        Err(PortError {
            kind: ErrorKind::Transient,
            service: Service::SageMaker,
            operation: "DescribeEndpoint",
            code: None,
            message: format!("no answer within {} s", LOOK_WAIT.as_secs()),
        })
    })
}

/// The current and desired instance counts of a variant.
fn instances(endpoint: &Endpoint, variant: &VariantId) -> Option<(u32, u32)> {
    let summary = endpoint.variant(&variant.variant)?;
    summary.current_instances.zip(summary.desired_instances)
}
