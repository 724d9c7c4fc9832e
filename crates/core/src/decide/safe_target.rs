//! The safe target: what the target value should be, going by the measured capacity. Limits of
//! how far it may move at once come after it (`step`).

use crate::model::estimate::{Estimate, Verdict};
use crate::model::reason::Reason;

/// The safe target of an estimate before any limit: factor x the 25 % quantile where capacity is
/// known from both sides, factor x max(lower bound, min(load-tested rate, estimate)) where only a
/// lower bound is proven and the load test is valid. Otherwise there is none.
///
/// `formula` is load-tested rate x the same factor x 60 while the load test is valid.
pub fn safe_target_at(estimate: &Estimate, factor: f64, formula: Option<f64>) -> Option<f64> {
    let capacity = &estimate.capacity;
    match estimate.verdict {
        Verdict::Measured | Verdict::Inferred => capacity.q25.map(|q25| factor * q25),
        Verdict::AtLeast => {
            let tested = formula? / factor;
            // Siblings may make it more careful, and never bolder.
            let alone = estimate.siblings.as_ref().and_then(|siblings| siblings.estimate_alone);
            let known = [capacity.estimate, alone].into_iter().flatten();
            let believed = known.fold(tested, f64::min);
            Some(factor * capacity.lower_bound.map_or(believed, |lb| lb.max(believed)))
        }
        Verdict::AtMost | Verdict::Unobserved | Verdict::Stale => None,
    }
    .filter(|v| v.is_finite() && *v > 0.0)
}

/// The value `auto` wants, given the one in force (rule 18).
pub fn wanted_at(
    estimate: &Estimate,
    factor: f64,
    formula: Option<f64>,
    in_force: Option<f64>,
) -> Result<f64, Reason> {
    let safe = safe_target_at(estimate, factor, formula);
    let Some(in_force) = in_force else { return safe.ok_or(Reason::NoValue) };
    match (estimate.verdict, safe) {
        (Verdict::Measured | Verdict::Inferred, Some(safe)) => Ok(safe),
        // A lower bound is no reason to lower: only the formula of a valid load test is.
        (Verdict::AtLeast, Some(safe)) => Ok(safe.max(in_force.min(formula.unwrap_or(in_force)))),
        (Verdict::AtLeast, None) => {
            // Without a load test a quiet fleet would ratchet down to its own load.
            let proven = estimate.capacity.lower_bound.map(|lb| factor * lb);
            proven.filter(|p| *p > in_force).ok_or(Reason::VerdictTooWeak)
        }
        _ => Err(Reason::VerdictTooWeak),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::estimate::Capacity;
    use crate::model::siblings::Siblings;

    fn estimate(verdict: Verdict) -> Estimate {
        let capacity = Capacity {
            estimate: Some(1000.0),
            low: Some(900.0),
            q25: Some(960.0),
            high: Some(1100.0),
            lower_bound: Some(800.0),
        };
        Estimate { verdict, capacity, ..Estimate::unobserved("") }
    }

    #[test]
    fn capacity_known_from_both_sides_gives_the_lower_quartile() {
        for verdict in [Verdict::Measured, Verdict::Inferred] {
            assert_eq!(safe_target_at(&estimate(verdict), 0.5, None), Some(480.0));
            assert_eq!(wanted_at(&estimate(verdict), 0.5, None, Some(700.0)), Ok(480.0));
        }
    }

    #[test]
    fn a_lower_bound_lowers_to_the_formula_at_most() {
        let estimate = estimate(Verdict::AtLeast);
        // Load test 900: between the bound and the estimate.
        assert_eq!(safe_target_at(&estimate, 0.5, Some(450.0)), Some(450.0));
        assert_eq!(wanted_at(&estimate, 0.5, Some(450.0), Some(600.0)), Ok(450.0));
        // Load test 1400 is not believed, but nothing goes below what is in force for that.
        assert_eq!(safe_target_at(&estimate, 0.5, Some(700.0)), Some(500.0));
        assert_eq!(wanted_at(&estimate, 0.5, Some(700.0), Some(650.0)), Ok(650.0));
        assert_eq!(wanted_at(&estimate, 0.5, Some(700.0), Some(900.0)), Ok(700.0));
        assert_eq!(wanted_at(&estimate, 0.5, Some(700.0), Some(450.0)), Ok(500.0));
    }

    #[test]
    fn siblings_make_it_more_careful_and_never_bolder() {
        let siblings = |alone| Siblings {
            family: "fraud".to_owned(),
            count: 12,
            lg_mean: -0.2,
            lg_spread: 0.1,
            estimate_alone: Some(alone),
        };
        let measured = |alone| Estimate {
            siblings: Some(siblings(alone).into()),
            ..estimate(Verdict::AtLeast)
        };
        // They found 1000 where the load test alone made it 1300.
        assert_eq!(safe_target_at(&measured(1300.0), 0.5, Some(700.0)), Some(500.0));
        // They found 1000 where it made it 850: the bound of 800 and the lower number hold.
        assert_eq!(safe_target_at(&measured(850.0), 0.5, Some(700.0)), Some(425.0));
        assert_eq!(safe_target_at(&measured(700.0), 0.5, Some(700.0)), Some(400.0));
    }

    #[test]
    fn without_a_load_test_a_lower_bound_only_raises() {
        let estimate = estimate(Verdict::AtLeast);
        assert_eq!(safe_target_at(&estimate, 0.5, None), None);
        assert_eq!(wanted_at(&estimate, 0.5, None, Some(300.0)), Ok(400.0));
        assert_eq!(wanted_at(&estimate, 0.5, None, Some(500.0)), Err(Reason::VerdictTooWeak));
        assert_eq!(wanted_at(&estimate, 0.5, None, None), Err(Reason::NoValue));
    }

    #[test]
    fn weaker_verdicts_keep_what_is_in_force() {
        for verdict in [Verdict::AtMost, Verdict::Unobserved, Verdict::Stale] {
            let estimate = estimate(verdict);
            assert_eq!(safe_target_at(&estimate, 0.5, Some(450.0)), None);
            let wanted = wanted_at(&estimate, 0.5, Some(450.0), Some(500.0));
            assert_eq!(wanted, Err(Reason::VerdictTooWeak));
        }
    }
}
