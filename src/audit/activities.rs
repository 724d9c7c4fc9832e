//! What the decision's notes say of a variant that its policy does not show: what AWS tried and
//! could not do, and what telemetry tells, where it was read.

use super::{Finding, Look, Severity, decided};
use crate::model::decision::Note;
use crate::model::fact::Fact;
use crate::model::reason::Reason;
use crate::model::scaling::Activity;
use crate::model::status::VariantStatus;

/// The same variant with its scaling activities, and with what they mean for it.
#[must_use]
pub fn with_activities(status: &VariantStatus, activities: Fact<Vec<Activity>>) -> VariantStatus {
    let mut status = status.clone();
    status.snapshot.activities = activities;
    let estimate = status.decision.report.estimate.clone();
    status.decision = decided(&status.snapshot, &status.goal, &estimate);
    status
}

/// Takes the notes over that are about something wrong.
pub(super) fn say(look: &Look<'_>, notes: &[Note], found: &mut Vec<Finding>) {
    for note in notes {
        let Some((code, severity, advice)) = meaning(look, note.reason) else { continue };
        // What is known from telemetry goes before what the number alone looks like.
        found.retain(|finding| finding.code != code);
        let (sentence, advice) = (note.sentence.clone(), advice.to_owned());
        found.push(Finding { code, severity, sentence, advice });
    }
}

/// What a note means for somebody who has configured nothing yet.
fn meaning(look: &Look<'_>, reason: Reason) -> Option<(&'static str, Severity, &'static str)> {
    let scaled = look.target.is_some();
    match reason {
        Reason::ScalingFailed => Some((
            "scaling_failed",
            Severity::High,
            "mend what AWS names; a quota of instances is raised in Service Quotas",
        )),
        Reason::NotScaled if !look.is_at_max() => Some((
            "not_scaled",
            Severity::Medium,
            "aws application-autoscaling describe-scaling-activities \
             --include-not-scaled-activities has all of AWS's reasons",
        )),
        Reason::RpsAsTarget => Some((
            "target_like_per_second",
            Severity::High,
            "set the target value per minute: requests per second x safety factor x 60",
        )),
        Reason::AtMax if scaled => Some((
            "at_max",
            Severity::High,
            "raise max, after a look at the account's instance quota; or the target value is too low",
        )),
        Reason::UnevenRouting => Some((
            "uneven_routing",
            Severity::Low,
            "judge the busiest instance, not the average one",
        )),
        _ => None,
    }
}
