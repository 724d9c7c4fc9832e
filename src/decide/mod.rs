//! THINK: desired state, ordered guards, diff, report. Pure.
pub mod safe_target;
