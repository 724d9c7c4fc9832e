//! Quantities with their units, so that RPS and invocations per minute cannot be mixed up.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Two target values closer than this are the same number (AWS stores doubles).
pub const TARGET_VALUE_TOLERANCE: f64 = 1e-6;

/// Whether two values of a field are the same number.
pub fn same_value(a: f64, b: f64) -> bool {
    (a - b).abs() <= TARGET_VALUE_TOLERANCE
}

/// The same, where either may be absent.
pub fn same_values(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same_value(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// The formula: load-tested rate x safety factor x 60
/// (SageMaker developer guide, "Load testing your auto scaling configuration").
pub fn formula(max_rps: f64, safety_factor: f64) -> f64 {
    max_rps * safety_factor * 60.0
}

/// A number outside the range its unit allows.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{found} is not {what} (allowed: {allowed})")]
pub struct OutOfRange {
    what: &'static str,
    found: f64,
    allowed: &'static str,
}

/// Invocations per minute per instance, the unit of a target value. Finite and above zero.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct InvocationsPerMinute(f64);

/// Requests per second that one instance serves. Finite and above zero.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct RequestsPerSecond(f64);

/// The share of capacity that a target aims at, in (0, 1].
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct SafetyFactor(f64);

macro_rules! unit_type {
    ($name:ident, $what:literal, $allowed:literal, |$v:ident| $check:expr) => {
        impl $name {
            /// Checks and wraps a number.
            ///
            /// # Errors
            /// When the number is not finite or outside the range of this unit.
            pub fn new($v: f64) -> Result<Self, OutOfRange> {
                if $v.is_finite() && $check {
                    Ok(Self($v))
                } else {
                    Err(OutOfRange { what: $what, found: $v, allowed: $allowed })
                }
            }

            /// The bare number, in this type's unit.
            pub const fn get(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = OutOfRange;
            fn try_from(v: f64) -> Result<Self, OutOfRange> {
                Self::new(v)
            }
        }

        impl From<$name> for f64 {
            fn from(v: $name) -> f64 {
                v.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", human(self.0))
            }
        }
    };
}

unit_type!(
    InvocationsPerMinute,
    "a number of invocations per minute",
    "a finite number above 0",
    |v| v > 0.0
);
unit_type!(RequestsPerSecond, "a request rate", "a finite number above 0", |v| v > 0.0);
unit_type!(SafetyFactor, "a safety factor", "a number above 0 and at most 1", |v| v > 0.0
    && v <= 1.0);

impl RequestsPerSecond {
    /// The rate per minute.
    pub fn per_minute(self) -> f64 {
        self.0 * 60.0
    }

    /// The [`formula`].
    ///
    /// # Errors
    /// When the product is not a finite number above 0 (rates near the ends of the double range).
    pub fn formula_target(
        self,
        safety_factor: SafetyFactor,
    ) -> Result<InvocationsPerMinute, OutOfRange> {
        InvocationsPerMinute::new(formula(self.0, safety_factor.get()))
    }
}

impl SafetyFactor {
    /// All of the capacity.
    pub const ONE: Self = Self(1.0);
}

/// A number as people write it: no trailing zeros, at most four decimals.
pub fn human(v: f64) -> String {
    let rounded = (v * 10_000.0).round() / 10_000.0;
    // Rounding must not turn a small number into nothing.
    if rounded == 0.0 && v != 0.0 { format!("{v:e}") } else { format!("{rounded}") }
}

/// A number for reading: whole from 100 on, and rounded down, so that what is safe or proven is never
/// shown as more than it is. Pages, tables and sentences share it, and so never differ by one.
pub fn for_reading(v: f64) -> f64 {
    // A product such as 20 x 0.7 x 60 falls short of a whole number by its last bits.
    if v.abs() >= 100.0 { (v + TARGET_VALUE_TOLERANCE).floor() } else { v }
}

/// A statistic of `ModelLatency` that CloudWatch computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[derive(schemars::JsonSchema)]
pub enum LatencyStatistic {
    /// The mean.
    Avg,
    /// The median.
    P50,
    /// The 90th percentile.
    P90,
    /// The 95th percentile.
    P95,
    /// The 99th percentile.
    P99,
}

impl LatencyStatistic {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Avg, Self::P50, Self::P90, Self::P95, Self::P99];

    /// The name in configuration, metrics and CSV columns.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
        }
    }

    /// The name in a CloudWatch query.
    pub const fn cloudwatch(self) -> &'static str {
        match self {
            Self::Avg => "Average",
            other => other.as_str(),
        }
    }

    /// The fewest requests in a period from which the statistic means anything.
    pub const fn min_requests(self) -> f64 {
        match self {
            Self::Avg | Self::P50 => 10.0,
            Self::P90 | Self::P95 => 30.0,
            Self::P99 => 100.0,
        }
    }
}

impl fmt::Display for LatencyStatistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
