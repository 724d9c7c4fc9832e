//! Step 11, the explanation: one sentence for an SRE.

use crate::model::estimate::{Capacity, MinutesUsed, Verdict};
use crate::model::goal::Objective;

/// What the sentence tells of.
pub(super) struct Story<'a> {
    pub(super) verdict: Verdict,
    pub(super) capacity: &'a Capacity,
    pub(super) minutes: &'a MinutesUsed,
    pub(super) bad: u32,
    pub(super) objective: &'a Objective,
    pub(super) pooled: bool,
    pub(super) wanders: bool,
    pub(super) lg_ratio: Option<f64>,
    pub(super) older_regime_undeclared: bool,
}

/// One sentence.
pub(super) fn sentence(story: &Story<'_>) -> String {
    let counted = counted(story);
    let c = story.capacity;
    let mut text = match story.verdict {
        Verdict::Measured | Verdict::Inferred => format!(
            "one instance serves {} invocations per minute ({} to {}): {counted}",
            whole(c.estimate),
            whole(c.low),
            whole(c.high)
        ),
        Verdict::AtLeast => format!(
            "one instance serves at least {} invocations per minute; its limit was not seen: \
             {counted}",
            whole(c.lower_bound.or(c.low))
        ),
        Verdict::AtMost => format!(
            "one instance serves at most {} invocations per minute; every load seen broke the \
             objective: {counted}",
            whole(c.high)
        ),
        Verdict::Unobserved => format!("the load says nothing of capacity yet: {counted}"),
        Verdict::Stale => {
            format!("no load near the capacity known before in 14 days: {counted}")
        }
    };
    if story.verdict == Verdict::Inferred && story.wanders {
        text.push_str("; latency at equal load wanders, a request is no unit of work here");
    } else if story.verdict == Verdict::Inferred {
        text.push_str(match story.lg_ratio {
            Some(_) => "; carried over the last change by the ratio of medians at equal load",
            None => "; carried over the last change without a ratio of medians",
        });
    }
    if story.older_regime_undeclared && story.lg_ratio.is_some() {
        text.push_str("; the change was found from the data, nobody declared it");
    }
    text
}

fn counted(story: &Story<'_>) -> String {
    let unit = if story.pooled { "periods of 1 to 15 minutes" } else { "minutes" };
    let objective = match story.objective.latency {
        Some(latency) => format!("{} {} ms", latency.statistic, latency.threshold_ms),
        None => "the objective".to_owned(),
    };
    format!("{} of {} {unit} broke {objective}", story.bad, story.minutes.used)
}

fn whole(v: Option<f64>) -> String {
    v.map_or_else(|| "an unknown number of".to_owned(), |v| format!("{v:.0}"))
}
