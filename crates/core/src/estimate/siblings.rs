//! What the measured variants of a family say of its load tests: `ln(measured / load-tested)`, its mean
//! and its spread. Load tests of one tool, image or instance type share their error, so this is a
//! better opinion to start from than the assumption where the limit of a variant was never seen.
//!
//! Only what was measured counts, and what is measured does not rest on siblings: there is no way back
//! from the opinion to itself.

use std::collections::BTreeMap;

use crate::model::siblings::Siblings;

use super::chain::LOAD_TEST_SPREAD;

/// Fewer siblings say nothing.
const SIBLINGS_MIN: u32 = 5;
/// A load test that is off by more than a factor of four is a mistake of its own, such as requests per
/// minute taken for requests per second, and says nothing of the others.
const LG_MAX: f64 = 1.386_294_4;
/// The assumed spread of a load test counts as so many siblings: the spread of five is a guess.
const ASSUMED: f64 = 2.0;
/// Siblings that agree better than this agree by chance: each of them was measured with an error.
const SPREAD_MIN: f64 = 0.10;

/// What is known of the load tests of each family. Its size is that of the families.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Families(BTreeMap<String, Sum>);

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sum {
    count: u32,
    total: f64,
    squares: f64,
}

impl Families {
    /// One measured variant: its capacity and its load test, both in invocations per minute.
    pub fn note(&mut self, family: String, measured: f64, load_tested: f64) {
        let lg = (measured / load_tested).ln();
        if lg.is_finite() && lg.abs() <= LG_MAX {
            let sum = self.0.entry(family).or_default();
            *sum = sum.with(Sum { count: 1, total: lg, squares: lg * lg });
        }
    }

    /// With those of other accounts and regions.
    pub fn add(&mut self, other: &Self) {
        for (family, more) in &other.0 {
            let sum = self.0.entry(family.clone()).or_default();
            *sum = sum.with(*more);
        }
    }

    /// What the siblings say; absent below five of them.
    pub fn of(&self, family: &str) -> Option<Siblings> {
        let Sum { count, total, squares } = *self.0.get(family)?;
        if count < SIBLINGS_MIN {
            return None;
        }
        let n = f64::from(count);
        let mean = total / n;
        let around = (squares - n * mean * mean).max(0.0);
        let variance = (ASSUMED * LOAD_TEST_SPREAD.powi(2) + around) / (ASSUMED + n - 1.0);
        // The mean is known from n of them only.
        let spread = (variance * (1.0 + 1.0 / n)).sqrt().max(SPREAD_MIN);
        Some(Siblings {
            family: family.to_owned(),
            count,
            lg_mean: rounded(mean),
            lg_spread: rounded(spread),
            estimate_alone: None,
        })
    }
}

impl Sum {
    fn with(self, more: Self) -> Self {
        Self {
            count: self.count + more.count,
            total: self.total + more.total,
            squares: self.squares + more.squares,
        }
    }
}

/// To a thousandth: a sibling whose estimate moved by less changes no answer.
fn rounded(lg: f64) -> f64 {
    (lg * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn families(ratios: &[f64]) -> Families {
        let mut families = Families::default();
        for ratio in ratios {
            families.note("fraud".to_owned(), 1000.0 * ratio, 1000.0);
        }
        families
    }

    #[test]
    fn mean_and_spread_by_hand() {
        let siblings = families(&[0.8, 0.9, 0.85, 0.8, 0.9]).of("fraud").unwrap();
        let lg = [0.8_f64, 0.9, 0.85, 0.8, 0.9].map(f64::ln);
        let mean = lg.iter().sum::<f64>() / 5.0;
        let around: f64 = lg.iter().map(|lg| (lg - mean).powi(2)).sum();
        let spread = ((2.0 * 0.09 + around) / 6.0 * 1.2).sqrt();
        assert_eq!(siblings.count, 5);
        assert!((siblings.lg_mean - mean).abs() < 6e-4, "{siblings:?} {mean}");
        assert!((siblings.lg_spread - spread).abs() < 6e-4, "{siblings:?} {spread}");
        assert_eq!(
            siblings.sentence(),
            "load tests of this family were 18 % too high on 5 siblings"
        );
    }

    #[test]
    fn four_say_nothing_nor_does_another_family_or_a_slip_of_the_pen() {
        assert_eq!(families(&[0.8; 4]).of("fraud"), None);
        assert_eq!(families(&[0.8; 5]).of("search"), None);
        // Requests per minute taken for requests per second.
        assert_eq!(families(&[0.8, 0.8, 0.8, 0.8, 1.0 / 60.0]).of("fraud"), None);
        assert_eq!(families(&[0.8, 0.8, 0.8, 0.8, f64::NAN]).of("fraud"), None);
    }

    #[test]
    fn many_that_agree_are_believed_as_far_as_they_were_measured() {
        let siblings = families(&[0.85; 200]).of("fraud").unwrap();
        assert_eq!(siblings.lg_spread, SPREAD_MIN);
        // Those that disagree more than was assumed widen it.
        let apart: Vec<f64> = (0..20).map(|i| if i % 2 == 0 { 0.5 } else { 2.0 }).collect();
        assert!(families(&apart).of("fraud").unwrap().lg_spread > 0.6);
    }

    #[test]
    fn accounts_add_up() {
        let mut all = families(&[0.8, 0.9]);
        assert_eq!(all.of("fraud"), None);
        all.add(&families(&[0.85, 0.8, 0.9]));
        assert_eq!(all.of("fraud").unwrap().count, 5);
    }
}
