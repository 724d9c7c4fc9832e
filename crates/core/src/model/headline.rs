//! One sentence about both axes of a variant, the worse one first: what log lines, Events, pages
//! and plans begin with.

use super::decision::Report;
use super::reason::Reason;
use super::safety::Safety;

impl Report {
    /// Whether it is known that the value in force is unsafe, of a variant that is listed: nobody
    /// is called for others.
    pub const fn is_unsafe(&self) -> bool {
        self.managed && self.safety.state.is_unsafe()
    }

    /// Both axes in one sentence. "In sync" never leads where it is known to be unsafe.
    pub fn headline(&self) -> String {
        let safety = &self.safety;
        match self.lead() {
            Some(lead) if self.reason == Reason::InSync => format!("{lead}: {}", safety.sentence),
            Some(lead) => format!("{lead}: {}; {}", safety.sentence, self.sentence),
            None if self.safety_is_reported() => format!("{}; {}", self.sentence, safety.words()),
            None => self.sentence.clone(),
        }
    }

    /// What goes before the sentence of the second axis, where that is the worse one.
    pub fn lead(&self) -> Option<&'static str> {
        match (self.safety.state.is_unsafe(), self.reason) {
            (true, Reason::InSync) => Some("as configured, unsafe"),
            (true, _) => Some("unsafe"),
            (false, _) => None,
        }
    }

    /// Nothing is wanted of what nobody lists, so that nothing is missing where nothing is known.
    pub const fn safety_is_reported(&self) -> bool {
        self.managed || !matches!(self.safety.state, Safety::NotKnown(_))
    }
}
