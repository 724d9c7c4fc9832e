//! READ: ports -> snapshots. Reads everything a pass will need, then stops.
//!
//! A region is swept as a whole, for that is what AWS's page sizes make cheap: 500 variants are
//! 10 calls of `DescribeScalableTargets`, 50 of `DescribeScalingPolicies`, 5 of `ListEndpoints`.
//! What only changes with an endpoint is read again when the endpoint has changed ([`cache`]).
//! What could not be read is `Unknown` with the reason, for the variants that needed it.

pub mod bounded;
pub mod cache;
mod kept;
pub mod periods;
pub mod progress;
pub mod sweep;
pub mod telemetry;

pub use cache::EndpointCache;
pub use periods::Periods;
pub use sweep::Sweep;
