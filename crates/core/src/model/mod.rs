//! NOUNS: the vocabulary of `setpoint`, as types without behaviour towards the outside world.
//!
//! Architecture invariant: nothing in here reads a clock, does I/O, logs or draws random numbers,
//! and nothing in here knows the AWS SDK, Kubernetes or HTTP.

pub mod alarms;
pub mod bucket;
pub mod checks;
pub mod consent;
pub mod decision;
pub mod endpoint;
pub mod estimate;
pub mod fact;
pub mod floors;
pub mod formula;
pub mod goal;
mod headline;
pub mod history;
pub mod ids;
pub mod keeper;
pub mod lasting;
pub mod leader;
pub mod listing;
pub mod memory;
pub mod near;
pub mod pauses;
pub mod points;
pub mod reaction;
pub mod reads;
pub mod reason;
pub mod record;
pub mod rules;
pub mod safety;
pub mod scale_out;
pub mod scaling;
pub mod scatter;
pub mod schedule;
pub mod selector;
pub mod series;
pub mod shard;
pub mod shared;
pub mod snapshot;
pub mod spending;
pub mod stable_hash;
pub mod status;
pub mod time;
pub mod traits;
pub mod typed_unit;
pub mod units;
pub mod usage;
pub mod warning;

pub use decision::{Action, Decision, FieldReport, FieldState, Outcome, Plan, Report};
pub use endpoint::{Endpoint, EndpointConfig, EndpointStatus, EndpointSummary, VariantKind};
pub use estimate::{Capacity, Estimate, Finding, Verdict};
pub use fact::{Fact, Why, WhyKind};
pub use goal::{Goal, LoadTest, Mode, Objective};
pub use ids::{AccountId, EndpointName, Region, ResourceId, VariantId, VariantName};
pub use memory::VariantMemory;
pub use reason::{Field, Reason};
pub use safety::Safety;
pub use scaling::{MetricSpec, ScalableTarget, ScalingPolicy, TargetTracking};
pub use series::{Minute, Series};
pub use snapshot::Snapshot;
pub use status::{FleetStatus, VariantStatus};
pub use time::Timestamp;
pub use units::{InvocationsPerMinute, LatencyStatistic, RequestsPerSecond, SafetyFactor};
