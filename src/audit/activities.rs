//! What the decision's notes say of a variant that its policy does not show: what AWS tried and
//! could not do, and what telemetry tells, where it was read.

use super::{Finding, Look, decided};
use crate::model::decision::Note;
use crate::model::fact::Fact;
use crate::model::reason::Reason;
use crate::model::scaling::Activity;
use crate::model::shared::Shared;
use crate::model::status::VariantStatus;

/// The same variant with its scaling activities, and with what they mean for it.
pub fn with_activities(status: &VariantStatus, activities: Fact<Vec<Activity>>) -> VariantStatus {
    let mut status = status.clone();
    status.snapshot.activities = activities.map(Shared::from);
    let estimate = status.decision.report.estimate.clone();
    status.decision = decided(&status.snapshot, &status.goal, &estimate);
    status
}

/// Takes the notes over that are about something wrong.
pub(super) fn say(look: &Look<'_>, notes: &[Note], found: &mut Vec<Finding>) {
    for note in notes {
        let Some((code, severity, advice)) = note.reason.class().audit else { continue };
        // At max, AWS has no other choice.
        if note.reason == Reason::NotScaled && look.is_at_max() {
            continue;
        }
        // What is known from telemetry goes before what the number alone looks like.
        found.retain(|finding| finding.code != code);
        let (sentence, advice) = (note.sentence.to_string(), advice.to_owned());
        found.push(Finding { code, severity, sentence, advice });
    }
}
