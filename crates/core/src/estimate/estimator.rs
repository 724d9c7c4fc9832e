//! The estimator of one variant: minutes go in as they arrive, an estimate comes out when asked.

mod by_siblings;
mod changes;
mod counting;
mod drawing;
mod learning;
mod lowest;
mod resting;
mod resuming;
mod wandering;

use serde::{Deserialize, Serialize};

use crate::model::estimate::{DropReason, Estimate, Finding, Regime, Verdict};
use crate::model::goal::LoadTestProblem;
use crate::model::scatter::{Picture, Scatter};
use crate::model::series::Minute;
use crate::model::time::Timestamp;
use crate::model::units::RequestsPerSecond;

use super::assess::{Assessment, Question, assess, hand_on, is_near};
use super::book::{Book, Change, DEPLOY_MINUTES, TwoSided};
use super::divergence::{DivergenceInput, Findings, check_due};
use super::evidence::Evidence;
use super::filter::{CarryOver, ColdWatch, read};
use super::fingerprint::Fingerprint;
use super::grid::{DAY, MinuteIndex, instant_of, level_at, lg_of, minute_of};
use super::incident::IncidentWatch;
use super::incident_minutes::BadRun;
use super::joining::Joining;
use super::journal::Journal;
use super::likelihood::Scratch;
use super::low_traffic::{Observation, Step, Walk};
use super::lows::Lows;
use super::overloads::Overloads;
use super::power::Exponent;
use super::regime::Hours;
use super::sentence::{SentenceInput, sentence};
use super::settings::{Context, EstimatorSettings};
use super::speed::{self, SETTLED_AFTER};
use super::tally::Tally;
use super::throughput::Overload;
use super::wander::{Stretch, Wander};

pub use by_siblings::LoadTested;
pub use resting::Hourly;

/// Longest delay with which the walk hands on a minute.
const WALK_DELAY: MinuteIndex = 45;
/// What a minute brought about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pushed {
    pub raised: Vec<Finding>,
    /// Whether an undeclared change of regime was found.
    pub change_found: bool,
}

/// The estimator of one variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimator {
    settings: EstimatorSettings,
    walk: Walk,
    cold: ColdWatch,
    carry: CarryOver,
    evidence: Evidence,
    hours: Hours,
    joining: Joining,
    overloads: Overloads,
    incident: IncidentWatch,
    bad_run: BadRun,
    overload: Overload,
    findings: Findings,
    tally: Tally,
    book: Book,
    /// The end of the newest period.
    newest: MinuteIndex,
    begun: bool,
    /// Changes before this are known from the journal and not looked for again.
    known_until: MinuteIndex,
    /// Checks before this are skipped: their findings can no longer matter.
    checks_from: MinuteIndex,
    /// The lowest that the last hours have reported.
    lows: Lows,
    /// The bound proven at the last check.
    lower_bound: Option<f64>,
    /// The wander, and the hour it was computed for.
    wander: (i64, Option<Wander>),
    pooled_until: MinuteIndex,
    /// What the pages draw; no answer depends on it.
    #[serde(rename = "picture")]
    scatter: Scatter,
}

impl Estimator {
    /// An estimator without history.
    pub fn new(settings: &EstimatorSettings) -> Self {
        Self {
            walk: Walk::default(),
            cold: ColdWatch::default(),
            carry: CarryOver::default(),
            evidence: Evidence::default(),
            hours: Hours::new(settings.refinements.quarter_hours),
            joining: Joining::default(),
            overloads: Overloads::default(),
            incident: IncidentWatch::default(),
            bad_run: BadRun::default(),
            overload: Overload::default(),
            findings: Findings::default(),
            tally: Tally::default(),
            book: Book::new(settings.fingerprint),
            newest: 0,
            begun: false,
            known_until: MinuteIndex::MIN,
            checks_from: MinuteIndex::MIN,
            lows: Lows::default(),
            lower_bound: None,
            wander: (i64::MIN, None),
            pooled_until: MinuteIndex::MIN,
            scatter: Scatter::default(),
            settings: settings.clone(),
        }
    }

    /// What must be remembered.
    pub fn journal(&self) -> Journal {
        Journal::new(self.newest, self.book.clone(), self.lows.clone())
    }

    pub const fn settings(&self) -> &EstimatorSettings {
        &self.settings
    }

    /// Another opinion to start from. It weighs in at the next evaluation.
    pub fn set_load_test(
        &mut self,
        load_test: Option<RequestsPerSecond>,
        problem: Option<LoadTestProblem>,
    ) {
        self.settings.load_test = load_test;
        self.settings.load_test_problem = problem;
    }

    /// Leaves out minutes from `from` to before `to`: a deploy, a sibling's update, weights.
    pub fn exclude(&mut self, from: Timestamp, to: Timestamp) {
        self.book.exclude(minute_of(from), minute_of(to), self.newest);
    }

    /// Tells what versions before 0.2 called the service that runs now, whose journal may have been
    /// restored.
    pub fn recognise(&mut self, old: Fingerprint, now: Fingerprint) {
        self.book.recognise(old, now);
    }

    /// Whether the journal that it was restored from speaks of another service than this one.
    /// Without a journal nothing is known of what ran before.
    pub fn remembers_other_than(&self, fingerprint: Fingerprint) -> bool {
        let known = self.book.current.fingerprint;
        self.known_until > MinuteIndex::MIN && known.is_some_and(|f| !f.is_same(fingerprint))
    }

    /// Up to where the journal that it was restored from speaks.
    pub fn remembers_until(&self) -> Option<Timestamp> {
        (self.known_until > MinuteIndex::MIN).then(|| instant_of(self.known_until))
    }

    /// Tells when the endpoint was made: its instances are cold when its first requests come.
    pub fn note_made(&mut self, at: Timestamp) {
        if self.cold.note_made(minute_of(at)) && self.begun {
            self.cold.begin(self.newest);
        }
    }

    /// A deploy became visible at `at`. Without a new fingerprint it is none; with the one of the
    /// regime before it is a rollback.
    pub fn declare(&mut self, at: Timestamp, fingerprint: Fingerprint, scratch: &mut Scratch) {
        let at = minute_of(at);
        if let Some(known) = self.book.current.fingerprint.filter(|f| f.is_same(fingerprint)) {
            self.book.current.fingerprint = Some(known.with(fingerprint));
            return;
        }
        if at < self.known_until {
            return;
        }
        if !self.begun {
            self.book.current.fingerprint = Some(fingerprint);
            self.book.current.declared = true;
            return;
        }
        let start = at + DEPLOY_MINUTES;
        self.book.exclude(at, start, self.newest);
        let is_it = |before: Fingerprint| before.is_same(fingerprint);
        let rolls_back = self.book.previous.as_ref().and_then(|p| p.fingerprint).is_some_and(is_it);
        if rolls_back {
            self.book.roll_back(start);
        } else {
            let carried = hand_on(&self.question(at, self.book.current.lg_ratio), scratch);
            self.book.begin(start, Change::Declared(fingerprint), carried);
        }
        self.book.declared_at = Some(at);
        self.after_switch();
        self.bad_run.finish();
        self.findings.restart();
    }

    /// The next period, in order of the periods' ends. `context` is what held then.
    pub fn push(&mut self, minute: &Minute, context: &Context, scratch: &mut Scratch) -> Pushed {
        let at = minute_of(minute.at);
        let before = if self.begun { self.newest } else { at };
        let reading = read(minute, &self.settings.objective);
        if !self.begun {
            self.cold.begin(at);
        }
        self.begun = true;
        self.book.open(at);
        let span = i64::from(minute.period_seconds.max(60)) / 60;
        let excluded = self.book.excludes(at, at + span);
        if !excluded {
            self.draw(minute, reading.as_ref());
        }
        let mut steps = std::mem::take(&mut scratch.steps);
        if span > 1 {
            if let Some(reading) = reading {
                let cold = reading.at() >= self.newest && self.cold.is_cold(&reading);
                self.walk.push_long(reading, (cold, excluded), &mut steps);
                self.pooled_until = at + span + DAY;
            }
        } else {
            let cold = reading.as_ref().is_some_and(|r| self.cold.is_cold(r));
            let min = self.min_requests();
            self.walk.push(at, reading, (cold, excluded), min, &mut steps);
        }
        self.newest = self.newest.max(at + span);
        let mut pushed = Pushed::default();
        for step in steps.drain(..) {
            pushed.change_found |= self.take(step, scratch);
        }
        scratch.steps = steps;
        self.elapse(before);
        if self.newest >= self.checks_from
            && (pushed.change_found || check_due(before, self.newest, self.book.declared_at))
        {
            pushed.raised = self.check(context, scratch);
        } else if self.newest < self.checks_from
            && self.newest.div_euclid(60) != before.div_euclid(60)
        {
            self.look_back(scratch);
        }
        pushed
    }

    /// The estimate at the end of the newest minute; `now` may be later, for data that has ended.
    pub fn evaluate(
        &mut self,
        scratch: &mut Scratch,
        now: Timestamp,
        context: &Context,
    ) -> Estimate {
        self.answer(scratch, now, context, true)
    }

    /// The same, and whether with its fit, which only replays of other choices ask for.
    pub fn answer(
        &mut self,
        scratch: &mut Scratch,
        now: Timestamp,
        context: &Context,
        with_fit: bool,
    ) -> Estimate {
        if !self.begun {
            return Estimate::unobserved("no telemetry yet");
        }
        let now = minute_of(now).max(self.newest);
        let lg_ratio = self.lg_ratio(now);
        let wander = self.wander_at(now).and_then(Wander::known);
        let question = Question { with_fit, ..self.question(now, lg_ratio) };
        let answer = assess(&question, scratch);
        self.lows.note(now, answer.verdict, &answer.capacity);
        let record = &self.book.current;
        let bad = self.evidence.bad_observations(record.id);
        let minutes = self.tally.summary(self.evidence.observations(record.id), bad);
        let regime = Some(Regime {
            started_at: instant_of(record.start),
            declared: record.declared,
            first: self.book.is_first(),
            speed_ratio: lg_ratio.map(f64::exp),
        });
        let story = SentenceInput {
            verdict: answer.verdict,
            capacity: &answer.capacity,
            minutes: &minutes,
            bad,
            objective: &self.settings.objective,
            pooled: self.newest < self.pooled_until,
            near: answer.near,
            wanders: self.wanders(now),
            may_wander: self.may_wander(now),
            lg_ratio,
            older_regime_undeclared: !record.declared && record.before.is_some(),
        };
        let sentence = match (self.settings.objective.latency, context.configured_target) {
            (None, _) => "no latency objective to judge capacity by".to_owned(),
            _ => sentence(&story),
        };
        let highest = self.evidence.highest_good_bin(record.id);
        Estimate {
            verdict: answer.verdict,
            capacity: answer.capacity,
            regime,
            highest_good_load: highest.map(|bin| lg_of(i32::from(bin)).exp()),
            findings: self.findings.active(),
            wander,
            lows: self.lows.reported(),
            incident_since: self.incident.open_since().map(instant_of),
            history_complete_ratio: None,
            siblings: None,
            sentence,
            minutes,
            picture: Picture::from(&self.scatter),
            fit: with_fit.then(|| self.with_overloads(answer.fit)),
        }
    }

    /// Bytes of state, without the shared scratch and the picture.
    pub fn state_bytes(&self) -> usize {
        size_of::<Self>()
            + self.walk.bytes()
            + self.evidence.bytes()
            + self.hours.bytes()
            + self.joining.bytes()
            + self.overloads.bytes()
            + self.bad_run.bytes()
            + self.tally.bytes()
            + self.lows.bytes()
            + self.book.bytes()
    }

    fn min_requests(&self) -> f64 {
        self.settings.objective.latency.map_or(100.0, |l| l.statistic.min_requests())
    }

    /// Takes a step of the walk; answers whether it completed an undeclared change.
    fn take(&mut self, step: Step, scratch: &mut Scratch) -> bool {
        match step {
            Step::Used(observation) => self.observe(observation, scratch),
            Step::Dropped { at, minutes, reason, judged } => {
                self.tally.dropped(at, minutes, reason);
                if let Some(o @ Observation { load, bad, .. }) = judged {
                    match reason {
                        _ if self.carry.covers(at, load) => {}
                        DropReason::ColdInstances => self.joining.note(load, bad),
                        // A deep overload is slow, and unsteady where it begins.
                        DropReason::Unsteady => self.show_overload(&o),
                        _ => {}
                    }
                    // No backlog lasts over a deploy; of the new instances', the first minutes are left out.
                    self.carry.note(at, 1, load, bad && reason != DropReason::Deploy);
                    let is_cold = bad && reason == DropReason::ColdInstances;
                    self.note_overload((at, 1), load, (!is_cold).then_some(bad));
                }
                false
            }
        }
    }

    fn observe(&mut self, o: Observation, scratch: &mut Scratch) -> bool {
        let covered = self.carry.covers(o.at, o.load);
        self.note_overload((o.at, o.span), o.load, Some(o.bad));
        let explained = covered
            && self.carry.peak(o.at).zip(self.lower_bound).is_none_or(|(p, lb)| p > 0.7 * lb);
        self.carry.note(o.at, o.span, o.load, o.bad);
        if !explained {
            self.incident.note(o.at, o.span, (o.load, o.bad), self.lower_bound);
        }
        let Some(regime) = self.book.regime_at(o.at) else { return false };
        if covered {
            let minutes = o.span as u32;
            self.tally.dropped(o.at, minutes, DropReason::CarryOver);
            return false;
        }
        let run = self.hours.close_before(o.at);
        let found = run.is_some_and(|run| self.undeclared(run, o.at, scratch));
        let regime = if found { self.book.current.id } else { regime };
        self.count(&o, regime);
        if let Some(known) = &mut self.book.current.known
            && is_near(o.load, known.capacity)
        {
            known.loaded_at = known.loaded_at.max(o.at);
        }
        if let Some(lg_p50) = o.lg_p50 {
            self.hours.add(o.at, regime, o.span, (level_at(o.lg_load), lg_p50), o.bad);
        }
        found
    }

    fn elapse(&mut self, before: MinuteIndex) {
        self.incident.advance(self.newest - 1);
        // A run that ends with the data is looked at with the next observation.
        let hour = self.newest.div_euclid(60);
        if hour != before.div_euclid(60) {
            let start = hour * 60;
            self.evidence.settle(start);
            self.hours.forget((self.newest - WALK_DELAY).div_euclid(60));
            self.tally.settle(self.newest);
            self.joining.fade();
            self.overloads.settle(self.newest);
            self.settle_picture();
        }
    }

    fn question(&self, now: MinuteIndex, lg_ratio: Option<f64>) -> Question<'_> {
        Question {
            evidence: &self.evidence,
            hours: &self.hours,
            record: &self.book.current,
            lg_ratio,
            load_test: self.settings.valid_load_test(),
            load_test_error: None,
            wanders: self.wanders(now),
            may_wander: self.may_wander(now),
            stretch: self.stretch(),
            power: self.power(),
            refinements: self.settings.refinements,
            with_fit: false,
            now,
        }
    }

    fn power(&self) -> Exponent {
        if self.settings.refinements.learned_power {
            self.book.power().exponent()
        } else {
            Exponent::FIXED
        }
    }

    /// The hours over which wander is judged.
    fn stretch(&self) -> Stretch {
        let record = &self.book.current;
        let since = if self.settings.refinements.wander_over_changes {
            self.book.declared_start
        } else {
            MinuteIndex::MAX
        };
        Stretch { regime: record.id, since }
    }

    fn lg_ratio(&self, now: MinuteIndex) -> Option<f64> {
        let record = &self.book.current;
        match record.before {
            Some(before) if !record.settled && now >= record.start => {
                speed::ratio(&self.hours, before, record.id, record.start)
            }
            _ => record.lg_ratio,
        }
    }

    fn assess(&self, now: MinuteIndex, lg_ratio: Option<f64>, scratch: &mut Scratch) -> Assessment {
        assess(&self.question(now, lg_ratio), scratch)
    }

    /// One check of the findings.
    fn check(&mut self, context: &Context, scratch: &mut Scratch) -> Vec<Finding> {
        let now = self.newest;
        let wanders = self.wander_at(now).is_some_and(Wander::is_over);
        if wanders && self.settings.refinements.wander_over_changes {
            self.believe_wander(now);
        }
        // Of the regime that is left, where a change was taken back.
        let lg_ratio = self.lg_ratio(now);
        let answer = self.assess(now, lg_ratio, scratch);
        self.note_low(&answer);
        self.learn(&answer, lg_ratio);
        let record = &mut self.book.current;
        record.lg_ratio = lg_ratio;
        record.settled |= now >= record.start + SETTLED_AFTER + WALK_DELAY;
        if answer.verdict.is_two_sided()
            && let Some(capacity) = answer.capacity.estimate
        {
            let loaded_at = record.known.map_or(now, |k| k.loaded_at);
            record.known = Some(TwoSided { capacity, loaded_at });
        }
        self.lower_bound = answer.capacity.lower_bound.filter(|_| {
            matches!(answer.verdict, Verdict::Measured | Verdict::Inferred | Verdict::AtLeast)
        });
        self.findings.check(&DivergenceInput {
            verdict: answer.verdict,
            capacity: &answer.capacity,
            context,
            lg_ratio,
            regime_age: now - self.book.current.start,
            recent_bad: self.incident.recent_bad(),
            load_test_expired: self
                .settings
                .load_test_problem
                .is_some_and(|p| p != LoadTestProblem::Absent),
        })
    }
}
