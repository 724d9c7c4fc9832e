//! Step 11, the explanation: one sentence for an SRE.

use crate::model::estimate::{Capacity, MinutesUsed, Verdict};
use crate::model::goal::Objective;
use crate::model::units::{for_reading, human};

/// An interval of this half-width, in lg, is narrow.
const NARROW: f64 = 0.10;
/// The half-width that no number of minutes removes.
const FLOOR: f64 = 0.04;
/// Fewer missing minutes are not worth a word, and more are many.
const MISSING_MIN: f64 = 2.0;
const MISSING_MAX: f64 = 1000.0;
/// With so many bad minutes nearly all capacities are measured.
const BAD_TO_MEASURE: u32 = 5;

/// What the sentence reports.
pub(super) struct SentenceInput<'a> {
    pub(super) verdict: Verdict,
    pub(super) capacity: &'a Capacity,
    pub(super) minutes: &'a MinutesUsed,
    pub(super) bad: u32,
    pub(super) objective: &'a Objective,
    pub(super) pooled: bool,
    /// Minutes seen near the capacity, decayed.
    pub(super) near: f64,
    pub(super) wanders: bool,
    /// Whether it is too early to say that latency does not wander.
    pub(super) may_wander: bool,
    pub(super) lg_ratio: Option<f64>,
    pub(super) older_regime_undeclared: bool,
}

pub(super) fn sentence(story: &SentenceInput<'_>) -> String {
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
        Verdict::AtMost => {
            let most = c.high.map_or_else(String::new, |high| {
                let high = human(for_reading(high).floor());
                format!("one instance serves at most {high} invocations per minute; ")
            });
            format!("{most}no load was seen to be fine since what runs last changed: {counted}")
        }
        Verdict::Unobserved if story.minutes.used == 0 => {
            "the load does not show capacity yet: no minute could be used so far".to_owned()
        }
        Verdict::Unobserved => format!("the load does not show capacity yet: {counted}"),
        Verdict::Stale => {
            format!("no load near the capacity known before in 14 days: {counted}")
        }
    };
    if let Some(missing) = missing(story) {
        text.push_str(&missing);
    }
    if story.verdict == Verdict::Inferred && story.wanders {
        text.push_str("; latency at equal load wanders, a request is not a unit of work here");
    } else if story.verdict == Verdict::Inferred && story.may_wander {
        text.push_str(
            "; latency at equal load differs from hour to hour, and three days will tell whether \
             it wanders",
        );
    } else if story.verdict == Verdict::Inferred {
        text.push_str(match story.lg_ratio {
            Some(_) => "; carried over the last change by the ratio of medians at equal load",
            None => "; carried over the last change without a ratio of medians",
        });
    }
    if story.older_regime_undeclared && story.lg_ratio.is_some() {
        text.push_str("; the change was found from the data, no one declared it");
    }
    text
}

/// What would make the answer better: minutes near the capacity, or beyond it.
fn missing(story: &SentenceInput<'_>) -> Option<String> {
    match story.verdict {
        // Where latency wanders, more minutes say the same.
        Verdict::Measured | Verdict::Inferred if !story.wanders => {
            let c = story.capacity;
            let half = (c.high? / c.low?).ln() / 2.0;
            let random = |half: f64| half * half - FLOOR * FLOOR;
            let needed = story.near.max(1.0) * (random(half) / random(NARROW) - 1.0);
            (needed >= MISSING_MIN).then(|| {
                format!(
                    "; about {} more minutes within 20 % of that would narrow it to {:.0} %",
                    two_digits(needed.min(MISSING_MAX)),
                    100.0 * NARROW
                )
            })
        }
        Verdict::AtLeast => {
            let more = BAD_TO_MEASURE.saturating_sub(story.bad).max(1);
            let minutes = if more == 1 { "minute" } else { "minutes" };
            Some(format!("; about {more} more {minutes} above its limit would measure it"))
        }
        _ => None,
    }
}

/// Minutes that nobody can count on to the last one.
fn two_digits(minutes: f64) -> f64 {
    let scale = 10_f64.powf((minutes.log10().floor() - 1.0).max(0.0));
    (minutes / scale).ceil() * scale
}

fn counted(story: &SentenceInput<'_>) -> String {
    let unit = if story.pooled { "periods of 1 to 15 minutes" } else { "minutes" };
    let objective = match story.objective.latency {
        Some(latency) => format!("{} {} ms", latency.statistic, latency.threshold_ms),
        None => "the objective".to_owned(),
    };
    format!("{} of {} {unit} broke {objective}", story.bad, story.minutes.used)
}

fn whole(v: Option<f64>) -> String {
    v.map_or_else(|| "an unknown number of".to_owned(), |v| human(for_reading(v).floor()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::goal::LatencyObjective;
    use crate::model::units::LatencyStatistic;

    fn reported(verdict: Verdict, (low, high): (f64, f64), near: f64, bad: u32) -> String {
        let capacity = Capacity {
            estimate: Some(1000.0),
            low: Some(low),
            high: Some(high),
            lower_bound: Some(low),
            q25: Some(low),
        };
        let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
        sentence(&SentenceInput {
            verdict,
            capacity: &capacity,
            minutes: &MinutesUsed { used: 500, ..MinutesUsed::default() },
            bad,
            objective: &Objective { latency: Some(latency), error_rate_max: 0.01 },
            pooled: false,
            near,
            wanders: false,
            may_wander: false,
            lg_ratio: None,
            older_regime_undeclared: false,
        })
    }

    #[test]
    fn a_wide_interval_says_how_many_minutes_are_missing() {
        let wide = reported(Verdict::Measured, (700.0, 1400.0), 3.0, 4);
        assert!(wide.contains("; about 40 more minutes within 20 % of that"), "{wide}");
        let narrow = reported(Verdict::Measured, (940.0, 1060.0), 300.0, 90);
        assert!(!narrow.contains("more minutes"), "{narrow}");
        let bound = reported(Verdict::AtLeast, (700.0, 900.0), 0.0, 3);
        assert!(
            bound.ends_with("; about 2 more minutes above its limit would measure it"),
            "{bound}"
        );
        assert_eq!((two_digits(1234.0), two_digits(7.2)), (1300.0, 8.0));
    }
}
