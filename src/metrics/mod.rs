//! Prometheus metrics of the process, of every account and region, and of every variant.
//!
//! Every family is defined once (`variant_families`, `status_families`, `process_families`); registration, encoding
//! and `docs/metrics.md` follow from that. There is no global registry: one is passed in.

pub mod calls;
pub mod definition;
mod digits;
mod exposition;
mod log_lines;
pub mod pass_age;
pub mod passes;
pub mod process;
pub mod process_families;
pub mod reference;
pub mod shown;
pub mod status;
pub mod status_families;
mod totals;
mod usage;
pub mod variant_families;
pub mod variants;

use std::sync::Arc;

use prometheus::Registry;

pub use calls::CallMetrics;
pub use exposition::Exposition;
pub use passes::{PassKind, PassResult};
pub use process::ProcessMetrics;
pub use shown::{SeriesOf, Shown};
pub use status::StatusCollector;

use crate::model::status::FleetStatus;

/// With more variants than this, only the non-zero members of closed sets are exported, unless
/// `metrics.per_variant_limit` says otherwise.
pub const DEFAULT_PER_VARIANT_LIMIT: usize = 200;

/// Where the status of all variants is published.
pub trait StatusSource: Send + Sync {
    /// What the last passes knew and decided. Cheap: a pointer, not a copy.
    fn fleet(&self) -> Arc<FleetStatus>;
}

/// All metrics of a process.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// What the process and the fleet as a whole are registered in.
    pub registry: Registry,
    pub process: ProcessMetrics,
    /// Counts every call to AWS.
    pub calls: Arc<CallMetrics>,
    /// What `/metrics` answers: all of these, and the variants.
    pub exposition: Arc<Exposition>,
}

impl Metrics {
    /// Registers everything in `registry`; the variants are written from what `source` publishes.
    pub fn register(
        registry: Registry,
        source: Arc<dyn StatusSource>,
        shown: Shown,
    ) -> prometheus::Result<Self> {
        registry.register(Box::new(StatusCollector::new(Arc::clone(&source))?))?;
        let process = ProcessMetrics::register(&registry)?;
        let calls = Arc::new(CallMetrics::register(&registry)?);
        let exposition = Arc::new(Exposition::new(source, registry.clone(), shown));
        Ok(Self { registry, process, calls, exposition })
    }
}

/// Everything that `/metrics` shows, in the Prometheus text format.
///
/// # Errors
/// When a collector breaks the format's rules.
pub fn text(metrics: &Metrics) -> std::io::Result<String> {
    metrics.exposition.text()
}
