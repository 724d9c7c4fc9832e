//! What would change the answer: what a person can do, what is waited for, what evidence is missing.

use super::{read, span};
use crate::model::estimate::Verdict;
use crate::model::status::VariantStatus;

/// One sentence each.
pub(super) fn sentences(status: &VariantStatus) -> Vec<String> {
    let report = &status.decision.report;
    let mut lines: Vec<String> = Vec::new();
    for reason in report.reasons() {
        if let Some(sentence) = reason.class().ends
            && !lines.iter().any(|earlier| earlier == sentence)
        {
            lines.push(sentence.to_owned());
        }
    }
    lines.extend(evidence(status));
    if let Some(at) = status.decision.wake_at {
        let (at, left) = (at.format("%FT%TZ"), span(at - status.decision.at));
        lines.push(format!("with nothing new from AWS, the answer can change at {at}, in {left}"));
    } else {
        lines.push("the next pass looks again".to_owned());
    }
    lines
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
            read(bounds.lower_bound.or(estimate.highest_good_load))
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
