//! THINK: desired state, ordered guards, diff, report. Pure.
