//! Tests of `scenarios`.
