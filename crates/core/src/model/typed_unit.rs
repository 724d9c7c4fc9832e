//! Requests a second and invocations a minute differ by a factor of 60, and one is easily typed for
//! the other. Which of two numbers is the mistaken one shows in what instances really serve.

use std::ops::RangeInclusive;

/// How near 1/60 of a known rate a target value must be to look like requests a second.
const NEAR: f64 = 0.10;
/// How far the observed load may be from 60 x the target value to say the same.
const OBSERVED: RangeInclusive<f64> = 0.5..=2.0;
/// A load up to so many times the target value is one that the target value keeps: scaling works at
/// that value, so it is a minute's. One typed as requests a second is exceeded 60 times.
const KEPT_UP_TO: f64 = 5.0;
/// A load below this share of the target value proves nothing.
const LOADED_FROM: f64 = 0.2;
/// How far a load-tested rate may be from the measured capacity and still be the same quantity.
const SAME: RangeInclusive<f64> = 0.4..=2.5;

/// The number that was typed in the wrong unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongUnit {
    /// The target value is in requests a second.
    Target,
    /// `load_test.max_rps` is in requests a minute.
    Rate,
}

/// What is known of one variant.
#[derive(Debug, Clone, Copy, Default)]
pub struct Numbers {
    /// The target value in force, in invocations a minute.
    pub configured: Option<f64>,
    /// `load_test.max_rps`.
    pub max_rps: Option<f64>,
    /// The load-tested rate with the safety factor, in invocations a minute.
    pub formula: Option<f64>,
    /// The capacity where it is known from both sides, in invocations a minute.
    pub capacity: Option<f64>,
    /// The highest load of an instance seen of late, in invocations a minute.
    pub load: Option<f64>,
}

/// Which number looks as if it were typed in the wrong unit, if one does.
pub fn wrong_unit(numbers: Numbers) -> Option<WrongUnit> {
    let Numbers { configured, max_rps, formula, capacity, load } = numbers;
    if let (Some(rate), Some(capacity)) = (max_rps, capacity)
        && SAME.contains(&(rate / capacity))
    {
        return Some(WrongUnit::Rate);
    }
    let configured = configured.filter(|value| *value > 0.0)?;
    let mut stated = [formula.map(|formula| formula / 60.0), max_rps].into_iter().flatten();
    if max_rps.is_none() && formula.is_none() {
        // With a rate to compare with, the load alone proves nothing.
        let per_minute = configured * 60.0;
        let looks_it = load.is_some_and(|load| OBSERVED.contains(&(load / per_minute)));
        return looks_it.then_some(WrongUnit::Target);
    }
    if !stated.any(|rate| (configured / rate - 1.0).abs() <= NEAR) {
        return None;
    }
    let rate_is_right = max_rps
        .zip(capacity)
        .is_some_and(|(rate, capacity)| SAME.contains(&(rate * 60.0 / capacity)));
    let kept = load
        .is_some_and(|load| (configured * LOADED_FROM..=configured * KEPT_UP_TO).contains(&load));
    Some(if kept && !rate_is_right { WrongUnit::Rate } else { WrongUnit::Target })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_instances_serve_tells_which_number_is_wrong() {
        let right = Numbers {
            configured: Some(600.0),
            max_rps: Some(20.0),
            formula: Some(600.0),
            capacity: None,
            load: Some(550.0),
        };
        assert_eq!(wrong_unit(right), None);
        let second = Numbers { configured: Some(10.0), ..right };
        assert_eq!(wrong_unit(second), Some(WrongUnit::Target));
        let rate = Numbers { max_rps: Some(1200.0), formula: Some(36_000.0), ..right };
        assert_eq!(wrong_unit(rate), Some(WrongUnit::Rate), "600 keeps a load of 550");
        // An idle endpoint does not tell; too low a target value costs money, and is reported.
        assert_eq!(wrong_unit(Numbers { load: Some(1.0), ..rate }), Some(WrongUnit::Target));
        assert_eq!(wrong_unit(Numbers { load: None, ..rate }), Some(WrongUnit::Target));
    }

    #[test]
    fn a_measured_capacity_decides_alone() {
        let measured = Numbers { capacity: Some(1100.0), ..Numbers::default() };
        let typed = Numbers { max_rps: Some(1200.0), configured: Some(743.0), ..measured };
        assert_eq!(wrong_unit(typed), Some(WrongUnit::Rate));
        assert_eq!(wrong_unit(Numbers { max_rps: Some(20.0), ..measured }), None);
        let low = Numbers {
            max_rps: Some(20.0),
            formula: Some(600.0),
            configured: Some(10.0),
            load: Some(12.0),
            ..measured
        };
        assert_eq!(wrong_unit(low), Some(WrongUnit::Target), "20 a second is what was measured");
    }

    #[test]
    fn without_a_rate_the_load_tells() {
        let only = |load| Numbers { configured: Some(8.0), load, ..Numbers::default() };
        assert_eq!(wrong_unit(only(Some(500.0))), Some(WrongUnit::Target));
        assert_eq!(wrong_unit(only(Some(9.0))), None);
        assert_eq!(wrong_unit(only(None)), None);
    }
}
