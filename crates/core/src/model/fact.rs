//! What was read, or why it could not be. Unknown is not absent, and absent is not zero.

use serde::{Deserialize, Serialize};

/// Why something could not be read. A closed set, so that it can label a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyKind {
    /// AWS throttled the call and the retries were used up.
    Throttled,
    /// The caller lacks a permission.
    Denied,
    /// The thing asked for does not exist, though something else says that it should.
    NotFound,
    /// Another update is under way.
    Conflict,
    /// A hard quota of the account.
    Quota,
    /// A network failure, a time-out or an error of the service.
    Transient,
    /// AWS refused the request as wrong.
    Invalid,
    /// The answer could not be understood.
    Garbage,
    /// The answer was cut short (for example `PartialData` that never completed).
    Incomplete,
    NotReadYet,
    /// It was deliberately not read (budget, discovery settings).
    NotAsked,
}

impl WhyKind {
    /// Whether the same read may succeed a moment later.
    pub const fn may_pass(self) -> bool {
        matches!(self, Self::Throttled | Self::Transient | Self::Incomplete)
    }

    /// The word used in JSON, logs and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Quota => "quota",
            Self::Transient => "transient",
            Self::Invalid => "invalid",
            Self::Garbage => "garbage",
            Self::Incomplete => "incomplete",
            Self::NotReadYet => "not_read_yet",
            Self::NotAsked => "not_asked",
        }
    }
}

/// Why something is unknown, for machines and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// The class of the failure.
    pub kind: WhyKind,
    /// One sentence: what was being read and what came back.
    pub message: String,
}

impl Why {
    /// The sentence without its full stop, for the middle of another one.
    pub fn without_full_stop(&self) -> &str {
        self.message.trim_end().trim_end_matches('.')
    }

    /// A reason with its sentence.
    pub fn new(kind: WhyKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// A fact about the world: known, or unknown with the reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact<T> {
    /// It was read.
    Known(T),
    /// It could not be read; nothing that depends on it may be written.
    Unknown(Why),
}

impl<T> Fact<T> {
    /// A fact that nobody has tried to read yet.
    pub fn not_read_yet() -> Self {
        Self::Unknown(Why::new(WhyKind::NotReadYet, "not read yet"))
    }

    /// The value, if known.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// The reason, if unknown.
    pub const fn why(&self) -> Option<&Why> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(why) => Some(why),
        }
    }

    /// The reason, if unknown, to say more.
    pub const fn why_mut(&mut self) -> Option<&mut Why> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(why) => Some(why),
        }
    }

    /// A borrowed view.
    pub fn as_ref(&self) -> Fact<&T> {
        match self {
            Self::Known(value) => Fact::Known(value),
            Self::Unknown(why) => Fact::Unknown(why.clone()),
        }
    }

    /// Applies `f` to a known value and keeps the reason otherwise.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(f(value)),
            Self::Unknown(why) => Fact::Unknown(why),
        }
    }
}

impl<T, E: Into<Why>> From<Result<T, E>> for Fact<T> {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(value) => Self::Known(value),
            Err(error) => Self::Unknown(error.into()),
        }
    }
}
