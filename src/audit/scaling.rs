//! Whether anything scales a variant, and what keeps it from doing so.

use super::{Finding, Look, Severity, instances};
use crate::model::alarms::AlarmProblem;
use crate::model::endpoint::{EndpointStatus, VariantKind};
use crate::model::scaling::{AlarmSide, AlarmState, ScalingPolicy};

/// A scalable target whose endpoint or variant does not exist.
pub(super) fn left_behind(look: &Look<'_>, found: &mut Vec<Finding>) {
    let gone = if look.endpoint.is_none() {
        "the endpoint is gone"
    } else {
        "the endpoint has no such variant"
    };
    let policies = look.policies.map_or(0, <[_]>::len);
    let with = match policies {
        0 => String::new(),
        1 => " with 1 policy".to_owned(),
        many => format!(" with {many} policies"),
    };
    found.push(Finding {
        code: "left_behind",
        severity: Severity::Medium,
        sentence: format!("{gone}, and its scalable target{with} is still registered"),
        advice:
            "deregister it (aws application-autoscaling deregister-scalable-target): it counts \
                 towards the quota, and an endpoint made under this name later would inherit it"
                .to_owned(),
    });
}

/// The endpoint itself, and whether anything scales it.
pub(super) fn endpoint(look: &Look<'_>, found: &mut Vec<Finding>) {
    let Some(endpoint) = look.endpoint else { return };
    let failed = matches!(
        endpoint.status,
        EndpointStatus::Failed
            | EndpointStatus::OutOfService
            | EndpointStatus::UpdateRollbackFailed
    );
    if failed {
        let why =
            endpoint.failure_reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        found.push(Finding {
            code: "endpoint_failed",
            severity: Severity::High,
            sentence: format!("the endpoint is {}{why}", endpoint.status.as_str()),
            advice: "nothing scales it until it is InService: deploy it again, or delete it"
                .to_owned(),
        });
    }
    if look.target.is_none() && look.is_standard() {
        no_scaling(look, found);
    }
    if look.kind == Some(VariantKind::Burstable) {
        let on = look.instance_type().unwrap_or("a T family instance");
        found.push(Finding {
            code: "cannot_scale",
            severity: Severity::Low,
            sentence: format!("it runs on {on}, which AWS does not scale"),
            advice: "move it to another instance family if its load varies".to_owned(),
        });
    }
}

fn no_scaling(look: &Look<'_>, found: &mut Vec<Finding>) {
    let on = look.instance_type().map_or_else(String::new, |name| format!(" of {name}"));
    let running = look.instances().map_or_else(
        || "its instances run".to_owned(),
        |count| format!("{}{on} {}", instances(count), if count == 1 { "runs" } else { "run" }),
    );
    found.push(Finding {
        code: "no_scaling",
        severity: Severity::High,
        sentence: format!("nothing scales it: {running} whatever the load"),
        advice: "load-test one instance (setpoint calibrate), then configure it with capacity and \
                 load_test"
            .to_owned(),
    });
}

/// Min, max and what is suspended.
pub(super) fn bounds(look: &Look<'_>, found: &mut Vec<Finding>) {
    let Some(target) = look.target else { return };
    let (min, max) = (target.min_capacity, target.max_capacity);
    if target.suspended.any() {
        let severity = if target.suspended.scale_out { Severity::High } else { Severity::Medium };
        found.push(Finding {
            code: "scaling_suspended",
            severity,
            sentence: format!("suspended: {}", target.suspended.words()),
            advice: "resume it once whoever suspended it agrees (register-scalable-target \
                     --suspended-state)"
                .to_owned(),
        });
    }
    if min == max {
        found.push(Finding {
            code: "fixed_capacity",
            severity: Severity::Medium,
            sentence: format!("min and max are both {max}, so that no policy can change anything"),
            advice: "raise max, or remove the scalable target if the number is meant to be fixed"
                .to_owned(),
        });
    } else if look.is_at_max() {
        at_max(look, max, found);
    }
    if min <= 1 && look.is_standard() {
        found.push(Finding {
            code: "single_instance",
            severity: Severity::Low,
            sentence: format!("min is {min}: with one instance, its loss is an outage"),
            advice:
                "in production set min to 2 or more, which SageMaker spreads over Availability \
                     Zones"
                    .to_owned(),
        });
    }
}

fn at_max(look: &Look<'_>, max: i32, found: &mut Vec<Finding>) {
    let alarms = look.snapshot.alarms.known().map_or(&[][..], Vec::as_slice);
    let rings =
        alarms.iter().find(|a| a.side() == Some(AlarmSide::High) && a.state == AlarmState::Alarm);
    let since = rings.and_then(|alarm| alarm.state_since);
    let (severity, rest) = match (rings, since) {
        (None, _) => (Severity::Medium, "nothing is left for more load".to_owned()),
        (Some(_), None) => (Severity::High, "its alarm calls for more".to_owned()),
        (Some(_), Some(since)) => (
            Severity::High,
            format!("its alarm has called for more since {}", since.format("%FT%TZ")),
        ),
    };
    found.push(Finding {
        code: "at_max",
        severity,
        sentence: format!("all {} that max allows run, and {rest}", instances(max)),
        advice: "raise max, after a look at the account's instance quota; or the target value is \
                 too low"
            .to_owned(),
    });
}

pub(super) fn policies(look: &Look<'_>, found: &mut Vec<Finding>) {
    let (Some(target), Some(policies)) = (look.target, look.policies) else { return };
    let described: Vec<String> =
        policies.iter().map(|policy| format!("{} ({})", policy.name, policy.describe())).collect();
    if policies.is_empty() && look.is_standard() {
        no_policy(look, found);
    }
    if policies.len() > 1 {
        found.push(Finding {
            code: "competing_policies",
            severity: Severity::Medium,
            sentence: format!("{} policies scale it: {}", policies.len(), described.join(", ")),
            advice:
                "keep one: the largest number of instances wins, and it scales in only when all \
                     agree"
                    .to_owned(),
        });
    }
    if let (Some(kind), Some(policy)) = (look.kind, look.policy())
        && let Some(because) = kind.unsupported_because()
    {
        let never = kind == VariantKind::Asynchronous || kind == VariantKind::Serverless;
        found.push(Finding {
            code: "metric_without_meaning",
            severity: if never { Severity::High } else { Severity::Medium },
            sentence: format!(
                "the policy {} tracks a metric that cannot work here: {because}",
                policy.name
            ),
            advice: advice_for_kind(kind).to_owned(),
        });
    } else if !policies.is_empty() && look.policy().is_none() && look.is_standard() {
        found.push(Finding {
            code: "other_metric",
            severity: Severity::Low,
            sentence: format!(
                "scaled by {}, not by invocations per instance",
                described.join(", ")
            ),
            advice: "setpoint judges the metric SageMakerVariantInvocationsPerInstance only"
                .to_owned(),
        });
    }
    let disabled =
        look.tracking().is_some_and(crate::model::scaling::TargetTracking::scale_in_disabled);
    if disabled && target.max_capacity > target.min_capacity {
        found.push(Finding {
            code: "scale_in_disabled",
            severity: Severity::Medium,
            sentence: "scale-in is disabled: every instance that was ever needed stays".to_owned(),
            advice: "enable scale-in, unless another policy removes instances".to_owned(),
        });
    }
}

fn no_policy(look: &Look<'_>, found: &mut Vec<Finding>) {
    let Some(target) = look.target else { return };
    let (min, max) = (target.min_capacity, target.max_capacity);
    let actions = look.snapshot.scheduled_actions.known().map_or(0, Vec::len);
    let (severity, sentence) = match actions {
        0 => (
            Severity::High,
            format!("registered for {min} to {}, and no policy scales it", instances(max)),
        ),
        _ => (Severity::Medium, "only scheduled actions change its number of instances".to_owned()),
    };
    found.push(Finding {
        code: "no_policy",
        severity,
        sentence,
        advice: "load-test one instance (setpoint calibrate), then configure it with load_test"
            .to_owned(),
    });
}

/// What scales such a kind instead.
const fn advice_for_kind(kind: VariantKind) -> &'static str {
    match kind {
        VariantKind::Asynchronous => "track ApproximateBacklogSizePerInstance instead",
        VariantKind::Serverless => "scale provisioned concurrency instead",
        VariantKind::InferenceComponents => {
            "scale the copies of each inference component (InvocationsPerCopy) instead"
        }
        VariantKind::InstancePools => "track a metric weighted by instance type instead",
        _ => "track a metric of the instances instead, such as CPU or GPU utilization",
    }
}

/// The two alarms without which a policy does nothing.
pub(super) fn alarms(look: &Look<'_>, found: &mut Vec<Finding>) {
    let (Some(policy), Some(alarms)) = (look.policy(), look.snapshot.alarms.known()) else {
        return;
    };
    if !look.is_standard() {
        return;
    }
    let Some(problem) = AlarmProblem::of(policy, alarms) else { return };
    let severity = match problem {
        AlarmProblem::BothMissing
        | AlarmProblem::Missing(AlarmSide::High)
        | AlarmProblem::ActionsDisabled(AlarmSide::High)
        | AlarmProblem::ForeignThreshold { .. } => Severity::High,
        AlarmProblem::Missing(AlarmSide::Low) | AlarmProblem::ActionsDisabled(AlarmSide::Low) => {
            Severity::Medium
        }
        // Without traffic that is how it should be, and whether there is any costs money to know.
        AlarmProblem::InsufficientData(_) => return,
    };
    found.push(Finding {
        code: "alarms",
        severity,
        sentence: format!("{problem}: {}", consequence(problem)),
        advice: format!(
            "put the policy {} again as it is: AWS makes its alarms with it",
            name(policy)
        ),
    });
}

const fn consequence(problem: AlarmProblem) -> &'static str {
    match problem {
        AlarmProblem::BothMissing => "the policy does nothing",
        AlarmProblem::ForeignThreshold { .. } => "it scales by another value than the policy says",
        AlarmProblem::Missing(AlarmSide::High)
        | AlarmProblem::ActionsDisabled(AlarmSide::High)
        | AlarmProblem::InsufficientData(_) => "it does not scale out",
        AlarmProblem::Missing(AlarmSide::Low) | AlarmProblem::ActionsDisabled(AlarmSide::Low) => {
            "it does not scale in"
        }
    }
}

fn name(policy: &ScalingPolicy) -> &str {
    &policy.name
}
