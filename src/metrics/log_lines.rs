//! The lines of the log that were dropped, looked up when somebody scrapes.

use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Metric, MetricFamily};

use super::process_families::LOG_LINES_DROPPED;

type Lines = Box<dyn Fn() -> u64 + Send + Sync>;

/// A counter that is kept elsewhere; 0 while nobody keeps it.
#[derive(Clone)]
pub(super) struct LogLines {
    desc: Desc,
    lines: Arc<OnceLock<Lines>>,
}

impl LogLines {
    pub(super) fn new() -> prometheus::Result<Self> {
        Ok(Self { desc: LOG_LINES_DROPPED.desc()?, lines: Arc::default() })
    }

    pub(super) fn count(&self, lines: impl Fn() -> u64 + Send + Sync + 'static) {
        // There is one log in a process.
        let _ = self.lines.set(Box::new(lines));
    }
}

impl fmt::Debug for LogLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLines").finish_non_exhaustive()
    }
}

impl Collector for LogLines {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let lines = self.lines.get().map_or(0, |lines| lines());
        let mut counter = Counter::default();
        counter.set_value(lines as f64);
        let mut metric = Metric::default();
        metric.set_counter(counter);
        vec![LOG_LINES_DROPPED.family(vec![metric])]
    }
}
