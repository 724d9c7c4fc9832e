//! Tests of `estimate`.
