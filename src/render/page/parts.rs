//! The small parts of the pages: numbers, ages, words with their meaning, badges.

use chrono::TimeDelta;
use maud::{Markup, html};

use crate::model::decision::Report;
use crate::model::estimate::Verdict;
use crate::model::time::Timestamp;
use crate::model::units::{for_reading, human};
use crate::render::{Standing, standing_words};

/// One word for each kind of number, and what it means.
pub const WORDS: [(&str, &str); 16] = [
    ("configured", "the target value in force in AWS, in invocations per minute per instance"),
    ("formula", "load-tested requests per second x safety factor x 60"),
    ("safe", "what the target value should be by the measured capacity, before limits"),
    ("wanted", "what the next write would set, after limits"),
    ("in the end", "what is wanted when no limit stands in the way"),
    (
        "capacity",
        "the most invocations per minute that one instance serves while it meets the objective",
    ),
    ("interval", "the capacity lies in it with 90 % probability"),
    ("proven", "the lower bound of capacity that the evidence alone proves"),
    ("divergence", "configured over safe: above 1 is unsafe, below 1 is waste"),
    ("load", "invocations per minute per instance"),
    (
        "$ a month",
        "what instances above those that the safe target needs cost in a month like the last week, by the configured prices",
    ),
    ("reaction time", "from the load crossing the target to more instances in service"),
    (
        "scheduled floors",
        "min capacities ahead of the ramps that every week has, kept by scheduled actions",
    ),
    (
        "regime",
        "a stretch of time in which capacity can be taken as constant; a deploy begins a new one",
    ),
    ("drift", "a field in AWS that is not as the configuration states it"),
    (
        "verdict",
        "how far the capacity is known: measured, inferred, at least, at most, unobserved, stale",
    ),
];

/// A word of [`WORDS`] that says what it means when the pointer rests on it.
pub(super) fn term(word: &str) -> Markup {
    let meaning = WORDS.iter().find(|(known, _)| *known == word).map(|(_, meaning)| *meaning);
    html! {
        @match meaning {
            Some(meaning) => { abbr title=(meaning) { (word) } }
            None => { (word) }
        }
    }
}

/// A number as people read it: three digits, more only where it is larger.
pub fn rounded(value: f64) -> String {
    let value = for_reading(value);
    let decimals = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 => 2,
        _ => return human(value),
    };
    let text = format!("{value:.decimals$}");
    let text = if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    grouped(text)
}

/// Thousands apart, from 10,000 on.
fn grouped(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    if digits.len() < 5 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.to_owned();
    }
    let mut out = sign.to_owned();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number, rounded for reading, with the exact one to hover over; a dash where there is none.
pub(super) fn number(value: Option<f64>) -> Markup {
    let Some(value) = value.filter(|value| value.is_finite()) else { return dash() };
    let (shown, exact) = (rounded(value), human(value));
    html! {
        @if shown.replace(',', "") == exact { (shown) } @else { span title=(exact) { (shown) } }
    }
}

/// Dollars, in cents where they are few.
pub(super) fn dollars(value: Option<f64>) -> Markup {
    let Some(value) = value.filter(|value| value.is_finite()) else { return dash() };
    let exact = format!("${value:.2}");
    if value < 100.0 {
        return html! { (exact) };
    }
    html! { span title=(exact) { "$" (rounded(value)) } }
}

/// What could not be read.
pub(super) fn unknown() -> Markup {
    html! { span.none title="could not be read" { "unknown" } }
}

/// What is not known, or does not exist.
pub(super) fn dash() -> Markup {
    html! { span.none title="none, or not known" { "\u{2013}" } }
}

/// `12:00:05 UTC` with the day to hover over.
pub(super) fn instant(at: Timestamp) -> Markup {
    html! { time datetime=(at.format("%FT%TZ")) title=(at.format("%F %T UTC")) { (at.format("%T UTC")) } }
}

/// `2026-11-23 12:00 UTC`.
pub(super) fn day_and_time(at: Timestamp) -> Markup {
    html! { time datetime=(at.format("%FT%TZ")) title=(at.format("%F %T UTC")) { (at.format("%F %H:%M UTC")) } }
}

/// `40 s`, `5 min`, `3 h`, `2 d`.
pub fn span(span: TimeDelta) -> String {
    let seconds = span.num_seconds().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `3 h ago`, with the instant to hover over.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    html! {
        time datetime=(at.format("%FT%TZ")) title=(at.format("%F %T UTC")) { (span(now - at)) " ago" }
    }
}

/// `in 3 h`, or `now`.
pub(super) fn ahead(at: Timestamp, now: Timestamp) -> Markup {
    html! {
        time datetime=(at.format("%FT%TZ")) title=(at.format("%F %T UTC")) {
            @if at > now { "in " (span(at - now)) } @else { "now" }
        }
    }
}

/// A word in a coloured frame. `class` is one of the states in the style.
pub(super) fn badge(class: &str, words: &str) -> Markup {
    html! { span class={ "badge " (class) } { (words) } }
}

/// The badges of both axes, the worse one first.
pub(super) fn badges(report: &Report) -> Markup {
    let standing = Standing::of(report);
    // What is unsafe is not as green as what is in sync.
    let quiet = report.is_unsafe() && standing == Standing::InSync;
    let class = if quiet { "unmanaged" } else { standing.as_str() };
    let first = badge(class, standing_words(report));
    let second = badge(safety_class(report), report.safety.state.words());
    html! {
        @if report.is_unsafe() { (second) " " (first) } @else { (first) " " (second) }
    }
}

/// The class of the second axis.
pub(super) fn safety_class(report: &Report) -> &'static str {
    let state = report.safety.state;
    if state.is_unsafe() { "unsafe" } else { state.as_str() }
}

/// A word of a closed set as people read it.
pub(super) fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

pub const fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Measured => "measured",
        Verdict::Inferred => "inferred",
        Verdict::AtLeast => "at least",
        Verdict::AtMost => "at most",
        Verdict::Unobserved => "unobserved",
        Verdict::Stale => "stale",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_for_reading() {
        for (value, shown) in [
            (354.44, "354"),
            (600.0, "600"),
            (12.34, "12.3"),
            (20.0, "20"),
            (1.469, "1.47"),
            (0.5, "0.5"),
            (0.0, "0"),
            (0.0123, "0.0123"),
            (9999.6, "9999"),
            (583.72, "583"),
            (20.0 * 0.7 * 60.0, "840"),
            (-12_345.0, "-12,345"),
            (1_234_567.2, "1,234,567"),
        ] {
            assert_eq!(rounded(value), shown);
        }
        assert_eq!(number(Some(354.44)).into_string(), "<span title=\"354.44\">354</span>");
        assert_eq!(number(Some(12_000.0)).into_string(), "12,000");
        assert_eq!(number(Some(f64::NAN)).into_string(), dash().into_string());
    }

    #[test]
    fn spans_are_short() {
        let words = |seconds| span(TimeDelta::seconds(seconds));
        let shown = [-5, 119, 120, 7199, 7200, 172_799, 172_800].map(words);
        assert_eq!(shown, ["0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 d"]);
    }
}
