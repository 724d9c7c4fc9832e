//! Counters, gauges and histograms of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use prometheus::core::Collector;
use prometheus::{GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec, Registry};

use super::digits::timestamp;
use super::log_lines::LogLines;
use super::pass_age::PassAge;
use super::passes::{PassKind, PassResult};
use super::process_families as families;
use super::usage::Usage;
use crate::model::decision::{Decision, Outcome, StepResult};
use crate::model::reason::Reason;
use crate::model::shard::Shard;
use crate::model::spending::Saving;
use crate::model::time::Timestamp;
use crate::model::warning::ConfigStatus;

/// A vector without labels has no series before it has a value, where a plain gauge shows 0.
const NO_LABELS: [&str; 0] = [];
/// Where a breach of a rail was found.
const DECISION: &str = "decision";
const WRITE: &str = "write";
const LEASE: &str = "setpoint";
/// A pass waits for AWS, so that the interesting part is seconds; `reconcile.pass_timeout_seconds`
/// may be some minutes.
const PASS_BUCKETS: &[f64] =
    &[0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// The families of the process. Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub struct ProcessMetrics {
    decisions: IntCounterVec,
    writes: IntCounterVec,
    budget: GaugeVec,
    month_cost: GaugeVec,
    saving: GaugeVec,
    reload_successful: IntGaugeVec,
    reload_timestamp: GaugeVec,
    config_targets: IntGaugeVec,
    config_warnings: IntGaugeVec,
    config_drops: IntGaugeVec,
    passes: IntCounterVec,
    pass_duration: HistogramVec,
    leader: IntGaugeVec,
    log_lines: LogLines,
    panics: IntCounterVec,
    rails_breached: IntCounterVec,
    pass_age: PassAge,
    total_shards: IntGaugeVec,
    /// The number of the shard, for the series that each shard has.
    shard: Arc<AtomicU32>,
}

impl ProcessMetrics {
    /// Registers the families and shows them at zero.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let build_info = registered(registry, families::BUILD_INFO.int_gauge_vec()?)?;
        let revision = option_env!("SETPOINT_REVISION").unwrap_or("unknown");
        build_info.with_label_values(&[env!("CARGO_PKG_VERSION"), revision]).set(1);
        let metrics = Self {
            decisions: registered(registry, families::DECISIONS.int_counter_vec()?)?,
            writes: registered(registry, families::WRITES.int_counter_vec()?)?,
            budget: registered(registry, families::CLOUDWATCH_BUDGET.gauge_vec()?)?,
            month_cost: registered(registry, families::CLOUDWATCH_MONTH_COST.gauge_vec()?)?,
            saving: registered(registry, families::CLOUDWATCH_SAVING.gauge_vec()?)?,
            reload_successful: registered(registry, families::RELOAD_SUCCESSFUL.int_gauge_vec()?)?,
            reload_timestamp: registered(
                registry,
                families::RELOAD_SUCCESS_TIMESTAMP.gauge_vec()?,
            )?,
            config_targets: registered(registry, families::CONFIG_TARGETS.int_gauge_vec()?)?,
            config_warnings: registered(registry, families::CONFIG_WARNINGS.int_gauge_vec()?)?,
            config_drops: registered(registry, families::CONFIG_DROPS_TARGETS.int_gauge_vec()?)?,
            passes: registered(registry, families::PASSES.int_counter_vec()?)?,
            pass_duration: histogram(registry, &families::PASS_DURATION)?,
            leader: registered(registry, families::LEADER.int_gauge_vec()?)?,
            log_lines: registered(registry, LogLines::new()?)?,
            panics: registered(registry, families::PANICS.int_counter_vec()?)?,
            rails_breached: registered(registry, families::RAILS_BREACHED.int_counter_vec()?)?,
            pass_age: registered(registry, PassAge::new()?)?,
            total_shards: registered(registry, families::TOTAL_SHARDS.int_gauge_vec()?)?,
            shard: Arc::default(),
        };
        registry.register(Box::new(Usage::new()?))?;
        metrics.show_zeros();
        Ok(metrics)
    }

    fn show_zeros(&self) {
        for reason in Reason::ALL {
            for action in reason.class().usual {
                self.decisions.with_label_values(&[action.as_str(), reason.as_str()]);
            }
        }
        for operation in families::WRITE_OPERATIONS {
            for result in families::WRITE_RESULTS {
                self.writes.with_label_values(&[operation, result]);
            }
        }
        for kind in PassKind::ALL {
            for result in PassResult::ALL {
                self.passes.with_label_values(&[kind.as_str(), result.as_str()]);
            }
        }
        for phase in families::PHASES {
            self.pass_duration.with_label_values(&[phase]);
        }
        self.set_shard(Shard::WHOLE);
        self.panics.with_label_values(&NO_LABELS);
        for at in [DECISION, WRITE] {
            self.rails_breached.with_label_values(&[at]);
        }
    }

    /// Which shard this process is, from its start on.
    pub fn set_shard(&self, shard: Shard) {
        for family in [&self.total_shards, &self.leader] {
            family.reset();
        }
        for family in [&self.budget, &self.month_cost, &self.saving] {
            family.reset();
        }
        self.shard.store(shard.index(), Ordering::Relaxed);
        let label = self.shard();
        self.total_shards.with_label_values(&[&label]).set(i64::from(shard.total()));
        self.month_cost.with_label_values(&[&label]);
        self.saving.with_label_values(&[&label]);
        self.leader.with_label_values(&[LEASE, &label]);
    }

    fn shard(&self) -> String {
        self.shard.load(Ordering::Relaxed).to_string()
    }

    /// Counts a bug of ours.
    pub fn panicked(&self) {
        self.panics.with_label_values(&NO_LABELS).inc();
    }

    /// A pass ended at this instant, or passes are to be made from it on; `None` while another
    /// process makes them.
    pub fn set_last_pass(&self, at: Option<Instant>) {
        self.pass_age.set(at);
    }

    pub fn decided(&self, decision: &Decision) {
        let labels = [decision.report.action.as_str(), decision.report.reason.as_str()];
        self.decisions.with_label_values(&labels).inc();
        if decision.report.reason == Reason::Rails {
            self.rails_breached.with_label_values(&[DECISION]).inc();
        }
    }

    /// Counts what became of a plan.
    pub fn acted(&self, outcome: &Outcome) {
        for step in &outcome.steps {
            // AWS took a write that it does not show afterwards; the decision reports that.
            let result = match step.result {
                StepResult::Success | StepResult::ReadBackDiffers => "success",
                StepResult::Error => "error",
                StepResult::Skipped => "skipped",
            };
            self.writes.with_label_values(&[step.operation, result]).inc();
            if step.reason == Some(Reason::Rails) {
                self.rails_breached.with_label_values(&[WRITE]).inc();
            }
        }
    }

    /// Takes note of the CloudWatch budget of a month, in US dollars.
    pub fn set_budget(&self, dollars: Option<f64>) {
        self.budget.reset();
        if let Some(dollars) = dollars {
            self.budget.with_label_values(&[self.shard()]).set(dollars);
        }
    }

    /// Takes note of what CloudWatch has cost in this month, in US dollars.
    /// And of what is no longer read so that the budget lasts.
    pub fn set_month_cost(&self, dollars: f64, saving: Saving) {
        self.month_cost.with_label_values(&[self.shard()]).set(dollars);
        self.saving.with_label_values(&[self.shard()]).set(match saving {
            Saving::Nothing => 0.0,
            Saving::Unlisted => 1.0,
            Saving::Steady => 2.0,
        });
    }

    /// Takes note of a load of the configuration, which succeeded at this time or failed.
    pub fn config_loaded(&self, succeeded: Option<Timestamp>) {
        let successful = i64::from(succeeded.is_some());
        self.reload_successful.with_label_values(&NO_LABELS).set(successful);
        if let Some(at) = succeeded {
            self.reload_timestamp.with_label_values(&NO_LABELS).set(timestamp(at));
        }
    }

    /// Takes note of what there is to say of the configuration in force.
    pub fn set_config(&self, targets: usize, status: &ConfigStatus) {
        let dropped = status.held.as_ref().map_or(0, |held| held.dropped);
        for (gauge, count) in [
            (&self.config_targets, targets),
            (&self.config_warnings, status.warnings.len()),
            (&self.config_drops, dropped),
        ] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            gauge.with_label_values(&NO_LABELS).set(count);
        }
    }

    /// Whether this process is the writer.
    pub fn set_leader(&self, leads: bool) {
        self.leader.with_label_values(&[LEASE, &self.shard()]).set(i64::from(leads));
    }

    /// Where to look for the number of lines of the log that were dropped; only the first call
    /// counts.
    pub fn count_dropped_log_lines(&self, lines: impl Fn() -> u64 + Send + Sync + 'static) {
        self.log_lines.count(lines);
    }

    /// A pass ended, well or not.
    pub fn pass_ended(&self, kind: PassKind, result: PassResult) {
        self.passes.with_label_values(&[kind.as_str(), result.as_str()]).inc();
    }

    /// How long a phase of a pass took that came to its end.
    pub fn phase_took(&self, phase: &'static str, took: Duration) {
        self.pass_duration.with_label_values(&[phase]).observe(took.as_secs_f64());
    }
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, c: C) -> prometheus::Result<C> {
    registry.register(Box::new(c.clone()))?;
    Ok(c)
}

fn histogram(
    registry: &Registry,
    definition: &super::definition::Definition,
) -> prometheus::Result<HistogramVec> {
    registered(registry, definition.histogram_vec(PASS_BUCKETS)?)
}
