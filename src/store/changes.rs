//! What has changed of a variant since it was last seen, and whose doing that is. Pure.
//!
//! What could not be read is as it was before. The look before may be a process and a restart away:
//! then the change is recorded with the span in which it happened.

use std::collections::{BTreeMap, BTreeSet};

use super::values::{is_same, is_whole, values, written};
use crate::decide::scheduled::attribute;
use crate::model::decision::{Action, StepOutcome, StepResult};
use crate::model::estimate::{Finding, Verdict};
use crate::model::goal::Goal;
use crate::model::history::{Event, EventKind, LastSeen, Shown, Who};
use crate::model::memory::VariantMemory;
use crate::model::reason::{ActionKind, Field};
use crate::model::safety::Safety;
use crate::model::status::VariantStatus;
use crate::model::units::{human, same_value, same_values};

fn was_or_were(field: Field) -> &'static str {
    if field == Field::Floors { "were" } else { "was" }
}

/// The events of a pass over a variant, oldest first, and what it looks like now. With nothing to
/// compare it with there are only the events of what setpoint itself did.
pub fn changes(before: Option<&LastSeen>, status: &VariantStatus) -> (Vec<Event>, LastSeen) {
    let first = before.is_none();
    let mut look = Look {
        status,
        before: before.cloned().unwrap_or_default(),
        now: LastSeen { at: status.decision.at, ..before.cloned().unwrap_or_default() },
        events: Vec::new(),
    };
    let deployed = look.deploy();
    look.values(deployed);
    look.regime();
    look.configuration();
    look.pause();
    look.sets();
    look.safety();
    if first {
        // All of it is as it was found, and nothing has been seen to change.
        look.events.clear();
        look.first_seen();
    }
    look.decision();
    look.writes();
    (look.events, look.now)
}

struct Look<'a> {
    status: &'a VariantStatus,
    before: LastSeen,
    now: LastSeen,
    events: Vec<Event>,
}

impl Look<'_> {
    /// An event of this pass, of something that had not been so at the look before.
    fn seen(&self, kind: EventKind, who: Who, sentence: impl Into<String>) -> Event {
        Event { not_before: Some(self.before.at), ..Event::new(self.now.at, kind, who, sentence) }
    }

    /// How it was when it was first looked at: what later changes start from.
    fn first_seen(&mut self) {
        let (status, report) = (self.status, &self.status.decision.report);
        let text = |field: Field| self.now.values.get(&field).map(|value| value.text.as_str());
        let mut parts = vec![match text(Field::TargetValue) {
            Some(value) => format!("target value {value}"),
            None if status.snapshot.policies.known().is_some() => "no target value".to_owned(),
            None => "target value unknown".to_owned(),
        }];
        parts.push(match (text(Field::MinCapacity), text(Field::MaxCapacity)) {
            (Some(min), Some(max)) => format!("{min} to {max} instances"),
            _ if status.snapshot.target.known().is_some() => "no scalable target".to_owned(),
            _ => "min and max unknown".to_owned(),
        });
        parts.extend(self.now.config_name.as_ref().map(|name| format!("endpoint config {name}")));
        parts.push(match mode(&status.goal).as_str() {
            "unlisted" => "not in the configuration".to_owned(),
            mode => format!("mode {mode}"),
        });
        let sentence = format!("first seen: {}; {}", parts.join(", "), report.safety.words());
        let event = Event {
            after: text(Field::TargetValue).map(str::to_owned),
            ..Event::new(self.now.at, EventKind::FirstSeen, Who::Setpoint, sentence)
        };
        self.events.push(event);
    }

    /// Whether the endpoint runs something else, or is another one.
    fn deploy(&mut self) -> bool {
        let Some(endpoint) = self.status.snapshot.endpoint.known() else { return false };
        let Some(endpoint) = endpoint else {
            if !std::mem::replace(&mut self.now.gone, true) {
                let event = self.seen(EventKind::Deploy, Who::Foreign, "the endpoint is gone");
                self.events.push(event);
            }
            return false;
        };
        let was_gone = std::mem::replace(&mut self.now.gone, false);
        let created = self.now.created_at.replace(endpoint.created_at);
        let config = self.now.config_name.replace(endpoint.config_name.clone());
        let made_again = created.is_some_and(|created| created != endpoint.created_at);
        let other_config = config.as_ref().is_some_and(|config| *config != endpoint.config_name);
        if !(was_gone || made_again || other_config) {
            return false;
        }
        let name = &endpoint.config_name;
        let sentence = if was_gone || made_again {
            let made = endpoint.created_at.format("%FT%TZ");
            format!("the endpoint was recreated at {made}, with endpoint config {name}")
        } else {
            format!("endpoint config {name} came into force")
        };
        let event = Event {
            before: config,
            after: Some(name.clone()),
            ..self.seen(EventKind::Deploy, Who::Deploy, sentence)
        };
        self.events.push(event);
        true
    }

    /// Values in AWS that are others than at the last look.
    fn values(&mut self, deployed: bool) {
        for (field, value) in values(&self.status.snapshot) {
            let before = match &value {
                Some(value) => self.now.values.insert(field, value.clone()),
                None => self.now.values.remove(&field),
            };
            let same = match (&before, &value) {
                (Some(before), Some(value)) => is_same(before, value),
                (None, None) => true,
                _ => false,
            };
            let tried = self.now.tried.remove(&field);
            // What comes or goes with the whole is recorded with the whole.
            if same || (before.is_none() || value.is_none()) && !is_whole(field) {
                continue;
            }
            let tried = tried.zip(value.as_ref()).is_some_and(|(tried, v)| is_same(&tried, v));
            let (who, how) = if tried {
                (Who::Setpoint, "; a write without a certain answer has taken effect".to_owned())
            } else {
                self.whose(field, value.as_ref(), deployed)
            };
            let text = |shown: &Option<Shown>| shown.as_ref().map(|shown| shown.text.clone());
            let (was, is) = (text(&before), text(&value));
            let words = match (&was, &is) {
                (Some(was), Some(is)) => format!("{field} {was} -> {is}"),
                (None, Some(is)) => format!("{field} {} made: {is}", was_or_were(field)),
                _ => format!("{field} {} removed", was_or_were(field)),
            };
            let event = Event {
                field: Some(field),
                before: was,
                after: is,
                ..self.seen(EventKind::Change, who, format!("{words}{how}"))
            };
            self.events.push(event);
        }
    }

    /// Whose doing a change is that this process did not make, and what says so.
    fn whose(&self, field: Field, value: Option<&Shown>, deployed: bool) -> (Who, String) {
        let snapshot = &self.status.snapshot;
        let number = value.and_then(|value| value.number);
        if deployed && is_whole(field) {
            return (Who::Deploy, ", with the deploy".to_owned());
        }
        if let (Some(actions), Some(number)) = (snapshot.scheduled_actions.known(), number)
            && matches!(field, Field::MinCapacity | Field::MaxCapacity)
            && let Some((action, at)) = attribute(actions, field, number as i32, self.now.at)
        {
            let (name, at) = (&action.name, at.format("%FT%TZ"));
            return (Who::Schedule, format!(", by the scheduled action {name} of {at}"));
        }
        if field == Field::Floors && value.is_none() {
            return (Who::Schedule, ", for they have ended".to_owned());
        }
        let memory = snapshot.memory.known();
        let floor = memory.zip(number).is_some_and(|(memory, min)| memory.floors.explains(min));
        if field == Field::MinCapacity && floor {
            return (Who::Schedule, ", by a floor that setpoint keeps".to_owned());
        }
        if number.zip(memory).is_some_and(|(number, memory)| self.is_ours(field, number, memory)) {
            return (
                Who::Setpoint,
                ", by setpoint apply or another process of setpoint".to_owned(),
            );
        }
        (Who::Foreign, String::new())
    }

    /// Whether another process that shares the memory has written it since.
    fn is_ours(&self, field: Field, number: f64, memory: &VariantMemory) -> bool {
        let is = |value: f64| same_value(value, number);
        let wrote_since = memory.writes.iter().any(|at| *at > self.before.at);
        if field == Field::TargetValue {
            return memory.last_write.is_some_and(|w| w.at > self.before.at && is(w.after));
        }
        wrote_since && memory.written.get(&field).copied().is_some_and(is)
    }

    fn regime(&mut self) {
        let Some(regime) = self.status.decision.report.estimate.regime else { return };
        let before = self.now.regime.replace(regime.started_at);
        // One that began before the one known so far is no news: more of the past has been read.
        if regime.first || before.is_none_or(|before| regime.started_at <= before) {
            return;
        }
        let who = if regime.declared { Who::Deploy } else { Who::Measurement };
        let speed = regime.speed_ratio.map_or_else(String::new, |ratio| {
            format!("; the median latency at equal load is {} of the one before", human(ratio))
        });
        let sentence =
            format!("a new regime began at {}{speed}", regime.started_at.format("%FT%TZ"));
        let event = self.seen(EventKind::Regime, who, sentence);
        self.events.push(event);
    }

    fn configuration(&mut self) {
        let mode = mode(&self.status.goal);
        let before = self.now.mode.replace(mode.clone());
        if before.as_ref().is_some_and(|before| *before != mode) {
            let was = before.unwrap_or_default();
            let event = Event {
                before: Some(was.clone()),
                after: Some(mode.clone()),
                ..self.seen(
                    EventKind::Configuration,
                    Who::Configuration,
                    format!("mode {was} -> {mode}"),
                )
            };
            self.events.push(event);
        }
        let formula = self.status.decision.report.formula_target;
        let before = std::mem::replace(&mut self.now.formula_target, formula);
        let same = same_values(before, formula);
        // What could not be seen this time is no change of the configuration.
        if same || !self.status.decision.report.comparable {
            if formula.is_none() {
                self.now.formula_target = before;
            }
            return;
        }
        let words = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), human);
        let (was, is) = (words(before), words(formula));
        let event = Event {
            before: Some(was.clone()),
            after: Some(is.clone()),
            ..self.seen(
                EventKind::Configuration,
                Who::Configuration,
                format!("formula target {was} -> {is}"),
            )
        };
        self.events.push(event);
    }

    fn pause(&mut self) {
        // Of the configuration or of more than one variant, and of this one alone.
        let memory = self.status.snapshot.memory.known();
        let own = memory.and_then(|memory| memory.pause.as_ref());
        let pauses = self.status.goal.paused.iter().chain(own);
        let pause =
            pauses.filter(|pause| pause.until > self.now.at).max_by_key(|pause| pause.until);
        let until = pause.map(|pause| pause.until);
        let before = std::mem::replace(&mut self.now.paused_until, until);
        if before == until {
            return;
        }
        let event = match pause {
            Some(pause) => {
                let sentence =
                    format!("paused until {}: {}", pause.until.format("%FT%TZ"), pause.reason);
                self.seen(EventKind::PauseBegun, Who::Person, sentence)
            }
            None => self.seen(EventKind::PauseEnded, Who::Person, "the pause has ended"),
        };
        self.events.push(event);
    }

    /// What begins and ends: findings, drift, holds.
    fn sets(&mut self) {
        let report = &self.status.decision.report;
        let estimate = &report.estimate;
        let looked = !matches!(estimate.verdict, Verdict::Unobserved | Verdict::Stale);
        let mut findings = BTreeSet::new();
        for finding in Finding::ALL {
            let found = estimate.findings.contains(&finding);
            if found || (!looked && self.before.has(finding)) {
                findings.insert(finding.as_str().to_owned());
            }
        }
        let sentence = |_: &str| estimate.sentence.clone();
        self.begun_and_ended(
            (EventKind::FindingBegun, EventKind::FindingEnded),
            (&self.before.findings.clone(), &findings),
            sentence,
        );
        self.now.findings = findings;
        self.drift();
        self.hold();
    }

    fn drift(&mut self) {
        let report = &self.status.decision.report;
        let mut drift = BTreeSet::new();
        let mut sentences = BTreeMap::new();
        for field in &report.fields {
            let name = field.field.as_str();
            let unknown = field.state == crate::model::FieldState::Unknown;
            if field.state.differs() || (unknown && self.before.drift.contains(name)) {
                drift.insert(name.to_owned());
            }
            let actual = field.actual.as_deref().unwrap_or("none");
            let desired = field.desired.as_deref().unwrap_or("none");
            sentences.insert(name, format!("AWS has {actual}, desired is {desired}"));
        }
        if !report.comparable {
            // What could not be read takes what depends on it out of the comparison.
            let unseen = self.before.drift.iter();
            drift.extend(unseen.filter(|name| !sentences.contains_key(name.as_str())).cloned());
        }
        let sentence = |name: &str| {
            sentences.get(name).cloned().unwrap_or_else(|| "it is no longer managed".to_owned())
        };
        self.begun_and_ended(
            (EventKind::DriftBegun, EventKind::DriftEnded),
            (&self.before.drift.clone(), &drift),
            sentence,
        );
        self.now.drift = drift;
    }

    fn hold(&mut self) {
        let report = &self.status.decision.report;
        let held = match report.action {
            ActionKind::Hold => Some(report.reason.as_str().to_owned()),
            // What cannot be compared is held all the same.
            _ if !report.comparable => self.before.held.clone(),
            _ => None,
        };
        let set = |held: &Option<String>| held.iter().cloned().collect::<BTreeSet<_>>();
        let sentence = |_: &str| report.sentence.clone();
        self.begun_and_ended(
            (EventKind::HoldBegun, EventKind::HoldEnded),
            (&set(&self.before.held), &set(&held)),
            sentence,
        );
        self.now.held = held;
    }

    fn begun_and_ended(
        &mut self,
        (begun, ended): (EventKind, EventKind),
        (before, now): (&BTreeSet<String>, &BTreeSet<String>),
        sentence: impl Fn(&str) -> String,
    ) {
        let gone = before.difference(now).map(|code| (ended, code));
        let new = now.difference(before).map(|code| (begun, code));
        for (kind, code) in gone.chain(new) {
            let who = match kind {
                EventKind::HoldBegun | EventKind::HoldEnded => Who::Setpoint,
                _ => Who::Measurement,
            };
            let is_drift = matches!(kind, EventKind::DriftBegun | EventKind::DriftEnded);
            let field = Field::ALL.iter().find(|f| is_drift && f.as_str() == code).copied();
            let decision = Some(self.status.decision.id.clone());
            let event = Event {
                code: Some(code.clone()),
                field,
                decision,
                ..self.seen(kind, who, sentence(code))
            };
            self.events.push(event);
        }
    }

    fn safety(&mut self) {
        let safety = &self.status.decision.report.safety;
        // Not to know is no other state of the variant.
        if matches!(safety.state, Safety::NotKnown(_)) {
            return;
        }
        let word = safety.state.as_str().to_owned();
        let before = self.now.safety.replace(word.clone());
        if before.as_ref() == Some(&word) {
            return;
        }
        let event = Event {
            before,
            after: Some(word),
            ..self.seen(EventKind::Safety, Who::Measurement, safety.words())
        };
        self.events.push(event);
    }

    fn decision(&mut self) {
        let decision = &self.status.decision;
        if decision.plan.is_empty() {
            return;
        }
        let report = &decision.report;
        let event = Event {
            code: Some(report.reason.as_str().to_owned()),
            decision: Some(decision.id.clone()),
            ..Event::new(self.now.at, EventKind::Decision, Who::Setpoint, report.headline())
        };
        self.events.push(event);
    }

    /// What became of the plan; what has certainly been written is not seen as a change later.
    fn writes(&mut self) {
        let status = self.status;
        let steps = status.outcome.iter().flat_map(|outcome| &outcome.steps);
        for (action, step) in status.decision.plan.actions.iter().zip(steps) {
            self.write(action, step);
        }
    }

    fn write(&mut self, action: &Action, step: &StepOutcome) {
        let written = written(action);
        let result = match step.result {
            StepResult::Success => "success",
            StepResult::ReadBackDiffers => "read_back_differs",
            StepResult::Skipped => "skipped",
            StepResult::Error => "error",
        };
        let sentence = if step.sentence.is_empty() {
            format!("{}: {result}", step.operation)
        } else {
            format!("{}: {}", step.operation, step.sentence)
        };
        let one = match written.as_slice() {
            [(field, value)] => Some((*field, value.text.clone())),
            all => {
                let target = all.iter().find(|(field, _)| *field == Field::TargetValue);
                target.map(|(field, value)| (*field, value.text.clone()))
            }
        };
        let field = one.as_ref().map(|(field, _)| *field);
        let before = field.and_then(|field| self.now.values.get(&field)).map(|v| v.text.clone());
        let event = Event {
            field,
            before,
            after: one.map(|(_, text)| text),
            code: Some(result.to_owned()),
            decision: Some(self.status.decision.id.clone()),
            ..Event::new(self.now.at, EventKind::Write, Who::Setpoint, sentence)
        };
        self.events.push(event);
        for (field, value) in written {
            match step.result {
                StepResult::Success => {
                    self.now.values.insert(field, value);
                }
                StepResult::Error | StepResult::ReadBackDiffers if step.refused.is_none() => {
                    self.now.tried.insert(field, value);
                }
                _ => {}
            }
        }
    }
}

fn mode(goal: &Goal) -> String {
    if goal.managed { goal.mode.as_str().to_owned() } else { "unlisted".to_owned() }
}
