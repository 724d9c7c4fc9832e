//! The ledger of reaction time: what each scale-out of a variant took, part by part, as far as it was
//! seen. Pure: passes hand in what they have read.
//!
//! A scale-out goes: the load crosses the target, the alarm goes off, an activity begins, instances
//! are in service, latency is back within the objective. Begin and end of an activity are AWS's own;
//! the rest is read off minutes and the state of the alarm. A part that was not seen is absent.

mod joining;
mod summary;

use std::collections::VecDeque;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::model::goal::Objective;
use crate::model::scale_out::{Failure, FailureKind, Reaction, ScaleOut};
use crate::model::scaling::{Activity, ActivityStatus, Alarm, AlarmSide, AlarmState};
use crate::model::series::Minute;
use crate::model::time::Timestamp;

/// Scale-outs that are kept, and failures: enough for a 95 % point, and for a few weeks of most fleets.
pub const KEPT: usize = 20;
/// Alarms that are remembered until their activity is read.
const ALARMS_KEPT: usize = 8;
/// An alarm further before an activity is another one's.
const ALARM_BEFORE: TimeDelta = TimeDelta::minutes(30);
/// How long after an activity has ended its effect is looked at.
const WATCHED: TimeDelta = TimeDelta::minutes(30);

/// What one pass has read of a variant.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The newest activities, newest first.
    pub activities: &'a [Activity],
    /// The variant's alarms.
    pub alarms: &'a [Alarm],
    /// The newest minutes, oldest first.
    pub minutes: &'a [Minute],
    /// The target value in force.
    pub target: Option<f64>,
    /// What counts as serving well.
    pub objective: &'a Objective,
    /// The instance type, where it is known.
    pub instance_type: Option<&'a str>,
}

/// What is known of the scale-outs of one variant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// Oldest first.
    scale_outs: VecDeque<ScaleOut>,
    /// Oldest first.
    failures: VecDeque<Failure>,
    /// When `AlarmHigh` went off, as passes saw it; oldest first.
    alarms: VecDeque<Timestamp>,
}

impl Ledger {
    /// Whether it looks at the minutes of what it is [told](Self::note) with these activities.
    pub fn looks_at_minutes(&self, activities: &[Activity]) -> bool {
        !self.scale_outs.is_empty() || !activities.is_empty()
    }

    /// Takes in what a pass has read, in any order and any number of times.
    pub fn note(&mut self, seen: &Seen<'_>) {
        for alarm in seen.alarms.iter().filter(|a| a.side() == Some(AlarmSide::High)) {
            if let (AlarmState::Alarm, Some(since)) = (alarm.state, alarm.state_since)
                && !self.alarms.contains(&since)
            {
                self.alarms.push_back(since);
            }
        }
        while self.alarms.len() > ALARMS_KEPT {
            self.alarms.pop_front();
        }
        // From the oldest on: an activity tells from the one before whether it adds instances.
        let mut before: Option<u32> = None;
        for activity in seen.activities.iter().rev() {
            let wanted = wanted(activity);
            let adds = by_high_alarm(activity)
                || before.zip(wanted).is_some_and(|(before, wanted)| wanted > before);
            if activity.not_scaled_reasons.is_empty() && wanted.is_some() {
                if activity.status == ActivityStatus::Failed {
                    self.note_failure(activity);
                } else if adds {
                    self.note_scale_out(activity, seen.instance_type);
                    before = wanted;
                } else {
                    before = wanted;
                }
            }
        }
        for at in 0..self.scale_outs.len() {
            let previous = at.checked_sub(1).and_then(|at| self.scale_outs.get(at)).cloned();
            if let Some(one) = self.scale_outs.get_mut(at) {
                measure(one, previous.as_ref(), &self.alarms, seen);
                joining::look(one, seen);
            }
        }
    }

    fn note_failure(&mut self, activity: &Activity) {
        if self.failures.iter().any(|known| known.id == activity.id) {
            return;
        }
        let kind = kind_of_failure(activity.message.as_deref().unwrap_or_default());
        self.failures.push_back(Failure { id: activity.id.clone(), at: activity.started_at, kind });
        self.failures.make_contiguous().sort_by_key(|failure| failure.at);
        while self.failures.len() > KEPT {
            self.failures.pop_front();
        }
    }

    fn note_scale_out(&mut self, activity: &Activity, instance_type: Option<&str>) {
        let by_alarm = by_high_alarm(activity);
        let ended = activity.ended_at.filter(|_| activity.status == ActivityStatus::Successful);
        if let Some(known) = self.scale_outs.iter_mut().find(|known| known.id == activity.id) {
            known.in_service_at = known.in_service_at.or(ended);
            return;
        }
        // Older than everything that is kept.
        let is_full = self.scale_outs.len() >= KEPT;
        if is_full && self.scale_outs.front().is_some_and(|f| f.started_at > activity.started_at) {
            return;
        }
        self.scale_outs.push_back(ScaleOut {
            id: activity.id.clone(),
            instance_type: instance_type.map(str::to_owned),
            wanted: wanted(activity).unwrap_or_default(),
            by_alarm,
            started_at: activity.started_at,
            in_service_at: ended,
            ..ScaleOut::default()
        });
        self.scale_outs.make_contiguous().sort_by_key(|one| one.started_at);
        while self.scale_outs.len() > KEPT {
            self.scale_outs.pop_front();
        }
    }

    /// What all of it comes to, for instances of this type.
    pub fn summary(&self, instance_type: Option<&str>) -> Reaction {
        summary::of(&self.scale_outs, &self.failures, instance_type)
    }
}

/// The parts before and after the activity that are not AWS's to say.
fn measure(
    one: &mut ScaleOut,
    previous: Option<&ScaleOut>,
    alarms: &VecDeque<Timestamp>,
    seen: &Seen<'_>,
) {
    if one.by_alarm && one.alarm_at.is_none() {
        let newest = alarms.iter().rev().find(|at| **at <= one.started_at);
        one.alarm_at = newest.copied().filter(|at| one.started_at - *at <= ALARM_BEFORE);
    }
    // What was seen once is not read off other minutes again: the target may have moved since.
    if one.by_alarm && one.crossed_at.is_none() {
        one.crossed_at = crossed(one.started_at, seen);
    }
    // The second of two on one rise of the load says nothing of how fast the first came.
    let follows = previous.is_some_and(|previous| {
        let since = one.crossed_at.or(one.alarm_at).unwrap_or(one.started_at);
        since <= previous.started_at
    });
    one.follows |= follows;
    back(one, seen);
}

/// The start of the first minute above the target, of the run of such minutes right before.
fn crossed(before: Timestamp, seen: &Seen<'_>) -> Option<Timestamp> {
    let target = seen.target?;
    let minutes = seen.minutes.iter().filter(|m| m.period_seconds == 60 && m.at < before);
    let (mut first, mut is_first_known) = (None, false);
    let mut last = None;
    for minute in minutes.rev() {
        let load = minute.load();
        // The newest minutes before an activity may have no datapoint yet.
        if first.is_none() && load.is_none() {
            continue;
        }
        if load.is_none_or(|load| load <= target) {
            // A minute whose load is not known may have been the first.
            is_first_known = load.is_some() && first.is_some();
            break;
        }
        last = last.or(Some(minute.at));
        first = Some(minute.at);
    }
    // The load was below for a while already: another rise, or another cause.
    let fresh = last.is_some_and(|last| before - last <= TimeDelta::minutes(10));
    first.filter(|_| is_first_known && fresh)
}

/// The first of two good minutes after instances came, where it was bad before.
fn back(one: &mut ScaleOut, seen: &Seen<'_>) {
    let Some(in_service) = one.in_service_at.filter(|_| one.back_at.is_none()) else { return };
    let since = one.crossed_at.unwrap_or(one.started_at);
    let until = in_service + WATCHED;
    let known = |m: &&Minute| m.at >= since && m.at < until && m.latency_us.is_some();
    let minutes: Vec<&Minute> = seen.minutes.iter().filter(known).collect();
    let is_bad = |minute: &Minute| seen.objective.broken_by(minute) == Some(true);
    one.was_broken |= minutes.iter().any(|minute| is_bad(minute));
    if !one.was_broken {
        return;
    }
    let last_bad = minutes.iter().rposition(|minute| is_bad(minute));
    let after = last_bad.map_or(0, |at| at + 1);
    let good: Vec<&&Minute> = minutes.iter().skip(after).collect();
    if let [first, _, ..] = good[..] {
        one.back_at = Some(first.at.max(in_service));
    }
}

/// The share of 5XX answers.
fn error_share(minute: &Minute) -> Option<f64> {
    let all = minute.invocations.filter(|all| *all > 0.0)?;
    Some(minute.errors_5xx? / all)
}

/// Whether the alarm of target tracking for too much load triggered it.
fn by_high_alarm(activity: &Activity) -> bool {
    activity.cause.contains("-AlarmHigh-")
}

/// The number in "Setting desired instance count to 4.".
fn wanted(activity: &Activity) -> Option<u32> {
    let (_, rest) = activity.description.split_once("count to ")?;
    rest.trim_end_matches('.').parse().ok()
}

fn kind_of_failure(message: &str) -> FailureKind {
    if message.contains("ResourceLimitExceeded") {
        FailureKind::Quota
    } else if message.to_ascii_lowercase().contains("capacity") {
        // "InsufficientInstanceCapacity", "Unable to provision requested ML compute capacity".
        FailureKind::Capacity
    } else {
        FailureKind::Other
    }
}

#[cfg(test)]
mod tests;
