//! Scalars of YAML: a name stays a name, and a comment stays a comment.

use crate::render::printable;

/// Words that some reader of YAML takes for something else than text (YAML 1.1 and 1.2).
const WORDS: [&str; 12] =
    ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "infinity"];

/// A text as a scalar: plain where nobody can mistake it, else in double quotes.
pub(super) fn text(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { quoted(text) }
}

/// A text in double quotes. JSON's are YAML's.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text from outside for a comment: on one line, whatever a reader takes for the end of one.
pub(super) fn comment(text: &str) -> String {
    let is_break = |c: char| matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    printable(text)
        .chars()
        .map(|c| if is_break(c) { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

/// A number with as few digits as `same` allows.
pub(super) fn number(value: f64, same: impl Fn(f64) -> bool) -> String {
    for decimals in 0..10 {
        let short = format!("{value:.decimals$}");
        if short.parse().is_ok_and(&same) {
            return short;
        }
    }
    format!("{value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_like_something_else_are_quoted() {
        for name in ["true", "No", "123", "1e3", "0x1F", "2026-11-01", "null", "NaN", "y", ""] {
            assert_eq!(text(name), format!("\"{name}\""), "{name}");
        }
        for name in ["fraud-scorer", "AllTraffic", "e5", "ml.c5.xlarge"] {
            assert_eq!(text(name), name);
        }
        assert_eq!(text("a: b"), "\"a: b\"");
        assert_eq!(text("-a"), "\"-a\"");
    }

    #[test]
    fn a_comment_is_one_line() {
        let hostile = "a\nb\u{85}c\u{2028}d\re\u{1b}[2J";
        assert!(!comment(hostile).contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{1b}']));
    }

    #[test]
    fn numbers_are_as_short_as_they_may_be() {
        let near = |value: f64| move |short: f64| (short - value).abs() < 1e-8;
        assert_eq!(number(20.0, near(20.0)), "20");
        assert_eq!(number(2.5, near(2.5)), "2.5");
        assert_eq!(number(1.0 / 3.0, near(1.0 / 3.0)), "0.33333333");
    }
}
