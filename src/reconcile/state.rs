//! What is kept of one variant between passes. All of it is read anew after a restart.

use std::collections::VecDeque;

use chrono::TimeDelta;

use crate::model::fact::Fact;
use crate::model::goal::{CapacityGoal, CooldownGoal, Goal, Mode, Objective, TargetValueLimits};
use crate::model::keeper::Keeper;
use crate::model::reads::Read;
use crate::model::scaling::Activity;
use crate::model::series::Minute;
use crate::model::snapshot::Telemetry;
use crate::model::time::Timestamp;
use crate::model::units::SafetyFactor;

use super::capacity::CapacityWatch;

/// How many of the newest minutes a snapshot carries.
const RECENT_MINUTES: usize = 60;
/// The peak of this many hours is what `plan` forecasts for.
const PEAK_HOURS: i64 = 24;

/// One variant's state between passes.
#[derive(Debug)]
pub(super) struct VariantState {
    /// The newest telemetry, or why there is none.
    pub telemetry: Fact<Telemetry>,
    /// Up to where the telemetry has been read.
    pub read_until: Option<Timestamp>,
    /// The newest scaling activities.
    pub activities: Fact<Vec<Activity>>,
    /// When they were read.
    pub activities_at: Option<Timestamp>,
    /// The read behind them.
    pub activities_read: Option<Read>,
    /// The read behind the telemetry.
    pub telemetry_read: Option<Read>,
    /// Whether something changed since (rule 24).
    pub activities_due: bool,
    /// The max in force at the last pass, for whether the variant is at it.
    pub max_capacity: Option<i32>,
    /// Who kept what is remembered, as last seen (rule 26).
    pub keeper: Option<Keeper>,
    /// Whether that has been looked at.
    pub keeper_known: bool,
    /// When the last pass succeeded.
    pub last_successful_pass: Option<Timestamp>,
    /// The estimate of its capacity.
    pub capacity: CapacityWatch,
    /// Until when minutes with too few requests call for longer periods (estimation, low traffic).
    pub thin_until: Option<Timestamp>,
    hourly_peaks: VecDeque<(Timestamp, f64)>,
}

impl Default for VariantState {
    fn default() -> Self {
        Self {
            telemetry: Fact::not_read_yet(),
            read_until: None,
            activities: Fact::not_read_yet(),
            activities_at: None,
            activities_read: None,
            telemetry_read: None,
            activities_due: false,
            max_capacity: None,
            keeper: None,
            keeper_known: false,
            last_successful_pass: None,
            capacity: CapacityWatch::default(),
            thin_until: None,
            hourly_peaks: VecDeque::new(),
        }
    }
}

impl VariantState {
    /// Takes in newly read minutes, in time order.
    pub(super) fn take_in(
        &mut self,
        minutes: &[Minute],
        read_until: Timestamp,
        read_at: Timestamp,
    ) {
        let mut telemetry = match std::mem::replace(&mut self.telemetry, Fact::not_read_yet()) {
            Fact::Known(telemetry) => telemetry,
            Fact::Unknown(_) => Telemetry {
                read_at,
                newest_datapoint: None,
                recent: Vec::new(),
                peak_invocations: None,
                max_load_since_last_read: None,
            },
        };
        telemetry.read_at = read_at;
        telemetry.max_load_since_last_read = highest(minutes.iter().filter_map(Minute::load));
        if let Some(newest) = minutes.iter().rev().find(|m| !m.is_empty()) {
            let end = newest.at + TimeDelta::seconds(i64::from(newest.period_seconds));
            telemetry.newest_datapoint = telemetry.newest_datapoint.max(Some(end));
        }
        telemetry.recent.extend_from_slice(minutes);
        let excess = telemetry.recent.len().saturating_sub(RECENT_MINUTES);
        telemetry.recent.drain(..excess);
        for minute in minutes {
            self.note_peak(minute, read_until);
        }
        telemetry.peak_invocations = highest(self.hourly_peaks.iter().map(|(_, peak)| *peak));
        self.telemetry = Fact::Known(telemetry);
        self.read_until = Some(read_until);
    }

    fn note_peak(&mut self, minute: &Minute, read_until: Timestamp) {
        let oldest = read_until - TimeDelta::hours(PEAK_HOURS);
        let Some(invocations) = minute.invocations.filter(|_| minute.at >= oldest) else { return };
        let hour = crate::model::time::floor_to(minute.at, 3600);
        match self.hourly_peaks.back_mut() {
            Some((last, peak)) if *last == hour => *peak = peak.max(invocations),
            _ => self.hourly_peaks.push_back((hour, invocations)),
        }
        while self.hourly_peaks.front().is_some_and(|(hour, _)| *hour < oldest) {
            self.hourly_peaks.pop_front();
        }
    }

    /// Takes note of minutes in which the statistic means little. The first one of a variant
    /// makes it read its history again, in longer periods too.
    pub(super) fn note_thin_minutes(&mut self, minutes: &[Minute], min_requests: f64) {
        let thin = |m: &&Minute| m.invocations.is_some_and(|all| all > 0.0 && all < min_requests);
        let Some(newest) = minutes.iter().rev().find(thin) else { return };
        if self.thin_until.is_none() {
            self.read_again();
        }
        self.thin_until = Some(newest.at + TimeDelta::days(1));
    }

    /// Forgets how far the telemetry has been read, so that the history is read again.
    pub(super) fn read_again(&mut self) {
        self.read_until = None;
        self.capacity = CapacityWatch::default();
        self.hourly_peaks.clear();
        self.telemetry = Fact::not_read_yet();
    }
}

fn highest(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.reduce(f64::max)
}

/// The goal of a variant that two targets match equally well: it is watched and never written.
pub(super) fn goal_in_doubt(ambiguous: &str) -> Goal {
    Goal {
        origin: ambiguous.to_owned(),
        managed: false,
        mode: Mode::Observe,
        load_test: None,
        safety_factor: SafetyFactor::ONE,
        safety_factor_auto: false,
        objective: Objective { latency: None, error_rate_max: 1.0 },
        capacity: CapacityGoal::default(),
        cooldown: CooldownGoal::default(),
        disable_scale_in: None,
        target_value: TargetValueLimits::default(),
        adopt: false,
        unsuspend: false,
        allow_clamp: false,
        safe_change_grace: TimeDelta::zero(),
        removed_target_grace: TimeDelta::zero(),
        removed_policy_grace: TimeDelta::zero(),
        paused: None,
    }
}
