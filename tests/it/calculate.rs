//! Tests of `calculate`.
