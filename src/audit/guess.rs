//! A latency objective guessed from a variant's own quiet minutes, for whoever has stated none, and what
//! measured capacity says of the target value by it.

use serde::Serialize;

use super::{Finding, Look, Severity};
use crate::model::estimate::{Capacity, Verdict};
use crate::model::goal::LatencyObjective;
use crate::model::ids::VariantId;
use crate::model::safety::{Safety, Unproven};
use crate::model::status::VariantStatus;
use crate::model::units::{LatencyStatistic, human};

/// The statistic that objectives are guessed for: what slow requests take is what users complain of.
pub const STATISTIC: LatencyStatistic = LatencyStatistic::P99;
/// Below an hour and a half of loaded minutes the quietest third is a handful of minutes, and its
/// median is chance.
const MINUTES_MIN: usize = 90;
/// The guess is twice the quiet p99. Queues make latency grow slowly up to some 80 % of saturation and
/// without end beyond it, so twice the quiet latency lies on the steep part for every kind of service:
/// where exactly the objective is matters little to the capacity there.
const QUIET_TIMES: f64 = 2.0;
/// Numbers that people choose as objectives, within a power of ten.
const ROUND: [f64; 10] = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];

/// The words of findings that rest on a guessed objective.
pub const GUESSED_CODES: [&str; 5] = [
    "target_above_capacity",
    "target_over_capacity",
    "slow_minutes",
    "target_far_below_capacity",
    "no_evidence",
];

/// An objective that nobody has stated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Guess {
    pub statistic: LatencyStatistic,
    /// Milliseconds that it may be at most, by the guess.
    pub threshold_ms: f64,
    /// The median of the statistic in the quietest third of loaded minutes, in milliseconds.
    pub quiet_ms: f64,
    /// How many loaded minutes there were.
    pub loaded_minutes: usize,
}

impl Guess {
    /// Guesses from loaded minutes: requests per instance, and p99 in microseconds.
    ///
    /// # Errors
    /// A sentence, when there are too few of them.
    pub fn of(mut loaded: Vec<(f64, f64)>) -> Result<Self, String> {
        if loaded.len() < MINUTES_MIN {
            return Err(format!(
                "too little traffic to guess an objective: {} loaded minutes, at least {MINUTES_MIN} are needed",
                loaded.len()
            ));
        }
        let loaded_minutes = loaded.len();
        loaded.sort_by(|a, b| a.0.total_cmp(&b.0));
        loaded.truncate(loaded_minutes / 3);
        let mut quiet: Vec<f64> = loaded.into_iter().map(|(_, latency_us)| latency_us).collect();
        quiet.sort_by(f64::total_cmp);
        // Of a median one slow minute in a hundred says nothing.
        let quiet_ms = quiet.get(quiet.len() / 2).copied().unwrap_or_default() / 1000.0;
        let threshold_ms = round_up(QUIET_TIMES * quiet_ms);
        Ok(Self { statistic: STATISTIC, threshold_ms, quiet_ms, loaded_minutes })
    }

    pub const fn objective(&self) -> LatencyObjective {
        LatencyObjective { statistic: self.statistic, threshold_ms: self.threshold_ms }
    }
}

impl std::fmt::Display for Guess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ms", self.statistic.as_str(), human(self.threshold_ms))
    }
}

/// The next number up that a person would have chosen; at least a millisecond.
fn round_up(ms: f64) -> f64 {
    let ms = ms.max(1.0);
    let power = 10_f64.powf(ms.log10().floor());
    // What a power of ten leaves over in floating point is no step.
    let step = ROUND.into_iter().find(|step| step * power >= ms * (1.0 - 1e-9));
    step.unwrap_or(10.0) * power
}

/// What the measured capacity says of one variant.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    pub id: VariantId,
    /// The objective it was judged by, or why none could be guessed.
    pub guess: Result<Guess, String>,
    pub target_value: Option<f64>,
    /// What was measured.
    pub verdict: Verdict,
    /// The capacity by the guessed objective.
    pub capacity: Capacity,
    /// Whether the target value is safe by it.
    pub safety: Safety,
    pub sentence: String,
}

impl Judged {
    /// Of a pass that judged by this guess.
    pub fn of(status: &VariantStatus, guess: Result<Guess, String>) -> Self {
        let report = &status.decision.report;
        let sentence = match &guess {
            Ok(_) => report.safety.sentence.clone(),
            Err(why) => why.clone(),
        };
        let safety = if guess.is_ok() {
            report.safety.state
        } else {
            Safety::NotKnown(Unproven::NoObjective)
        };
        Self {
            id: status.snapshot.id.clone(),
            guess,
            target_value: report.configured_target,
            verdict: report.estimate.verdict,
            capacity: report.estimate.capacity,
            safety,
            sentence,
        }
    }

    /// What is wrong by it.
    pub fn finding(&self) -> Option<Finding> {
        let state =
            "state the objective you promise (objective.latency) and look again with setpoint plan";
        let (code, severity, advice) = match self.safety {
            Safety::AboveCapacity => (
                "target_above_capacity",
                Severity::High,
                format!(
                    "it does not scale out before requests are slow: lower the target value, or {state}"
                ),
            ),
            Safety::Over => ("target_over_capacity", Severity::Medium, state.to_owned()),
            Safety::ObjectiveBroken | Safety::Slower => {
                ("slow_minutes", Severity::Medium, state.to_owned())
            }
            Safety::Under => (
                "target_far_below_capacity",
                Severity::Medium,
                format!("instances run that are not needed: {state}"),
            ),
            // That it has no policy is said already.
            Safety::NotKnown(Unproven::NoTarget) | Safety::Safe => return None,
            Safety::NotKnown(_) => (
                "no_evidence",
                Severity::Low,
                "load-test one instance (setpoint calibrate): production has not shown the limit"
                    .to_owned(),
            ),
        };
        let by = match &self.guess {
            Ok(guess) => format!(" (objective guessed: {guess})"),
            Err(_) => String::new(),
        };
        let sentence = format!("{}{by}", self.sentence);
        Some(Finding { code, severity, sentence, advice })
    }

    /// `1100 to 1250`, `at least 900`, or a dash.
    pub fn capacity_text(&self) -> String {
        let Capacity { low, high, lower_bound, .. } = self.capacity;
        match (low, high, lower_bound) {
            (Some(low), Some(high), _) if self.verdict.is_two_sided() => {
                format!("{} to {}", human(low.round()), human(high.round()))
            }
            (_, _, Some(least)) => format!("at least {}", human(least.round())),
            (_, Some(most), _) => format!("at most {}", human(most.round())),
            _ => "-".to_owned(),
        }
    }
}

/// Whether a capacity of one instance has a meaning for the variant, so that it is worth paying for.
pub fn has_capacity(status: &VariantStatus) -> bool {
    Look::at(&status.snapshot).is_some_and(|look| look.variant.is_some() && look.is_standard())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_is_twice_the_quiet_latency_and_round() {
        // 200 quiet minutes of 90 ms, of which 50 are slow by chance, and 400 busy ones of 400 ms.
        let quiet = (0..200).map(|i| (100.0 + f64::from(i), if i % 4 == 0 { 9e6 } else { 9e4 }));
        let busy = (0..400).map(|i| (1000.0 + f64::from(i), 4e5));
        let guess = Guess::of(busy.chain(quiet).collect()).unwrap();
        assert_eq!((guess.threshold_ms, guess.quiet_ms), (200.0, 90.0));
        assert_eq!((guess.to_string().as_str(), guess.loaded_minutes), ("p99 200 ms", 600));
        let few = Guess::of(vec![(100.0, 9e4); 89]).unwrap_err();
        assert!(few.contains("89 loaded minutes"), "{few}");
    }

    #[test]
    fn round_numbers_are_never_below() {
        for (ms, round) in [(0.2, 1.0), (1.0, 1.0), (10.0, 10.0), (101.0, 150.0), (850.0, 1000.0)] {
            assert_eq!(round_up(ms), round, "{ms}");
        }
        for ms in 1..5000 {
            let round = round_up(f64::from(ms));
            assert!(round >= f64::from(ms) && round <= f64::from(ms) * 1.5, "{ms}: {round}");
        }
    }
}
