//! Of which variants `/metrics` has series.

use chrono::TimeDelta;

use crate::model::decision::FieldState;
use crate::model::fact::Fact;
use crate::model::reason::ActionKind;
use crate::model::scaling::{AlarmState, SuspendedState};
use crate::model::status::{FleetStatus, VariantStatus};

/// With more variants than this, `auto` leaves out those that have nothing to say: some thirty series
/// each are more than a Prometheus is glad to take from one process.
pub const AUTO_ALL_MAX: usize = 2000;
/// Telemetry that was read longer ago than this is something to say: it is read every 15 minutes.
const TELEMETRY_READ_MAX: TimeDelta = TimeDelta::minutes(35);
/// The same where it is read seldom: every hour at most, when the budget runs short.
const SELDOM_READ_MAX: TimeDelta = TimeDelta::minutes(80);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SeriesOf {
    /// All, up to [`AUTO_ALL_MAX`] of them; above that those with something to say.
    #[default]
    Auto,
    All,
    /// Those that the configuration lists, and others with something to say.
    Listed,
    /// Those with something to say.
    Problems,
}

/// What `/metrics` shows of the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    pub variants: SeriesOf,
    /// With more variants than this, only the non-zero members of closed sets are exported.
    pub per_variant_limit: usize,
}

impl Shown {
    pub const fn up_to(per_variant_limit: usize) -> Self {
        Self { variants: SeriesOf::Auto, per_variant_limit }
    }

    /// Whether only the non-zero members of closed sets are exported.
    pub(super) fn is_sparse(self, fleet: &FleetStatus) -> bool {
        fleet.variants.len() > self.per_variant_limit
    }

    pub(super) fn shows(self, fleet: &FleetStatus, status: &VariantStatus) -> bool {
        match self.variants {
            SeriesOf::All => true,
            SeriesOf::Auto if fleet.variants.len() <= AUTO_ALL_MAX => true,
            SeriesOf::Listed => status.decision.report.managed || has_something_to_say(status),
            SeriesOf::Auto | SeriesOf::Problems => has_something_to_say(status),
        }
    }
}

/// Whether anything about a variant is not as it should be, not known, or has just been written:
/// everything that an alert or a panel of the chart looks for.
fn has_something_to_say(status: &VariantStatus) -> bool {
    let (report, snapshot) = (&status.decision.report, &status.snapshot);
    let found = !report.estimate.findings.is_empty()
        || report.estimate.incident_since.is_some()
        || report.is_unsafe();
    // Of an unlisted variant only a finding is worth a series.
    if !report.managed {
        return found;
    }
    let differs = report
        .fields
        .iter()
        .any(|field| field.state.differs() || field.state == FieldState::Unknown);
    let alarmed = |state| matches!(state, AlarmState::InsufficientData | AlarmState::Unknown);
    let alarms = snapshot.alarms.known().is_some_and(|all| all.iter().any(|a| alarmed(a.state)));
    let target = snapshot.target.known().and_then(Option::as_ref);
    let suspended = target.is_some_and(|target| target.suspended != SuspendedState::default());
    let wanted = report.instances.and_then(|forecast| forecast.at_present_load);
    let short = wanted
        .zip(target)
        .is_some_and(|(wanted, target)| i64::from(wanted) > i64::from(target.max_capacity));
    found
        || differs
        || alarms
        || suspended
        || short
        || report.action != ActionKind::None
        || !report.comparable
        || !report.notes.is_empty()
        || report.load_test_problem.is_some()
        || status.outcome.is_some()
        || is_silent(status)
        || snapshot.facts().iter().any(|fact| fact.why.is_some())
}

/// Whether its telemetry is due and has not come.
fn is_silent(status: &VariantStatus) -> bool {
    let telemetry: &Fact<_> = &status.snapshot.telemetry;
    let read_at = telemetry.known().map(|telemetry| telemetry.read_at);
    let most = if status.snapshot.reads.steady { SELDOM_READ_MAX } else { TELEMETRY_READ_MAX };
    read_at.is_none_or(|at| status.last_pass - at > most)
}
