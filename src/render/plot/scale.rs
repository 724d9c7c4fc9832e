//! How values become positions, and which of them are round.

/// One axis.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Scale {
    /// From `low` to `high`, or a bit more where that is nothing.
    pub fn linear(low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { low, high, logarithmic: false }
    }

    /// Whole decades are not forced: the data fills the plot.
    pub fn logarithmic(low: f64, high: f64) -> Self {
        let low = low.max(1e-6);
        let high = if high > low * 1.05 { high } else { low * 10.0 };
        Self { low: low.ln(), high: high.ln(), logarithmic: true }
    }

    fn along(self, value: f64) -> f64 {
        if self.logarithmic { value.max(1e-9).ln() } else { value }
    }

    /// The position of a value between 0 and 1, cut at the ends.
    pub(super) fn share(self, value: f64) -> f64 {
        let share = (self.along(value) - self.low) / (self.high - self.low);
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }

    /// Whether a value lies within.
    pub(super) fn holds(self, value: f64) -> bool {
        let value = self.along(value);
        value >= self.low - 1e-9 && value <= self.high + 1e-9
    }

    /// About `count` round numbers along the scale.
    pub(super) fn ticks(self, count: usize) -> Vec<f64> {
        if self.logarithmic {
            return self.logarithmic_ticks(count);
        }
        let raw = (self.high - self.low) / (count.max(2) - 1) as f64;
        let magnitude = 10_f64.powf(raw.log10().floor());
        let step =
            [1.0, 2.0, 2.5, 5.0, 10.0].map(|m| m * magnitude).into_iter().find(|s| *s >= raw);
        let step = step.unwrap_or(raw).max(f64::MIN_POSITIVE);
        let first = (self.low / step).ceil();
        (0..=count.max(2))
            .map(|i| (first + i as f64) * step)
            .filter(|tick| self.holds(*tick))
            .collect()
    }

    fn logarithmic_ticks(self, count: usize) -> Vec<f64> {
        let decades =
            (self.low.exp().log10().floor() as i32)..=(self.high.exp().log10().ceil() as i32);
        let of = |digits: &[f64]| -> Vec<f64> {
            let decades = decades.clone();
            let all = decades.flat_map(|d| digits.iter().map(move |m| m * 10_f64.powi(d)));
            all.filter(|tick| self.holds(*tick)).collect()
        };
        // A narrow range needs more digits to have any tick, a wide one has room for few.
        let finest = of(&[1.0, 1.5, 2.0, 3.0, 5.0, 7.0]);
        let candidates = [of(&[1.0, 2.0, 5.0]), of(&[1.0])];
        if candidates[0].len() < 3 {
            return finest;
        }
        let [usual, decades] = candidates;
        if usual.len() <= count + 2 { usual } else { decades }
    }
}

/// A number with thousands separators.
pub fn thousands(v: f64) -> String {
    if v.abs() < 10.0 && v.fract().abs() > 1e-9 {
        return format!("{}", (v * 1000.0).round() / 1000.0);
    }
    let digits = format!("{:.0}", v.abs());
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if v < 0.0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(thousands(1_234_567.0), "1,234,567");
        assert_eq!(thousands(0.25), "0.25");
        assert_eq!(thousands(-1234.0), "-1,234");
    }

    #[test]
    fn scales_survive_any_range() {
        for scale in [
            Scale::linear(0.0, 0.0),
            Scale::linear(0.0, 1e300),
            Scale::logarithmic(0.0, 0.0),
            Scale::logarithmic(1e-9, 1e12),
        ] {
            for count in [0, 4, 7] {
                assert!(scale.ticks(count).len() < 40);
            }
            assert!((0.0..=1.0).contains(&scale.share(5.0)));
            assert!((0.0..=1.0).contains(&scale.share(f64::NAN)));
        }
    }

    #[test]
    fn a_narrow_range_has_ticks_too() {
        assert!(Scale::logarithmic(110.0, 260.0).ticks(7).len() >= 2);
        assert_eq!(Scale::linear(0.0, 700.0).ticks(4), [0.0, 250.0, 500.0]);
    }
}
