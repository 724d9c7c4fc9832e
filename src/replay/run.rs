//! Drives a variant over the rows of a recording, as the daemon drives it over AWS.

use chrono::TimeDelta;

use crate::decide::Rules;
use crate::decide::consent::Confirmed;
use crate::decide::last_known::Described;
use crate::decide::step::is_further_step;
use crate::estimate::{Context, EstimatorSettings, Families, Refinements, Scratch};
use crate::model::decision::{Action, Outcome, StepOutcome};
use crate::model::estimate::{Estimate, Finding};
use crate::model::factor::FactorAdvice;
use crate::model::goal::{Goal, LoadTestProblem, Objective};
use crate::model::memory::VariantMemory;
use crate::model::reads::Read;
use crate::model::reason::{ActionKind, Reason};
use crate::model::series::Minute;
use crate::model::shared::Shared;
use crate::model::snapshot::Snapshot;
use crate::model::time::{Timestamp, floor_to, floor_to_minute};
use crate::model::units::{RequestsPerSecond, SafetyFactor, same_value};
use crate::variant::{DecideContext, NewPeriods, Variant, WEEKS_SPAN, Weeks};

use super::csv::Row;
use super::facts::{self, Stated};

/// What the daemon does where its configuration says nothing: `telemetry.delay_minutes`,
/// `reconcile.telemetry_schedule`, `telemetry.history_days`, `telemetry.max_age_minutes` and
/// `reconcile.writes_per_variant` of `config/default.yaml`.
const DELAY: TimeDelta = TimeDelta::minutes(3);
const READ_EVERY: TimeDelta = TimeDelta::minutes(15);
const HISTORY: TimeDelta = TimeDelta::days(14);
const MAX_AGE: TimeDelta = TimeDelta::minutes(45);
const WRITES_PER_HOUR: usize = 6;
const WRITES_PER_DAY: usize = 24;

/// The longer periods of a recording, in seconds.
const LONG_PERIODS: [u32; 2] = [300, 900];

/// A decision was carried out if the recording shows its value so soon: by hand it takes a few
/// minutes, and after ten the daemon takes its next step.
const CARRIED_OUT_WITHIN: TimeDelta = TimeDelta::minutes(10);
/// A longer gap in the recording is one pass, not hundreds of the same.
const PASSES_IN_A_GAP: i64 = 64;

/// What a replay needs besides the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplaySettings {
    /// What counts as serving well.
    pub objective: Objective,
    /// The load-tested rate; without it the start is flat.
    pub max_rps: Option<RequestsPerSecond>,
    pub safety_factor: SafetyFactor,
    /// The target value in force before the rows state one; by default the formula's.
    pub configured_target: Option<f64>,
    /// When the endpoint was made, where that is known: a recording does not say.
    pub made_at: Option<Timestamp>,
    /// When the passes begin; what the rows before it say is history. By default they begin with
    /// the rows.
    pub from: Option<Timestamp>,
    /// From one pass to the next.
    pub every: TimeDelta,
    /// What the estimator does beyond its basic steps.
    pub refinements: Refinements,
}

impl ReplaySettings {
    /// Load-tested rate x safety factor x 60.
    pub fn formula(&self) -> Option<f64> {
        let rate = self.max_rps?.formula_target(self.safety_factor).ok()?;
        Some(rate.get())
    }
}

/// What is decided about the target value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decided {
    /// What is done, in one word.
    pub action: ActionKind,
    /// The value in force after it; absent when there is none.
    pub target_value: Option<f64>,
    pub reason: Reason,
    /// Whether it is a further step of the lowering that the last write was a step of (rule 10).
    pub is_further_step: bool,
}

/// One pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// When, in the recording's time.
    pub at: Timestamp,
    pub estimate: Estimate,
    /// What the target value should be, before limits.
    pub safe_target: Option<f64>,
    /// The value in force.
    pub configured_target: Option<f64>,
    /// Configured target over safe target.
    pub divergence: Option<f64>,
    /// The decision, after limits.
    pub decided: Decided,
    /// Findings raised since the pass before.
    pub raised: Vec<Finding>,
    /// The safety factor that the last weeks allow.
    pub factor: FactorAdvice,
}

/// A replay under way.
pub struct Run<'a> {
    settings: &'a ReplaySettings,
    variant: Variant,
    goal: Shared<Goal>,
    /// What AWS would have shown at the last read.
    facts: Snapshot,
    scratch: Scratch,
    memory: Shared<VariantMemory>,
    /// What the rows up to now have stated.
    stated: Stated,
    /// The value that the last decision put in force as if it had been carried out, and when.
    as_if: Option<(Timestamp, f64)>,
    raised: Vec<Finding>,
    /// Findings of the last read.
    found: Vec<Finding>,
}

/// Replays rows and hands each pass to `show`: those at multiples of `every` after the first row, the
/// last one, and one whenever a finding is raised in between.
pub fn replay(rows: &[Row], settings: &ReplaySettings, mut show: impl FnMut(Evaluation)) {
    let Some(first) = rows.first() else { return };
    let mut run = Run::new(settings);
    let every = settings.every.max(TimeDelta::minutes(1));
    let begin = settings.from.map_or(first.minute.at, |from| from.max(first.minute.at));
    let mut due = begin + every;
    let ends = rows.iter().map(|row| row.minute.end() + DELAY);
    let mut ends: Vec<Timestamp> = ends.filter(|at| *at > begin).collect();
    ends.sort_unstable();
    let Some(last) = ends.last().copied() else { return };
    // Telemetry is read at fixed times of the day, whenever the daemon began.
    let mut known: Vec<Timestamp> = ends.into_iter().map(|at| next_read(at).min(last)).collect();
    known.dedup();
    for at in known {
        while due < at {
            run.read(rows, due, false);
            show(run.decide(rows, due));
            let behind = (at - due).num_seconds() / every.num_seconds().max(1);
            let steps = i32::try_from(behind.max(1)).unwrap_or(i32::MAX);
            due += if i64::from(steps) > PASSES_IN_A_GAP { every * (steps - 1) } else { every };
        }
        run.read(rows, at, at == last);
        let is_due = due == at;
        if is_due {
            due += every;
        }
        if is_due || at == last || !run.raised.is_empty() {
            show(run.decide(rows, at));
        }
    }
}

/// The first time at or after `at` when telemetry is read.
fn next_read(at: Timestamp) -> Timestamp {
    let before = floor_to(at, READ_EVERY.num_seconds());
    if before == at { at } else { before + READ_EVERY }
}

impl<'a> Run<'a> {
    /// A replay that has seen nothing yet.
    pub fn new(settings: &'a ReplaySettings) -> Self {
        let mut variant = Variant::default();
        variant.keep_fit();
        let stated = Stated::new(settings.made_at);
        Self {
            settings,
            variant,
            goal: facts::goal(settings).into(),
            facts: facts::snapshot(
                &stated,
                None,
                VariantMemory::default().into(),
                Timestamp::UNIX_EPOCH,
            ),
            scratch: Scratch::new(),
            memory: Shared::default(),
            stated,
            as_if: None,
            raised: Vec::new(),
            found: Vec::new(),
        }
    }

    /// A pass at an instant, with the rows of the recording so far; later rows say only whether the
    /// decision was carried out. Rows may be added between passes.
    pub fn pass(&mut self, rows: &[Row], now: Timestamp) -> Evaluation {
        self.read(rows, now, false);
        self.decide(rows, now)
    }

    /// Reads what AWS would have shown: the variant always, telemetry when it is time, and at the
    /// end of the recording.
    fn read(&mut self, rows: &[Row], now: Timestamp, at_end: bool) {
        loop {
            // The daemon sees a deploy within a minute.
            let at = self.stated.advance(rows, now);
            let memory = self.memory.clone();
            self.facts = facts::snapshot(&self.stated, self.in_force(), memory, at);
            note_endpoint(&mut self.variant, &self.facts, at);
            if at == now {
                break;
            }
        }
        if now != next_read(now) && !at_end {
            return;
        }
        self.take_in(rows, now);
        if self.variant.wants_history() && self.variant.read_until().is_some() {
            // What turns out to have little traffic is read again, in longer periods too.
            let mut again = self.variant.blank();
            note_endpoint(&mut again, &self.facts, now);
            self.variant = again;
            self.take_in(rows, now);
        }
        let found = self.estimate(now).findings.clone();
        self.raised.extend(found.iter().filter(|finding| !self.found.contains(finding)).copied());
        self.found = found;
    }

    fn take_in(&mut self, rows: &[Row], now: Timestamp) {
        let Some(new) = self.new_periods(rows, now) else { return };
        let settings = EstimatorSettings {
            load_test: self.settings.max_rps,
            load_test_problem: self.load_test_problem(now),
            refinements: self.settings.refinements,
            ..EstimatorSettings::new(self.settings.objective)
        };
        let by = (&settings, &self.context());
        // Nothing is restored from a journal: the recording is the history.
        let _ = self.variant.take_in(new, by, None, &mut self.scratch, now);
    }

    fn load_test_problem(&self, now: Timestamp) -> Option<LoadTestProblem> {
        let test = self.goal.load_test.as_ref();
        Described::from(&self.facts).check(test, Some(&self.memory), now).err()
    }

    fn context(&self) -> Context {
        let safety_factor = self.settings.safety_factor.get();
        Context { configured_target: self.in_force(), safety_factor }
    }

    fn estimate(&mut self, now: Timestamp) -> Shared<Estimate> {
        let (problem, context) = (self.load_test_problem(now), self.context());
        self.variant.estimate(&self.goal, (problem, context, None), &mut self.scratch, now)
    }

    /// The periods that have not been read yet and are complete.
    fn new_periods(&self, rows: &[Row], now: Timestamp) -> Option<NewPeriods> {
        let first = rows.first()?.minute.at;
        let whole = floor_to_minute(now - DELAY);
        let thin = self.variant.is_thin(now);
        // Periods of all lengths must end together to be read in order.
        let until = if thin { floor_to(whole, i64::from(LONG_PERIODS[1])) } else { whole };
        let oldest = floor_to_minute(now - HISTORY).max(first);
        let from = self.variant.read_until().map_or(oldest, |read| read.max(oldest));
        if from >= until {
            return None;
        }
        let begin = rows.partition_point(|row| row.minute.at < from);
        let within = rows[begin..].iter().map(|row| row.minute).take_while(|m| m.at < until);
        let (minutes, longer): (Vec<Minute>, Vec<Minute>) =
            within.partition(|minute| minute.period_seconds == 60);
        let longer = longer.into_iter().filter(|period| thin && period.end() <= until);
        Some(NewPeriods {
            minutes: without_gaps(&minutes, from, until).collect(),
            longer: longer.filter(|p| LONG_PERIODS.contains(&p.period_seconds)).collect(),
            until,
            read: Read::new("replay", now),
        })
    }

    /// Decides, and takes note of whether that was carried out.
    fn decide(&mut self, rows: &[Row], now: Timestamp) -> Evaluation {
        self.facts.telemetry = self.variant.telemetry().clone();
        let seen = (self.facts.clone(), self.goal.clone());
        let assessed = self.variant.weigh(seen, (HISTORY, false), &mut self.scratch, now);
        let weeks = self.variant.replay_due(&self.goal, now).and_then(|_| self.weeks(rows));
        let means = DecideContext {
            rules: &rules(),
            // A recording is of one variant.
            families: &Families::default(),
            scratch: &mut self.scratch,
            weeks: weeks.as_ref(),
        };
        let mut turn = self.variant.decide(assessed, means, now);
        let decision = &turn.decision;
        let report = &decision.report;
        let written = report.wanted_target.filter(|_| !decision.plan.is_empty());
        let carried_out = written.filter(|value| is_carried_out(rows, *value, now));
        let done = |action: &Action| StepOutcome::success(action.operation(), "carried out");
        let outcome = carried_out
            .map(|_| Outcome { steps: decision.plan.actions.iter().map(done).collect() });
        let evaluation = Evaluation {
            at: now,
            estimate: Estimate::clone(&report.estimate),
            safe_target: report.safe_target,
            configured_target: report.configured_target,
            divergence: report.divergence,
            decided: Decided {
                action: report.action,
                target_value: written.or(report.configured_target),
                reason: report.reason,
                is_further_step: written
                    .zip(report.configured_target)
                    .is_some_and(|(to, from)| is_further_step(&self.memory, from, to)),
            },
            raised: std::mem::take(&mut self.raised),
            factor: FactorAdvice::clone(&turn.snapshot.factor),
        };
        if let Some(outcome) = outcome {
            turn.ended(outcome, now);
        }
        self.memory = turn.persisted(now);
        self.as_if = carried_out.map(|value| (now, value)).or(self.as_if);
        evaluation
    }

    /// The requests of the last weeks that have been read.
    fn weeks(&self, rows: &[Row]) -> Option<Weeks> {
        let until = self.variant.read_until()?;
        let from = until - WEEKS_SPAN;
        let within = rows[rows.partition_point(|row| row.minute.at < from)..].iter();
        let within = within.map(|row| row.minute).take_while(|minute| minute.at < until);
        let minutes: Vec<Minute> = within.filter(|minute| minute.period_seconds == 60).collect();
        let requests = without_gaps(&minutes, from, until);
        Some(Weeks::new(from, requests.map(|m| m.invocations.unwrap_or(f64::NAN)).collect()))
    }

    /// The value in force: what the rows state, until a later decision was carried out.
    fn in_force(&self) -> Option<f64> {
        let stated = self.stated.target;
        let as_if = self.as_if.filter(|(at, _)| stated.is_none_or(|(since, _)| since <= *at));
        let start = || self.settings.configured_target.or_else(|| self.settings.formula());
        as_if.or(stated).map(|(_, value)| value).or_else(start)
    }
}

/// Whether the recording shows the value soon. One that states no value takes every decision for
/// carried out.
fn is_carried_out(rows: &[Row], value: f64, now: Timestamp) -> bool {
    let begin = rows.partition_point(|row| row.minute.at <= now);
    let soon = rows[begin..].iter().take_while(|row| row.minute.at <= now + CARRIED_OUT_WITHIN);
    let mut stated = soon.filter_map(|row| row.configured_target).peekable();
    stated.peek().is_none() || stated.any(|shown| same_value(shown, value))
}

/// One minute for each of the time, with or without datapoints.
fn without_gaps(
    minutes: &[Minute],
    from: Timestamp,
    until: Timestamp,
) -> impl Iterator<Item = Minute> {
    let count = (until - from).num_minutes();
    let mut rows = minutes.iter().peekable();
    let at = (0..count).map(move |i| from + TimeDelta::minutes(i));
    at.map(move |at| rows.next_if(|row| row.at == at).copied().unwrap_or(Minute::empty(at)))
}

fn note_endpoint(variant: &mut Variant, facts: &Snapshot, now: Timestamp) {
    let Some(endpoint) = facts.endpoint.known().and_then(Option::as_ref) else { return };
    let config = facts.endpoint_config.known().and_then(Option::as_ref);
    let model = facts.model.known().and_then(Option::as_ref);
    variant.note_endpoint(endpoint, (config, model), &facts.id.variant, now);
}

fn rules() -> Rules {
    Rules {
        since: None,
        may_probe: false,
        account_id: Some(facts::id().account_id.clone()),
        enabled: true,
        freeze: None,
        telemetry_max_age: MAX_AGE,
        writes_per_hour: WRITES_PER_HOUR,
        writes_per_day: WRITES_PER_DAY,
        confirmed: Confirmed::Nothing,
    }
}
