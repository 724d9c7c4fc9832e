//! How long ago the last pass ended, by the monotonic clock: it keeps growing when passes stop,
//! also where the wall clock was set back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Metric, MetricFamily};

use super::process_families::LAST_PASS_AGE;

/// Computes the age when it is asked for. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct PassAge {
    desc: Desc,
    /// Absent in a process that makes no passes: another one leads.
    ended: Arc<Mutex<Option<Instant>>>,
}

impl PassAge {
    /// No age yet.
    ///
    /// # Errors
    /// When the name is not one that Prometheus takes.
    pub fn new() -> prometheus::Result<Self> {
        Ok(Self { desc: LAST_PASS_AGE.desc()?, ended: Arc::default() })
    }

    /// A pass ended at this instant, or passes begin now; `None` while another process makes them.
    pub fn set(&self, at: Option<Instant>) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

impl Collector for PassAge {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let ended = *self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ended) = ended else { return Vec::new() };
        let mut gauge = prometheus::proto::Gauge::default();
        gauge.set_value(ended.elapsed().as_secs_f64());
        let mut metric = Metric::default();
        metric.set_gauge(gauge);
        vec![LAST_PASS_AGE.family(vec![metric])]
    }
}
