//! Tests of `world`.
