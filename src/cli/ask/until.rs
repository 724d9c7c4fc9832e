//! The end of a pause, as people type it.

use chrono::TimeDelta;

use crate::model::time::Timestamp;

/// What is allowed, for messages.
const ALLOWED: &str =
    "allowed: RFC 3339 such as 2026-12-01T08:00:00Z, or a span from now: 90m, 2h, 3d";

/// The end of a pause: an instant, or a span from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// At this instant.
    At(Timestamp),
    /// That long from now.
    In(TimeDelta),
}

impl Until {
    /// Reads `2026-12-01T08:00:00+01:00`, `90m`, `2h` or `3d`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Ok(at) = chrono::DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(at.to_utc()));
        }
        let refused = || format!("{text:?} is not a time ({ALLOWED})");
        let unit = text.chars().last().ok_or_else(refused)?;
        let number = &text[..text.len() - unit.len_utf8()];
        let seconds = match unit {
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(refused()),
        };
        // u32, so that nothing overflows: the daemon says what is too long.
        let number: u32 = number.parse().map_err(|_| refused())?;
        if number == 0 {
            return Err(format!("{text:?} is not a time in the future ({ALLOWED})"));
        }
        Ok(Self::In(TimeDelta::seconds(i64::from(number) * seconds)))
    }

    /// The instant. Absent when there is no such one.
    pub(super) fn at(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::In(span) => now.checked_add_signed(span),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_or_a_span() {
        let now: Timestamp = "2026-11-27T15:00:00Z".parse().unwrap();
        let at = |text: &str| Until::parse(text).map(|until| until.at(now).unwrap().to_string());
        assert_eq!(at("90m").unwrap(), "2026-11-27 16:30:00 UTC");
        assert_eq!(at("2h").unwrap(), "2026-11-27 17:00:00 UTC");
        assert_eq!(at("3d").unwrap(), "2026-11-30 15:00:00 UTC");
        assert_eq!(at("2026-12-01T08:00:00+01:00").unwrap(), "2026-12-01 07:00:00 UTC");
        assert_eq!(Until::parse("4294967295d").unwrap().at(now), None);
        for text in
            ["", "2", "h", "-2h", "2 h", "1.5h", "2w", "tomorrow", "0h", "99999999999d", "ü"]
        {
            assert!(at(text).unwrap_err().contains("allowed: RFC 3339"), "{text}");
        }
    }
}
