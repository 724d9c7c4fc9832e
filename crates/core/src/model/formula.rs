//! The formula with its steps, and the names of the ways in which it is got wrong.

use serde::Serialize;

use super::units::{
    InvocationsPerMinute, OutOfRange, RequestsPerSecond, SafetyFactor, TARGET_VALUE_TOLERANCE,
};

/// Seconds in a minute: load tests count by the second, target values by the minute.
const SECONDS: f64 = 60.0;

/// load-tested rate x safety factor x 60, with the number in between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Formula {
    /// The most requests per second that one instance served well.
    pub max_rps: RequestsPerSecond,
    /// The share of it to aim at.
    pub safety_factor: SafetyFactor,
    /// What one instance should be given, in requests per second.
    pub usable_rps: f64,
    /// The same in the unit of a target value.
    pub target_value: InvocationsPerMinute,
}

/// How a number differs from the formula's: one slip each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mistake {
    /// Rate x factor: still in requests per second.
    MinuteForgotten,
    /// The rate itself: requests per second typed where a per-minute value belongs.
    RpsTyped,
    /// Rate x 60: at the limit, without a margin.
    FactorForgotten,
    /// Rate x factor x factor x 60.
    FactorTwice,
    /// Rate / factor x 60: above what one instance serves.
    FactorInverted,
    /// Factor x 60: the rate left out.
    RateForgotten,
    /// Rate x factor x 3600: per hour.
    PerHour,
    /// None of the known ones.
    Unknown,
}

impl Mistake {
    /// Those with a formula, the most common first: where two formulas give the same number (with
    /// a factor of 1 the rate and the usable rate are one), the first one is named.
    pub const NAMED: [Self; 7] = [
        Self::MinuteForgotten,
        Self::RpsTyped,
        Self::FactorForgotten,
        Self::FactorTwice,
        Self::FactorInverted,
        Self::RateForgotten,
        Self::PerHour,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MinuteForgotten => "minute_forgotten",
            Self::RpsTyped => "rps_typed",
            Self::FactorForgotten => "factor_forgotten",
            Self::FactorTwice => "factor_twice",
            Self::FactorInverted => "factor_inverted",
            Self::RateForgotten => "rate_forgotten",
            Self::PerHour => "per_hour",
            Self::Unknown => "unknown",
        }
    }

    /// What went wrong, for a person.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::MinuteForgotten => {
                "the minute was forgotten: this is max rps x safety factor, still per second"
            }
            Self::RpsTyped => {
                "this is the load-tested rate in requests per second, where a value per minute \
                 belongs"
            }
            Self::FactorForgotten => {
                "the safety factor was forgotten: this is max rps x 60, with no margin at all"
            }
            Self::FactorTwice => "the safety factor was applied twice",
            Self::FactorInverted => {
                "the safety factor was inverted: dividing by it gives more than one instance serves"
            }
            Self::RateForgotten => "the load-tested rate was forgotten: this is safety factor x 60",
            Self::PerHour => {
                "this is per hour: max rps x safety factor x 3600, where a value per minute belongs"
            }
            Self::Unknown => "this is not the result of the formula, nor of a known mistake",
        }
    }

    /// The number that it leads to; nothing for [`Self::Unknown`].
    pub fn value(self, max_rps: f64, factor: f64) -> Option<f64> {
        match self {
            Self::MinuteForgotten => Some(max_rps * factor),
            Self::RpsTyped => Some(max_rps),
            Self::FactorForgotten => Some(max_rps * SECONDS),
            Self::FactorTwice => Some(max_rps * factor * factor * SECONDS),
            Self::FactorInverted => Some(max_rps / factor * SECONDS),
            Self::RateForgotten => Some(factor * SECONDS),
            Self::PerHour => Some(max_rps * factor * SECONDS * SECONDS),
            Self::Unknown => None,
        }
    }
}

impl Formula {
    /// Works it out.
    ///
    /// # Errors
    /// When the product is not a finite number above 0.
    pub fn new(
        max_rps: RequestsPerSecond,
        safety_factor: SafetyFactor,
    ) -> Result<Self, OutOfRange> {
        let target_value = max_rps.formula_target(safety_factor)?;
        let usable_rps = max_rps.get() * safety_factor.get();
        Ok(Self { max_rps, safety_factor, usable_rps, target_value })
    }

    /// Compares somebody's number with the answer.
    ///
    /// # Errors
    /// The mistake that leads to that number.
    pub fn check(&self, value: InvocationsPerMinute) -> Result<(), Mistake> {
        if same(value.get(), self.target_value.get()) {
            return Ok(());
        }
        let made = |mistake: &Mistake| {
            let wrong = mistake.value(self.max_rps.get(), self.safety_factor.get());
            wrong.is_some_and(|wrong| same(value.get(), wrong))
        };
        Err(Mistake::NAMED.into_iter().find(made).unwrap_or(Mistake::Unknown))
    }
}

/// Equal as AWS would show it, but for the rounding of large products.
fn same(a: f64, b: f64) -> bool {
    // A product of three doubles is off by a few units in the last place: far below 1e-12. The
    // absolute tolerance must not make two tiny numbers the same.
    let scale = a.abs().max(b.abs());
    (a - b).abs() <= (TARGET_VALUE_TOLERANCE * scale.min(1.0)).max(scale * 1e-12)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formula(max_rps: f64, factor: f64) -> Formula {
        let rate = RequestsPerSecond::new(max_rps).unwrap();
        Formula::new(rate, SafetyFactor::new(factor).unwrap()).unwrap()
    }

    fn check(formula: Formula, value: f64) -> Result<(), Mistake> {
        formula.check(InvocationsPerMinute::new(value).unwrap())
    }

    #[test]
    fn each_mistake_is_named_at_other_numbers_too() {
        for (rate, factor) in [(20.0, 0.5), (7.3, 0.7), (0.25, 0.3), (1234.5, 0.99)] {
            let f = formula(rate, factor);
            assert_eq!(check(f, rate * factor * 60.0), Ok(()), "{rate} {factor}");
            assert_eq!(check(f, rate * factor), Err(Mistake::MinuteForgotten));
            assert_eq!(check(f, rate), Err(Mistake::RpsTyped));
            assert_eq!(check(f, rate * 60.0), Err(Mistake::FactorForgotten));
            assert_eq!(check(f, rate * factor * factor * 60.0), Err(Mistake::FactorTwice));
            assert_eq!(check(f, rate / factor * 60.0), Err(Mistake::FactorInverted));
            assert_eq!(check(f, factor * 60.0), Err(Mistake::RateForgotten));
            assert_eq!(check(f, rate * factor * 3600.0), Err(Mistake::PerHour));
            assert_eq!(check(f, rate * factor * 60.0 * 1.01), Err(Mistake::Unknown));
        }
    }

    #[test]
    fn with_a_factor_of_one_the_factor_cannot_be_got_wrong() {
        let f = formula(20.0, 1.0);
        assert_eq!(check(f, 1200.0), Ok(()));
        assert_eq!(check(f, 20.0), Err(Mistake::MinuteForgotten));
    }

    #[test]
    fn with_a_factor_of_a_sixtieth_the_rate_is_the_answer() {
        assert_eq!(check(formula(30.0, 1.0 / 60.0), 30.0), Ok(()));
    }

    #[test]
    fn a_product_beyond_the_doubles_is_refused() {
        let rate = RequestsPerSecond::new(f64::MAX).unwrap();
        assert!(Formula::new(rate, SafetyFactor::ONE).is_err());
    }

    #[test]
    fn tiny_rates_are_not_all_the_same() {
        assert_eq!(check(formula(1e-9, 0.5), 1e-9), Err(Mistake::RpsTyped));
    }
}
