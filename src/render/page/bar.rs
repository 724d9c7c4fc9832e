//! Small bars: how far the configured target is from the safe one, and how a fleet is made up.

use maud::{Markup, html};

use super::parts;

/// The bar ends at this ratio on either side; what is beyond is cut.
const FURTHEST: f64 = 4.0;
const HALF: f64 = 50.0;

/// Divergence: from the middle, which is 1, to the right what is unsafe, to the left what is waste.
pub(super) fn divergence(ratio: Option<f64>) -> Markup {
    let Some(ratio) = ratio.filter(|ratio| ratio.is_finite() && *ratio > 0.0) else {
        return parts::dash();
    };
    let length = (ratio.ln() / FURTHEST.ln()).clamp(-1.0, 1.0) * HALF;
    let (from, width) = (HALF + length.min(0.0), length.abs().max(1.0));
    let class = match ratio {
        // The thresholds of the findings `over` and `under` are on capacity; these only colour.
        ratio if ratio > 1.1 => "over",
        ratio if ratio < 0.9 => "under",
        _ => "near",
    };
    html! {
        span.divergence {
            svg.gauge viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
                rect.track x="0" y="3" width="100" height="4" rx="2" {}
                rect class=(class) x=(format!("{from:.1}")) y="1" width=(format!("{width:.1}")) height="8" rx="1" {}
                line.one x1="50" y1="0" x2="50" y2="10" {}
            }
            span.ratio { (parts::number(Some(ratio))) "\u{d7}" }
        }
    }
}

/// Shares of a whole, side by side; those of nothing are left out.
pub(super) fn shares(parts: &[(&str, &str, usize)]) -> Markup {
    let whole: usize = parts.iter().map(|(_, _, count)| count).sum();
    let mut at = 0.0;
    let mut pieces = Vec::new();
    for (class, words, count) in parts.iter().filter(|(_, _, count)| *count > 0) {
        let width = 1000.0 * *count as f64 / whole.max(1) as f64;
        pieces.push((*class, *words, *count, at, width));
        at += width;
    }
    html! {
        svg.shares viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
            @for (class, words, count, at, width) in pieces {
                rect class=(class) x=(format!("{at:.1}")) y="0" width=(format!("{width:.1}")) height="10" {
                    title { (count) " " (words) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_never_outside_of_its_frame() {
        for ratio in [1e-9, 0.25, 0.5, 1.0, 1.47, 4.0, 1e9] {
            let bar = divergence(Some(ratio)).into_string();
            let number = |name: &str| -> f64 {
                let piece = bar.rsplit("<rect").next().unwrap_or_default();
                let value = piece.split(&format!(" {name}=\"")).nth(1).unwrap_or_default();
                value.split('"').next().unwrap_or_default().parse().unwrap_or(f64::NAN)
            };
            let (x, width) = (number("x"), number("width"));
            assert!(x >= 0.0 && width > 0.0 && x + width <= 100.1, "{ratio}: {bar}");
        }
        assert_eq!(divergence(None).into_string(), parts::dash().into_string());
        assert_eq!(divergence(Some(f64::NAN)).into_string(), parts::dash().into_string());
    }
}
