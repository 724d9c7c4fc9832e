//! Step 10, findings: the comparison of capacity with what the configuration claims, and the
//! speed event after a change of regime. Checked every 30 minutes of the data's time.

use serde::{Deserialize, Serialize};

use crate::model::estimate::{Capacity, Finding, Verdict};

use super::grid::MinuteIndex;
use super::settings::Context;

/// Minutes between two checks.
const CHECK_EVERY: MinuteIndex = 30;
/// After a declared change the first check waits for the speed ratio ...
const FIRST_AFTER_DEPLOY: MinuteIndex = 40;
/// ... and the second confirms it within the hour.
const SECOND_AFTER_DEPLOY: MinuteIndex = 60;
/// A finding is confirmed when this many checks in a row agree.
const IN_A_ROW: u8 = 2;
/// How far a bound may lie from the implied capacity.
pub(crate) const TOLERANCE: f64 = 0.10;
/// This many bad minutes among the last 30 break the objective.
pub(crate) const BROKEN_MINUTES: u32 = 15;
/// How long a change of speed is news.
const SPEED_NEWS: MinuteIndex = 1440;

/// Whether a check is due between two minutes (`from` excluded, `to` included). `declared_at` is
/// the last deploy.
pub(super) fn check_due(
    from: MinuteIndex,
    to: MinuteIndex,
    declared_at: Option<MinuteIndex>,
) -> bool {
    let within = |at: MinuteIndex| from < at && at <= to;
    if let Some(declared) = declared_at {
        if within(declared + FIRST_AFTER_DEPLOY) || within(declared + SECOND_AFTER_DEPLOY) {
            return true;
        }
        if to < declared + SECOND_AFTER_DEPLOY && to >= declared {
            return false;
        }
    }
    within(to - to.rem_euclid(CHECK_EVERY))
}

/// What one check looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct DivergenceInput<'a> {
    pub(super) verdict: Verdict,
    pub(super) capacity: &'a Capacity,
    pub(super) context: &'a Context,
    /// lg speed ratio of the present regime, and its age.
    pub(super) lg_ratio: Option<f64>,
    pub(super) regime_age: MinuteIndex,
    pub(super) recent_bad: u32,
    pub(super) load_test_expired: bool,
}

/// The findings, each with the number of checks in a row that saw it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Findings {
    streaks: [u8; Finding::ALL.len()],
}

impl Findings {
    /// One check; answers with what is raised by it.
    pub(super) fn check(&mut self, sight: &DivergenceInput<'_>) -> Vec<Finding> {
        let mut raised = Vec::new();
        for (streak, finding) in self.streaks.iter_mut().zip(Finding::ALL) {
            let needed = checks_needed(finding);
            let before = *streak >= needed;
            *streak = if sees(sight, finding) { streak.saturating_add(1) } else { 0 };
            if *streak >= needed && !before {
                raised.push(finding);
            }
        }
        raised
    }

    /// What stands now.
    pub(super) fn active(&self) -> Vec<Finding> {
        let standing = self.streaks.iter().zip(Finding::ALL);
        standing.filter(|(s, f)| **s >= checks_needed(*f)).map(|(_, f)| f).collect()
    }

    /// After a change of regime the comparison restarts.
    pub(super) fn restart(&mut self) {
        self.streaks = [0; Finding::ALL.len()];
    }
}

const fn checks_needed(finding: Finding) -> u8 {
    match finding {
        // Known for certain as soon as they are known.
        Finding::Slower | Finding::Faster | Finding::LoadTestExpired => 1,
        Finding::AboveCapacity | Finding::Over | Finding::Under | Finding::ObjectiveBroken => {
            IN_A_ROW
        }
    }
}

/// How a target value compares with a capacity, at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// It lies above the upper end of the capacity.
    pub(crate) above_capacity: bool,
    /// It claims clearly more capacity than there is.
    pub(crate) over: bool,
    /// It claims clearly less capacity than there is.
    pub(crate) under: bool,
}

/// Compares a target value with a capacity. Findings are what two checks in a row agree on.
pub(crate) fn compare(verdict: Verdict, capacity: &Capacity, context: &Context) -> Comparison {
    let implied = context.implied_capacity();
    // Evidence must have excluded the other side; the load test's opinion is no finding.
    let high = match verdict {
        Verdict::Measured | Verdict::Inferred | Verdict::AtMost => capacity.high,
        _ => None,
    };
    let low = match verdict {
        Verdict::Measured | Verdict::Inferred => capacity.low,
        Verdict::AtLeast => capacity.lower_bound,
        _ => None,
    };
    Comparison {
        above_capacity: high
            .zip(context.configured_target)
            .is_some_and(|(high, target)| target > high),
        over: high.zip(implied).is_some_and(|(high, k)| high < (1.0 - TOLERANCE) * k),
        under: low.zip(implied).is_some_and(|(low, k)| low > (1.0 + TOLERANCE) * k),
    }
}

fn sees(sight: &DivergenceInput<'_>, finding: Finding) -> bool {
    let compared = compare(sight.verdict, sight.capacity, sight.context);
    let news = sight.lg_ratio.filter(|_| sight.regime_age < SPEED_NEWS).map(f64::exp);
    match finding {
        Finding::AboveCapacity => compared.above_capacity,
        Finding::Over => compared.over,
        Finding::Under => compared.under,
        Finding::Slower => news.is_some_and(|ratio| ratio > 1.0 + TOLERANCE),
        Finding::Faster => news.is_some_and(|ratio| ratio < 1.0 - TOLERANCE),
        Finding::ObjectiveBroken => {
            sight.verdict == Verdict::AtMost || sight.recent_bad >= BROKEN_MINUTES
        }
        Finding::LoadTestExpired => sight.load_test_expired,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight<'a>(capacity: &'a Capacity, context: &'a Context) -> DivergenceInput<'a> {
        DivergenceInput {
            verdict: Verdict::Measured,
            capacity,
            context,
            lg_ratio: None,
            regime_age: 10_000,
            recent_bad: 0,
            load_test_expired: false,
        }
    }

    #[test]
    fn a_claim_above_the_interval_is_over_on_the_second_check() {
        let capacity = Capacity { low: Some(800.0), high: Some(890.0), ..Capacity::default() };
        let context = Context { configured_target: Some(500.0), safety_factor: 0.5 };
        let mut findings = Findings::default();
        assert_eq!(findings.check(&sight(&capacity, &context)), []);
        assert_eq!(findings.check(&sight(&capacity, &context)), [Finding::Over]);
        assert_eq!(findings.check(&sight(&capacity, &context)), []);
        assert_eq!(findings.active(), [Finding::Over]);
    }

    #[test]
    fn an_opinion_without_evidence_is_no_finding() {
        let capacity = Capacity { low: Some(800.0), high: Some(890.0), ..Capacity::default() };
        let context = Context { configured_target: Some(5000.0), safety_factor: 0.5 };
        let mut findings = Findings::default();
        for verdict in [Verdict::AtLeast, Verdict::Unobserved, Verdict::Stale] {
            let sight = DivergenceInput { verdict, ..sight(&capacity, &context) };
            findings.check(&sight);
            findings.check(&sight);
            assert_eq!(findings.active(), []);
        }
    }

    #[test]
    fn checks_come_every_half_hour_and_twice_within_the_hour_after_a_deploy() {
        assert!(check_due(59, 60, None) && check_due(89, 90, None));
        assert!(!check_due(60, 61, None));
        let due: Vec<i64> = (100..230).filter(|&t| check_due(t - 1, t, Some(105))).collect();
        assert_eq!(due, [145, 165, 180, 210]);
    }
}
