//! Configuration that can be read and can hardly be meant, and a reload that waits for a person.

use std::fmt;

use serde::Serialize;

use super::time::Timestamp;

/// One thing in the configuration that can hardly be meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ConfigWarning {
    /// What it is, in a word of a closed set, such as `objective_too_short`.
    pub code: &'static str,
    /// Where it is written, such as `prod.yaml:12` or `environment SETPOINT_AWS_REGION`; empty when
    /// it is nowhere.
    pub origin: String,
    /// The target that it is about, as `endpoint/variant`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The key, such as `objective.latency.threshold_ms`; empty when it is about none.
    pub key: String,
    /// What is strange about it, and what to do.
    pub sentence: String,
}

impl ConfigWarning {
    /// The word for an account that is not the caller's. It leads everywhere: nothing else that is
    /// shown is about the right account.
    pub const WRONG_ACCOUNT: &'static str = "account_is_not_the_callers";
    /// The words of those whose sentences have what was measured, which differs from pass to pass.
    const MEASURED: [&'static str; 3] =
        ["objective_always_broken", "max_rps_per_minute", "clock_is_behind"];

    /// The same without what was measured: equal as long as it lasts.
    #[must_use]
    pub fn without_measurements(&self) -> Self {
        let mut lasting = self.clone();
        if Self::MEASURED.contains(&self.code) {
            lasting.sentence.retain(|c| !c.is_ascii_digit());
        }
        lasting
    }
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.target.as_ref().map(|target| format!("target {target}"));
        let places = [Some(self.origin.as_str()), target.as_deref(), Some(self.key.as_str())];
        for place in places.into_iter().flatten().filter(|place| !place.is_empty()) {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.sentence)
    }
}

/// A reload that would take so many variants out of setpoint's hands that a person must say so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldReload {
    /// Names the configuration; a confirmation must name it too.
    pub plan_id: String,
    /// How many variants and targets would be dropped.
    pub dropped: usize,
    /// Of how many.
    pub of: usize,
    /// How many may be dropped without a confirmation.
    pub limit: usize,
    /// The first of them by name.
    pub examples: Vec<String>,
    pub since: Timestamp,
}

impl fmt::Display for HeldReload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan_id, dropped, of, limit, examples, .. } = self;
        let more = dropped.saturating_sub(examples.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let allowed = match limit {
            0 => "It lists nothing, so each of them needs a confirmation".to_owned(),
            1 => "1 may be dropped without a confirmation".to_owned(),
            limit => format!("At most {limit} may be dropped without a confirmation"),
        };
        write!(
            f,
            "the new configuration drops {dropped} of {of} targets and variants ({}{more}). {allowed}. \
             The configuration before it stays in force. To drop them, run `setpoint confirm \
             {plan_id}`",
            examples.join(", ")
        )
    }
}

/// What there is to say of the configuration in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ConfigStatus {
    /// What can hardly be meant, an account that is not the caller's first.
    pub warnings: Vec<ConfigWarning>,
    /// A reload that waits for a confirmation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldReload>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lasting(code: &'static str, sentence: &str) -> ConfigWarning {
        let (origin, key) = ("prod.yaml:12".to_owned(), "a.key".to_owned());
        let sentence = sentence.to_owned();
        ConfigWarning { code, origin, target: None, key, sentence }.without_measurements()
    }

    #[test]
    fn a_warning_of_which_only_what_was_measured_changes_is_the_same() {
        let broken = |sentence| lasting("objective_always_broken", sentence);
        assert_eq!(broken("the fastest took 408 ms"), broken("the fastest took 51 ms"));
        assert_ne!(broken("the fastest took 408 ms"), broken("the slowest took 408 ms"));
        let account = |sentence| lasting(ConfigWarning::WRONG_ACCOUNT, sentence);
        assert_ne!(account("of account 210987654321"), account("of account 310987654321"));
    }
}
