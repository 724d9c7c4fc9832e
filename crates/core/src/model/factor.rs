//! The safety factor by replay of a variant's own last weeks.

use serde::Serialize;

use super::goal::Goal;
use super::memory::VariantMemory;
use super::time::Timestamp;

/// What keeps the factor from being higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// More would break the budget of bad minutes.
    Budget,
    /// Losing one of the instances that usually run must break nothing.
    OneGone,
    /// It is the highest that is ever advised.
    Highest,
    /// The budget is broken even by the lowest that is ever advised.
    Lowest,
    /// The budget is broken by the customary factor, and the week does not repeat: no lower one is advised.
    DoesNotRepeat,
}

/// The factor that a replay allows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Allowed {
    /// The highest factor that keeps the budget, within its range.
    pub factor: f64,
    /// The bad minutes a week that it would have had, on average over the draws.
    pub bad_minutes: f64,
    /// The bad minutes a week that are accepted.
    pub budget: f64,
    /// Whether the budget is kept; if not, the factor is the lowest there is.
    pub within_budget: bool,
    /// What keeps it from being higher.
    pub limit: Limit,
    /// How many instances usually run.
    pub usual_instances: u32,
}

impl Allowed {
    /// The figure and what keeps it from being higher.
    pub fn sentence(&self) -> String {
        let usual = self.usual_instances;
        let why = match self.limit {
            Limit::Budget => "a higher one would break the budget".to_owned(),
            Limit::OneGone => format!(
                "at most 1 - 1/{usual}, because {usual} instances usually run and losing one must \
                 break nothing"
            ),
            Limit::Highest => "the highest that setpoint advises".to_owned(),
            Limit::Lowest => {
                return format!(
                    "no safety factor from {:.2} on keeps to {} bad minutes a week in a replay (there it \
                     is {:.1}): more instances do not help, a faster start-up or scheduled floors may",
                    self.factor,
                    super::units::human(self.budget),
                    self.bad_minutes
                );
            }
            Limit::DoesNotRepeat => {
                return format!(
                    "a safety factor of {:.2} has {:.1} bad minutes a week in a replay, of the {} that are \
                     accepted; no lower one is advised, because the week does not repeat: the last ones do \
                     not show what more instances would prevent in the next",
                    self.factor,
                    self.bad_minutes,
                    super::units::human(self.budget)
                );
            }
        };
        let (bad, budget) = (self.bad_minutes, super::units::human(self.budget));
        // Capacity that is hardly known is far lower in a few draws, and they make the average.
        let fares = if bad > self.budget {
            format!(
                "at most the {budget} bad minutes a week that are accepted in 90 % of the draws, and {bad:.1} on \
                 average over all of them"
            )
        } else {
            format!("{bad:.1} bad minutes a week of the {budget} that are accepted")
        };
        format!("the safety factor may be {:.2}: {fares}; {why}", self.factor)
    }
}

/// What there is to say of the factor.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum FactorAdvice {
    NotKnown {
        why: String,
    },
    /// A replay has said so.
    Known {
        /// When this was worked out: once a day.
        at: Timestamp,
        /// The factor, and what limits it.
        #[serde(flatten)]
        allowed: Allowed,
        /// Of the newest week, the share that the week before explains: how predictable it is. Absent
        /// with less than two weeks.
        explained: Option<f64>,
        weeks: f64,
    },
}

impl Default for FactorAdvice {
    fn default() -> Self {
        Self::NotKnown { why: "the traffic has not been replayed yet".to_owned() }
    }
}

impl FactorAdvice {
    /// The factor; absent where it is not known, and where none keeps to the budget: then a lower one
    /// would cost more and still break it.
    pub fn factor(&self) -> Option<f64> {
        match self {
            Self::Known { allowed, .. } => allowed.within_budget.then_some(allowed.factor),
            Self::NotKnown { .. } => None,
        }
    }

    /// Everything in one sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::NotKnown { why } => format!("the safety factor by replay is not known: {why}"),
            Self::Known { allowed, explained, weeks, .. } => {
                let week = explained.map_or_else(String::new, |share| {
                    let percent = share.max(0.0) * 100.0;
                    format!(" (the week before explains {percent:.0} % of the newest one)")
                });
                format!("by replay of {weeks:.1} weeks{week}, {}", allowed.sentence())
            }
        }
    }
}

/// The safety factor in use: the configured one, or with `auto` the remembered one, which moves at
/// most once a week.
pub fn factor_in_use(goal: &Goal, memory: Option<&VariantMemory>) -> f64 {
    let remembered = memory.and_then(|memory| memory.safety_factor);
    let moved = remembered.filter(|_| goal.safety_factor_auto);
    moved.map_or(goal.safety_factor.get(), |factor| factor.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_above_the_budget_is_not_said_to_be_part_of_it() {
        let allowed = Allowed {
            factor: 0.56,
            bad_minutes: 4.0,
            budget: 10.0,
            within_budget: true,
            limit: Limit::Budget,
            usual_instances: 6,
        };
        assert_eq!(
            allowed.sentence(),
            "the safety factor may be 0.56: 4.0 bad minutes a week of the 10 that are accepted; a higher one \
             would break the budget"
        );
        let uncertain = Allowed { bad_minutes: 62.2, ..allowed };
        assert_eq!(
            uncertain.sentence(),
            "the safety factor may be 0.56: at most the 10 bad minutes a week that are accepted in 90 % of the \
             draws, and 62.2 on average over all of them; a higher one would break the budget"
        );
    }
}
