//! What would change the answer: what a person can do, what is waited for, what evidence is missing.

use super::{number, span};
use crate::model::decision::FieldState;
use crate::model::estimate::Verdict;
use crate::model::reason::Reason;
use crate::model::status::VariantStatus;

/// One sentence each.
pub(super) fn sentences(status: &VariantStatus) -> Vec<String> {
    let report = &status.decision.report;
    let mut told: Vec<String> = Vec::new();
    let spoke = report.fields.iter().filter(|field| field.state != FieldState::InSync);
    let spoke = spoke.map(|field| field.reason).chain(report.notes.iter().map(|note| note.reason));
    for reason in std::iter::once(report.reason).chain(spoke) {
        if let Some(sentence) = of_reason(reason)
            && !told.iter().any(|earlier| earlier == sentence)
        {
            told.push(sentence.to_owned());
        }
    }
    told.extend(evidence(status));
    if let Some(at) = status.decision.wake_at {
        let (at, left) = (at.format("%FT%TZ"), span(at - status.decision.at));
        told.push(format!("with nothing new from AWS, the answer can change at {at}, in {left}"));
    } else {
        told.push("the next pass looks again".to_owned());
    }
    told
}

/// What ends this reason; absent where its own sentence says so, or nothing is to end.
const fn of_reason(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::Observe => "mode repair or auto would let it be written",
        Reason::WrongAccount => "the right aws.account_id, or credentials of that account",
        Reason::Adoption => "adopt: true, or one confirmed setpoint apply",
        Reason::NotAsShown | Reason::MassChange => {
            "setpoint confirm PLAN_ID of what is shown now (setpoint plan shows it)"
        }
        Reason::NoValue | Reason::NotCompared => "a load test in the configuration, or mode auto",
        Reason::Unlisted => "a target of the configuration that lists the variant",
        Reason::ReconcileDisabled => "reconcile.enabled: true",
        Reason::Paused => "the end of the pause, or setpoint resume",
        Reason::Frozen => "the end of the freeze window",
        Reason::WriteLimit => "the next hour or day, whose writes are not used up",
        Reason::EndpointUpdating => "the deploy ends and the endpoint is InService",
        Reason::PendingCapacity | Reason::LoweringStep | Reason::ScaleInStep => {
            "the instances of the last change have come or gone, and the next step may follow"
        }
        Reason::NewGround => "24 hours after the last raise onto new ground",
        Reason::NewRegime => "the first hour after the deploy ends",
        Reason::Suspended => "scaling is resumed by whoever suspended it, or unsuspend: true",
        Reason::CompetingPolicy => "the other policy goes",
        Reason::SafeChangeGrace | Reason::JustRemoved => "the grace period ends",
        Reason::ClampWouldMoveInstances => {
            "allow_clamp: true, or an instance count within min and max"
        }
        Reason::Unknown | Reason::CouldNotCompare => "what could not be read can be read",
        Reason::Stale => "newer telemetry",
        Reason::Rails => "a release of setpoint without this bug",
        Reason::Incident => "the incident ends",
        Reason::OtherWriter => "setpoint resume, once the other writer has stopped",
        Reason::OtherSetpoint => {
            "the other setpoint stops, or shares this one's Lease; then setpoint resume"
        }
        Reason::CallBudget => "AWS's calls of this region are free again",
        Reason::NoObjective => "objective.latency in the configuration",
        Reason::LoadTestExpired | Reason::LoadTestMismatch => "a new load test of what runs now",
        Reason::AtMax | Reason::MaxBound => "a higher max capacity",
        Reason::AtMin | Reason::MinBound => "a lower min capacity",
        Reason::OwnerLimit => "another floor or ceiling (target_value of the configuration)",
        _ => return None,
    })
}

/// Which minutes would say more of capacity than those that are known.
fn evidence(status: &VariantStatus) -> Option<String> {
    let estimate = &status.decision.report.estimate;
    let bounds = estimate.capacity;
    status.goal.objective.latency?;
    match estimate.verdict {
        Verdict::AtLeast => Some(format!(
            "minutes above {} per instance would raise the proven bound when they are good, and show the \
             limit when they are not",
            number(bounds.lower_bound.or(estimate.highest_good_load))
        )),
        Verdict::AtMost => Some(
            "minutes that meet the objective, at any load, would show what is served well"
                .to_owned(),
        ),
        Verdict::Unobserved | Verdict::Stale => {
            Some("new telemetry of minutes with load".to_owned())
        }
        Verdict::Measured | Verdict::Inferred => None,
    }
}
