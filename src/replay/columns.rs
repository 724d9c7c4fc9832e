//! The columns of recorded telemetry, shared by `export`, which writes them, and `replay`.

use crate::model::units::LatencyStatistic;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Column {
    /// Start of the period, RFC 3339.
    Timestamp,
    /// Length of the period in seconds; 60 without the column.
    PeriodSeconds,
    /// `Invocations`, sum.
    Invocations,
    /// `InvocationsPerInstance`, sum.
    InvocationsPerInstance,
    /// The number of instances in service.
    Instances,
    /// The number of instances that AWS wants.
    DesiredInstances,
    /// `ModelLatency` at a statistic, in microseconds.
    Latency(LatencyStatistic),
    /// `Invocation5XXErrors`, sum.
    Errors5xx,
    /// The endpoint config in force; a change is a deploy.
    EndpointConfig,
    /// The target value in force when the period begins.
    ConfiguredTarget,
    /// Fewest instances.
    MinCapacity,
    MaxCapacity,
}

impl Column {
    /// All of them, in the order `export` writes them.
    pub const ALL: [Self; 16] = [
        Self::Timestamp,
        Self::PeriodSeconds,
        Self::Invocations,
        Self::InvocationsPerInstance,
        Self::Instances,
        Self::DesiredInstances,
        Self::Latency(LatencyStatistic::Avg),
        Self::Latency(LatencyStatistic::P50),
        Self::Latency(LatencyStatistic::P90),
        Self::Latency(LatencyStatistic::P95),
        Self::Latency(LatencyStatistic::P99),
        Self::Errors5xx,
        Self::EndpointConfig,
        Self::ConfiguredTarget,
        Self::MinCapacity,
        Self::MaxCapacity,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Timestamp => "timestamp",
            Self::PeriodSeconds => "period_seconds",
            Self::Invocations => "invocations",
            Self::InvocationsPerInstance => "invocations_per_instance",
            Self::Instances => "instances",
            Self::DesiredInstances => "desired_instances",
            Self::Latency(LatencyStatistic::Avg) => "latency_avg_us",
            Self::Latency(LatencyStatistic::P50) => "latency_p50_us",
            Self::Latency(LatencyStatistic::P90) => "latency_p90_us",
            Self::Latency(LatencyStatistic::P95) => "latency_p95_us",
            Self::Latency(LatencyStatistic::P99) => "latency_p99_us",
            Self::Errors5xx => "errors_5xx",
            Self::EndpointConfig => "endpoint_config",
            Self::ConfiguredTarget => "configured_target",
            Self::MinCapacity => "min_capacity",
            Self::MaxCapacity => "max_capacity",
        }
    }

    /// The column of a header.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == name)
    }
}
