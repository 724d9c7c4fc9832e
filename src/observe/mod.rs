//! READ: ports -> snapshots. Reads everything a pass will need of one account and region ([`reader`]),
//! then stops. A history goes on beside the passes ([`history`]).
//!
//! A region is swept as a whole, for that is what AWS's page sizes make cheap: 500 variants are
//! 10 calls of `DescribeScalableTargets`, 50 of `DescribeScalingPolicies`, 5 of `ListEndpoints`.
//! What only changes with an endpoint is read again when the endpoint has changed ([`cache`]).
//! What could not be read is `Unknown` with the reason, for the variants that needed it.

mod activities;
mod before_write;
pub mod bounded;
pub mod cache;
mod collected;
pub mod cost;
pub mod evidence;
mod fetch;
mod filling;
pub mod goals;
pub mod health;
pub mod history;
mod kept;
pub mod listings;
mod per_instance;
pub mod periods;
pub mod progress;
pub mod reader;
mod readings;
pub mod remembered;
mod resume;
pub mod rows;
pub mod settings;
pub mod slots;
mod snapshot;
pub mod sweep;
pub mod telemetry;
pub mod unknown;
pub mod unmeasured;
mod weeks;

pub use cache::EndpointCache;
pub use cost::{CostMeter, DOLLARS_PER_METRIC};
pub use goals::{Goals, Named};
pub use history::HISTORY_WAIT;
pub use periods::Periods;
pub use progress::Progress;
pub use reader::{Observed, Parts, Reader, Request, wanted};
pub use remembered::subject;
pub use settings::{DiscoveryTelemetry, HistoryWait, Settings};
pub use sweep::Sweep;
