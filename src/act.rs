//! WRITE: plan -> outcome. Makes no choices: one match arm for each action.
//!
//! Right before each write it asks for leadership again and looks whether the thing to be written
//! is still the one decided on; right after it, it reads back what AWS shows (rules 20 and 23).

use std::time::Duration;

use crate::model::decision::{Action, Decision, Outcome, StepOutcome, StepResult};
use crate::model::ids::{ResourceId, VariantId};
use crate::model::scaling::{ScalableTarget, SuspendedState, TargetTracking};
use crate::ports::{Aws, Clock, Leadership, PortResult, PutScalingPolicy, RegisterScalableTarget};

/// How often the read-back looks before it says that AWS shows something else.
const READ_BACK_ATTEMPTS: u32 = 3;
/// How long it waits in between: AWS is eventually consistent.
const READ_BACK_WAIT: Duration = Duration::from_secs(2);

/// What acting needs of the world.
pub struct Hands<'a> {
    /// The account and region of the variant.
    pub aws: &'a Aws,
    /// Time, for the read-back.
    pub clock: &'a dyn Clock,
    /// Whether this process may write.
    pub leadership: &'a dyn Leadership,
}

/// Carries a plan out, in order. After a step that did not succeed the rest is skipped: the next
/// pass decides anew.
pub async fn act(hands: &Hands<'_>, decision: &Decision) -> Outcome {
    let mut steps = Vec::with_capacity(decision.plan.actions.len());
    let mut go_on = true;
    for action in &decision.plan.actions {
        let step = if go_on {
            step(hands, &decision.variant, action).await
        } else {
            skipped(action.operation(), "the step before it did not succeed")
        };
        go_on &= step.result == StepResult::Success;
        steps.push(step);
    }
    Outcome { steps }
}

async fn step(hands: &Hands<'_>, variant: &VariantId, action: &Action) -> StepOutcome {
    let resource = variant.resource();
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
            register_target(hands, variant, &register, expected.as_ref(), *expected_instances).await
        }
        Action::PutPolicy { policy_name, configuration, expected, .. } => {
            let put = PutScalingPolicy {
                resource,
                policy_name: policy_name.clone(),
                configuration: configuration.clone(),
            };
            put_policy(hands, &put, expected.as_ref()).await
        }
    }
}

async fn register_target(
    hands: &Hands<'_>,
    variant: &VariantId,
    register: &RegisterScalableTarget,
    expected: Option<&ScalableTarget>,
    expected_instances: Option<(u32, u32)>,
) -> StepOutcome {
    const OPERATION: &str = "RegisterScalableTarget";
    let actual = match find_target(hands.aws, &register.resource).await {
        Ok(actual) => actual,
        Err(error) => return skipped(OPERATION, format!("could not look again: {error}")),
    };
    let same_target = match (&actual, expected) {
        (None, None) => true,
        (Some(a), Some(b)) => {
            (a.min_capacity, a.max_capacity, a.suspended)
                == (b.min_capacity, b.max_capacity, b.suspended)
        }
        _ => false,
    };
    if !same_target {
        return skipped(OPERATION, "the scalable target has changed since it was decided on");
    }
    match instances(hands.aws, variant).await {
        Ok(now) if now == expected_instances => {}
        Ok(_) => return skipped(OPERATION, "the instance count has changed since the decision"),
        Err(error) => return skipped(OPERATION, format!("could not look again: {error}")),
    }
    if !hands.leadership.may_write() {
        return skipped(OPERATION, "leadership was lost");
    }
    if let Err(error) = hands.aws.writes.register_scalable_target(register).await {
        return StepOutcome {
            operation: OPERATION,
            result: StepResult::Error,
            sentence: error.to_string(),
        };
    }
    read_back(hands, OPERATION, || async {
        let shown = find_target(hands.aws, &register.resource).await?;
        Ok(shown.is_some_and(|shown| {
            register.min_capacity.is_none_or(|min| min == shown.min_capacity)
                && register.max_capacity.is_none_or(|max| max == shown.max_capacity)
                && register.suspended.is_none_or(|suspended| suspended == shown.suspended)
        }))
    })
    .await
}

async fn put_policy(
    hands: &Hands<'_>,
    put: &PutScalingPolicy,
    expected: Option<&TargetTracking>,
) -> StepOutcome {
    const OPERATION: &str = "PutScalingPolicy";
    let actual = match find_tracking(hands.aws, &put.resource, None).await {
        Ok(actual) => actual,
        Err(error) => return skipped(OPERATION, format!("could not look again: {error}")),
    };
    let same = match (&actual, expected) {
        (None, None) => true,
        (Some(a), Some(b)) => a.equivalent(b),
        _ => false,
    };
    if !same {
        return skipped(OPERATION, "the policy has changed since it was decided on");
    }
    if !hands.leadership.may_write() {
        return skipped(OPERATION, "leadership was lost");
    }
    if let Err(error) = hands.aws.writes.put_scaling_policy(put).await {
        return StepOutcome {
            operation: OPERATION,
            result: StepResult::Error,
            sentence: error.to_string(),
        };
    }
    read_back(hands, OPERATION, || async {
        let shown = find_tracking(hands.aws, &put.resource, Some(&put.policy_name)).await?;
        Ok(shown.is_some_and(|shown| shown.equivalent(&put.configuration)))
    })
    .await
}

/// Looks a few times whether AWS shows what was written.
async fn read_back<F, Fut>(hands: &Hands<'_>, operation: &'static str, shows_it: F) -> StepOutcome
where
    F: Fn() -> Fut,
    Fut: Future<Output = PortResult<bool>>,
{
    let mut last_error = None;
    for attempt in 0..READ_BACK_ATTEMPTS {
        if attempt > 0 {
            hands.clock.sleep(READ_BACK_WAIT).await;
        }
        match shows_it().await {
            Ok(true) => {
                return StepOutcome {
                    operation,
                    result: StepResult::Success,
                    sentence: "written and read back".to_owned(),
                };
            }
            Ok(false) => last_error = None,
            Err(error) => last_error = Some(error),
        }
    }
    let sentence = last_error.map_or_else(
        || "written, but AWS does not show it".to_owned(),
        |error| format!("written, but it could not be read back: {error}"),
    );
    StepOutcome { operation, result: StepResult::ReadBackDiffers, sentence }
}

fn skipped(operation: &'static str, sentence: impl Into<String>) -> StepOutcome {
    StepOutcome { operation, result: StepResult::Skipped, sentence: sentence.into() }
}

async fn find_target(aws: &Aws, resource: &ResourceId) -> PortResult<Option<ScalableTarget>> {
    let of = std::slice::from_ref(resource);
    let targets = aws.scaling.scalable_targets(Some(of)).await?;
    Ok(targets.into_iter().find(|t| t.resource == *resource))
}

/// The configuration of the policy on invocations per instance, of that name if one is given.
async fn find_tracking(
    aws: &Aws,
    resource: &ResourceId,
    name: Option<&str>,
) -> PortResult<Option<TargetTracking>> {
    let policies = aws.scaling.scaling_policies(Some(resource)).await?;
    let mut own = policies.iter().filter(|p| name.is_none_or(|name| p.name == name));
    Ok(own.find_map(|p| p.invocations_tracking().cloned()))
}

/// The current and desired instance counts as SageMaker shows them now.
async fn instances(aws: &Aws, variant: &VariantId) -> PortResult<Option<(u32, u32)>> {
    let endpoint = aws.endpoints.endpoint(&variant.endpoint).await?;
    let summary = endpoint.as_ref().and_then(|e| e.variant(&variant.variant));
    Ok(summary.and_then(|v| v.current_instances.zip(v.desired_instances)))
}
