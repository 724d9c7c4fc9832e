//! Pauses of more than one variant. They hold what exists and what appears later alike, so they
//! are not kept with the variants.

use serde::{Deserialize, Serialize};

use super::goal::{Goal, Pause};
use super::ids::VariantId;
use super::selector::Selector;
use super::time::Timestamp;

/// The most pauses, and the most exceptions from one, that are kept.
pub const PAUSES_MAX: usize = 100;

/// A pause of all that a selection holds, now or later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManyPaused {
    /// Of which variants.
    pub of: Selector,
    /// Which of them have been resumed since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<Selector>,
    /// Until when, and why.
    #[serde(flatten)]
    pub pause: Pause,
}

/// All pauses of more than one variant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pauses(Vec<ManyPaused>);

/// There are as many pauses, or exceptions from one, as are kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{PAUSES_MAX} {what} are remembered already; {remedy}")]
pub struct TooMany {
    what: &'static str,
    remedy: &'static str,
}

impl Pauses {
    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many are not over.
    pub fn in_force(&self, now: Timestamp) -> usize {
        self.0.iter().filter(|many| now < many.pause.until).count()
    }

    /// The pause that holds a variant, the one that ends last if several do.
    pub fn of(&self, id: &VariantId, now: Timestamp) -> Option<&Pause> {
        self.0
            .iter()
            .filter(|many| many.of.matches(id) && !many.except.iter().any(|e| e.matches(id)))
            .map(|many| &many.pause)
            .filter(|pause| now < pause.until)
            .max_by_key(|pause| pause.until)
    }

    /// Ends what stands in for pauses that could not be read, once a person has removed what was set
    /// aside.
    pub fn end_stand_ins(&mut self) {
        self.0.retain(|many| !super::record::stands_in(&many.pause));
    }

    /// Holds a variant as these pauses and its own configuration want it.
    pub fn hold(&self, id: &VariantId, goal: &mut Goal, now: Timestamp) {
        let Some(pause) = self.of(id, now) else { return };
        if goal.paused.as_ref().is_none_or(|own| own.until < pause.until) {
            goal.paused = Some(pause.clone());
        }
    }

    /// Adds a pause, in place of an earlier one of the same selection. Those that are over go.
    ///
    /// # Errors
    /// When there are [`PAUSES_MAX`] already.
    pub fn add(&mut self, of: Selector, pause: Pause, now: Timestamp) -> Result<(), TooMany> {
        self.0.retain(|many| now < many.pause.until && many.of != of);
        if self.0.len() >= PAUSES_MAX {
            return Err(TooMany { what: "pauses", remedy: "resume some, or pause all" });
        }
        self.0.push(ManyPaused { of, except: Vec::new(), pause });
        Ok(())
    }

    /// Ends the pauses of a selection; wider ones go on without it.
    ///
    /// # Errors
    /// When a pause has [`PAUSES_MAX`] exceptions already.
    pub fn end(&mut self, of: &Selector, now: Timestamp) -> Result<(), TooMany> {
        self.0.retain(|many| now < many.pause.until && !of.covers(&many.of));
        for many in self.0.iter_mut().filter(|many| many.of.overlaps(of)) {
            many.except.retain(|except| !of.covers(except));
            if many.except.iter().any(|except| except.covers(of)) {
                continue;
            }
            if many.except.len() >= PAUSES_MAX {
                let remedy = "resume all, and pause what is to be held";
                return Err(TooMany { what: "exceptions from a pause", remedy });
            }
            many.except.push(of.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn id(name: &str) -> VariantId {
        let json = format!(
            r#"{{"account_id": "123456789012", "region": "us-east-1", "endpoint": "{name}", "variant": "v"}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    fn endpoint(name: &str) -> Selector {
        Selector { endpoint: Some(name.parse().unwrap()), ..Selector::default() }
    }

    fn pause(hours: i64) -> Pause {
        Pause { until: now() + TimeDelta::hours(hours), reason: format!("{hours} h") }
    }

    fn held(pauses: &Pauses, name: &str) -> Option<String> {
        pauses.of(&id(name), now()).map(|pause| pause.reason.clone())
    }

    #[test]
    fn a_pause_of_all_holds_what_nobody_has_named_until_it_is_over() {
        let mut pauses = Pauses::default();
        pauses.add(Selector::default(), pause(2), now()).unwrap();
        assert_eq!(held(&pauses, "new").as_deref(), Some("2 h"));
        assert_eq!(pauses.of(&id("new"), now() + TimeDelta::hours(2)), None);
        // The longer of two holds; the same selection again replaces the first.
        pauses.add(endpoint("a"), pause(5), now()).unwrap();
        assert_eq!(held(&pauses, "a").as_deref(), Some("5 h"));
        pauses.add(Selector::default(), pause(1), now()).unwrap();
        assert_eq!(held(&pauses, "new").as_deref(), Some("1 h"));
    }

    #[test]
    fn one_that_is_resumed_goes_on_while_the_others_are_held() {
        let mut pauses = Pauses::default();
        pauses.add(Selector::default(), pause(2), now()).unwrap();
        pauses.end(&endpoint("a"), now()).unwrap();
        assert_eq!(held(&pauses, "a"), None);
        assert_eq!(held(&pauses, "b").as_deref(), Some("2 h"));
        // Paused again, by itself; and everything ends with all.
        pauses.add(endpoint("a"), pause(1), now()).unwrap();
        assert_eq!(held(&pauses, "a").as_deref(), Some("1 h"));
        pauses.end(&Selector::default(), now()).unwrap();
        assert!(pauses.is_empty());
    }

    #[test]
    fn there_is_a_limit() {
        let mut pauses = Pauses::default();
        for i in 0..PAUSES_MAX {
            pauses.add(endpoint(&format!("e{i}")), pause(1), now()).unwrap();
        }
        let error = pauses.add(endpoint("one-more"), pause(1), now()).unwrap_err();
        assert!(error.to_string().starts_with("100 pauses are remembered already"), "{error}");
        // Those that are over make room.
        let later = now() + TimeDelta::hours(1);
        pauses.add(endpoint("one-more"), pause(3), later).unwrap();
        assert_eq!(pauses.0.len(), 1);
    }
}
