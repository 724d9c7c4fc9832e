//! THINK: telemetry -> Estimate. Pure.
