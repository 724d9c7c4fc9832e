//! Structured logs by `tracing-subscriber`.
