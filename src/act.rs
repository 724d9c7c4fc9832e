//! WRITE: Plan -> Outcome.
