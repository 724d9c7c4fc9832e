//! From when on somebody wants to know of the past.

use chrono::{TimeDelta, Utc};

use crate::model::time::Timestamp;

/// A span before now such as 90m, 36h or 7d, or an instant.
///
/// # Errors
/// What is allowed instead.
pub fn parse_since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let wrong = || {
        format!(
            "since is {text:?} (allowed: a span such as 90m, 36h or 7d, or an instant such as \
             2026-11-23T12:00:00Z)"
        )
    };
    if let Ok(at) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(at.with_timezone(&Utc));
    }
    let unit = text.chars().last().filter(char::is_ascii_alphabetic).ok_or_else(wrong)?;
    let count = text[..text.len() - 1].parse::<u32>().map_err(|_| wrong())?;
    let span = match unit {
        'm' => TimeDelta::minutes(i64::from(count)),
        'h' => TimeDelta::hours(i64::from(count)),
        'd' => TimeDelta::days(i64::from(count)),
        _ => return Err(wrong()),
    };
    now.checked_sub_signed(span).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_or_an_instant_and_nothing_else() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let ago = |text: &str| (now - parse_since(text, now).unwrap()).num_minutes();
        assert_eq!((ago("90m"), ago("36h"), ago("7d")), (90, 36 * 60, 7 * 24 * 60));
        assert_eq!(ago("2026-11-23T13:00:00+02:00"), 60);
        for wrong in ["", "7", "d", "-1d", "7w", "7 d", "1.5h", "yesterday", "4000000000d", "7é"] {
            let error = parse_since(wrong, now).unwrap_err();
            assert!(error.contains("36h or 7d"), "{error}");
        }
    }
}
