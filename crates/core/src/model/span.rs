//! Spans and instants as people type them: one grammar for every command and for the HTTP API.

use chrono::{TimeDelta, Utc};

use super::time::Timestamp;

/// What is allowed for a span, for messages.
pub const SPANS: &str = "a span such as 90m, 36h, 7d or 1h30m";

/// The longest span: 100 years.
const SPAN_MAX: TimeDelta = TimeDelta::days(36_525);

/// Reads a span in whole seconds, such as `90m`, `36h`, `7d` or `1h30m`; at least a second and at
/// most 100 years.
pub fn parse_span(text: &str) -> Option<TimeDelta> {
    let span = TimeDelta::from_std(humantime::parse_duration(text).ok()?).ok()?;
    let is_whole = span.subsec_nanos() == 0;
    (is_whole && span >= TimeDelta::seconds(1) && span <= SPAN_MAX).then_some(span)
}

/// An instant, or a span from now or before now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At this instant.
    At(Timestamp),
    /// So long from now, or ago.
    Span(TimeDelta),
}

impl When {
    /// Reads an instant such as `2026-12-01T08:00:00+01:00`, or a span.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(at) = chrono::DateTime::parse_from_rfc3339(text) {
            return Some(Self::At(at.with_timezone(&Utc)));
        }
        parse_span(text).map(Self::Span)
    }

    /// The instant, where a span is one from now on; absent when there is no such one.
    pub fn from(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Span(span) => now.checked_add_signed(span),
        }
    }

    /// The instant, where a span is one before now; absent when there is no such one.
    pub fn before(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Span(span) => now.checked_sub_signed(span),
        }
    }
}

/// Reads from when on somebody wants to know of the past.
pub fn parse_since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    When::parse(text).and_then(|when| when.before(now)).ok_or_else(|| {
        format!("since is {text:?} (allowed: {SPANS}, or an instant such as 2026-11-23T12:00:00Z)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_type_them() {
        let minutes = |text: &str| parse_span(text).map(|span| span.num_minutes());
        assert_eq!(minutes("90m"), Some(90));
        assert_eq!(minutes("36h"), Some(36 * 60));
        assert_eq!(minutes("7d"), Some(7 * 1440));
        assert_eq!(minutes("1h30m"), Some(90));
        assert_eq!(minutes("1h 30m"), Some(90));
        assert_eq!(minutes("1.5h"), Some(90));
        for wrong in [
            "",
            "7",
            "d",
            "-1d",
            "0h",
            "0s",
            "500ms",
            "tomorrow",
            "99999999999d",
            "200y",
            "7\u{e9}",
        ] {
            assert_eq!(parse_span(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_instant_stands_and_a_span_counts_from_now() {
        let now: Timestamp = "2026-11-27T15:00:00Z".parse().unwrap();
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let when = |text: &str| When::parse(text).unwrap();
        assert_eq!(text(when("2h").from(now)).as_deref(), Some("2026-11-27 17:00:00 UTC"));
        assert_eq!(text(when("2h").before(now)).as_deref(), Some("2026-11-27 13:00:00 UTC"));
        let at = when("2026-12-01T08:00:00+01:00");
        assert_eq!(text(at.from(now)).as_deref(), Some("2026-12-01 07:00:00 UTC"));
        assert_eq!(at.before(now), at.from(now));
        let last = Timestamp::MAX_UTC;
        assert_eq!(when("2h").from(last), None);
        assert_eq!(When::parse("yesterday"), None);
    }
}
