//! How many digits a number is worth.

use crate::model::time::Timestamp;
use crate::model::units::for_reading;

/// What was measured or estimated: four significant digits, and from 1,000 on whole numbers as on the pages. An estimate
/// is good for two, and each further digit of thousands of variants is a twentieth of a scrape.
pub(super) fn measured(number: f64) -> f64 {
    if number.abs() >= 1000.0 {
        return for_reading(number);
    }
    let places = 3.0 - number.abs().log10().floor();
    // Powers of ten up to there are exact, so that what is printed has no more digits.
    if !(0.0..=22.0).contains(&places) {
        return number;
    }
    let scale = 10.0_f64.powi(places as i32);
    (number * scale).round() / scale
}

/// An instant in whole seconds: thousands of a large fleet differ in their milliseconds alone, and nobody asks for those.
pub(super) fn timestamp(at: Timestamp) -> f64 {
    at.timestamp() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_four_digits_and_what_has_fewer_is_as_it_was() {
        for (number, text) in [
            (1_917.686_901_617_794_3, "1917"),
            (12_345.999, "12345"),
            (999.96, "1000"),
            (191.768_690, "191.8"),
            (0.041_840_305_996_236_07, "0.04184"),
            (1.147_079_215_923_565_4, "1.147"),
            (1_234_567.25, "1234567"),
            (-578.142_857_142_857, "-578.1"),
            (600.0, "600"),
            (0.1, "0.1"),
            (0.0, "0"),
            (3.0e-30, "0.000000000000000000000000000003"),
        ] {
            assert_eq!(measured(number).to_string(), text);
        }
        assert!(measured(f64::NAN).is_nan());
        assert_eq!(measured(f64::INFINITY), f64::INFINITY);
    }

    #[test]
    fn an_instant_has_no_part_of_a_second() {
        let at = Timestamp::from_timestamp_millis(1_796_027_429_663).unwrap();
        assert_eq!(timestamp(at).to_string(), "1796027429");
    }
}
