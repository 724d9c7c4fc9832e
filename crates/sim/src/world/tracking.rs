//! Target tracking as AWS does it: 3 of 3 minutes above the target scale out in proportion, 15 of
//! 15 below 90 % scale in, the largest wish of several policies wins, and no instance is removed
//! whose absence would put the metric above the target.

use chrono::TimeDelta;

use super::alarms::state_word;
use super::{Load, World, split_resource};
use crate::api::scaling::{NotScaledReason, TargetTrackingConfiguration};
use setpoint_core::model::scaling::{AlarmSide, AlarmState, DEFAULT_COOLDOWN_SECONDS};
use setpoint_core::model::time::Timestamp;

/// The minutes that `AlarmLow` looks at.
const LONGEST_WINDOW: usize = 15;

/// What a policy wants.
struct Wish {
    desired: u32,
    cooldown: i32,
    cause: String,
}

impl World {
    /// Judges every alarm on the newest complete minutes, then scales.
    pub(super) fn evaluate_alarms(&mut self) {
        // Only variants with telemetry can have other alarms than INSUFFICIENT_DATA.
        let resources: Vec<String> =
            self.loads.keys().filter(|r| self.targets.contains_key(*r)).cloned().collect();
        let newest = self.newest_minute() - 1;
        for resource in resources {
            self.judge_alarms(&resource, newest);
            self.track(&resource, newest);
        }
    }

    fn judge_alarms(&mut self, resource: &str, newest: i64) {
        let (Some(load), Some(target)) = (self.loads.get(resource), self.targets.get(resource))
        else {
            return;
        };
        let zeros = self.settings.zero_emission;
        for name in target.policies.values().flat_map(|policy| &policy.alarms) {
            let Some(alarm) = self.alarms.get_mut(name) else { continue };
            if !alarm.watches_invocations {
                continue;
            }
            let periods = i64::from(alarm.periods());
            let mut window = [None; LONGEST_WINDOW];
            let window = &mut window[..usize::from(alarm.periods())];
            for (slot, i) in window.iter_mut().zip(newest - periods + 1..) {
                *slot = load.telemetry.get(i).and_then(|m| m.per_instance(zeros));
            }
            let state = alarm.judge(window);
            if state == alarm.state {
                continue;
            }
            let known = window.iter().flatten().count();
            let reason = format!(
                "{known} of {periods} datapoints, threshold {}: {}",
                alarm.threshold,
                state_word(state)
            );
            alarm.set(state, reason, self.now);
        }
    }

    fn track(&mut self, resource: &str, newest: i64) {
        let Some(target) = self.targets.get(resource) else { return };
        let Some((endpoint, _)) = split_resource(resource) else { return };
        let scalable = self.endpoints.get(endpoint).is_some_and(super::Endpoint::scalable);
        let Some(desired) = self.variant(resource).map(|v| v.desired) else { return };
        // AWS blocks auto scaling while the endpoint is being updated.
        if !scalable {
            return;
        }
        let (min, max) = (target.min.max(0) as u32, target.max.max(0) as u32);
        let (out_off, in_off) = (target.scale_out_suspended, target.scale_in_suspended);
        let (last_out, last_in) = (target.last_scale_out, target.last_scale_in);
        let limits = |code: &str| NotScaledReason {
            code: code.to_owned(),
            max_capacity: (code == "AlreadyAtMaxCapacity").then_some(max.cast_signed()),
            min_capacity: (code == "AlreadyAtMinCapacity").then_some(min.cast_signed()),
            current_capacity: Some(desired.cast_signed()),
        };
        if let Some(wish) = self.scale_out_wish(resource, newest, desired) {
            if out_off {
                return;
            }
            if desired >= max {
                self.note_not_scaled(resource, &wish.cause, limits("AlreadyAtMaxCapacity"));
            } else if self.cooled(last_out, wish.cooldown) {
                self.scale(resource, wish.desired.clamp(min, max), &wish.cause);
            }
        } else if let Some(wish) = self.scale_in_wish(resource, newest) {
            if in_off {
                return;
            }
            let wanted = wish.desired.clamp(min, max);
            if desired <= min {
                self.note_not_scaled(resource, &wish.cause, limits("AlreadyAtMinCapacity"));
            } else if wanted >= desired {
                let reason = limits("AutoScalingAnticipatedFlapping");
                self.note_not_scaled(resource, &wish.cause, reason);
            } else if self.cooled(last_in.max(last_out), wish.cooldown) {
                self.scale(resource, wanted, &wish.cause);
            }
        }
    }

    fn cooled(&self, since: Option<Timestamp>, cooldown: i32) -> bool {
        since.is_none_or(|at| self.now - at >= TimeDelta::seconds(i64::from(cooldown)))
    }

    /// The requests of recent minutes, newest first.
    fn recent_requests(load: &Load, newest: i64, minutes: i64) -> impl Iterator<Item = f64> {
        (newest - minutes + 1..=newest)
            .rev()
            .filter_map(|i| load.telemetry.get(i))
            .map(|minute| f64::from(minute.requests))
    }

    /// The largest wish for more instances: so many that the metric comes down to the target.
    fn scale_out_wish(&self, resource: &str, newest: i64, desired: u32) -> Option<Wish> {
        let (load, target) = (self.loads.get(resource)?, self.targets.get(resource)?);
        let mean = Self::recent_requests(load, newest, 3).sum::<f64>() / 3.0;
        let wishes = target.policies.iter().filter_map(|(name, policy)| {
            let tracking = policy.invocations_target()?;
            let alarm = self.firing(&policy.alarms, AlarmSide::High)?;
            let needed = libm::ceil(mean / tracking.target_value - 1e-9) as u32;
            Some(Wish {
                // The alarm says that there are too few, whatever rounding says.
                desired: needed.max(desired + 1),
                cooldown: tracking.scale_out_cooldown.unwrap_or(DEFAULT_COOLDOWN_SECONDS),
                cause: format!("monitor alarm {alarm} in state ALARM triggered policy {name}"),
            })
        });
        wishes.max_by_key(|wish| wish.desired)
    }

    /// The largest wish for fewer, if every policy that may remove instances wants fewer.
    fn scale_in_wish(&self, resource: &str, newest: i64) -> Option<Wish> {
        let (load, target) = (self.loads.get(resource)?, self.targets.get(resource)?);
        // The busiest minute of the window, so that none of it would have been above the target.
        let busiest = Self::recent_requests(load, newest, 15).fold(0.0, f64::max);
        let mut largest: Option<Wish> = None;
        for (name, policy) in &target.policies {
            let Some(tracking) = &policy.tracking else { continue };
            if tracking.disable_scale_in.unwrap_or(false) {
                continue;
            }
            let wish = self.wish_for_fewer(&policy.alarms, name, tracking, busiest)?;
            if largest.as_ref().is_none_or(|other| wish.desired > other.desired) {
                largest = Some(wish);
            }
        }
        largest
    }

    fn wish_for_fewer(
        &self,
        alarms: &[String],
        name: &str,
        tracking: &TargetTrackingConfiguration,
        busiest: f64,
    ) -> Option<Wish> {
        let alarm = self.firing(alarms, AlarmSide::Low)?;
        Some(Wish {
            desired: libm::ceil(busiest / tracking.target_value - 1e-9) as u32,
            cooldown: tracking.scale_in_cooldown.unwrap_or(DEFAULT_COOLDOWN_SECONDS),
            cause: format!("monitor alarm {alarm} in state ALARM triggered policy {name}"),
        })
    }

    /// The alarm of that side, if it is in ALARM and its actions run.
    fn firing<'a>(&self, alarms: &'a [String], side: AlarmSide) -> Option<&'a String> {
        alarms.iter().find(|name| {
            self.alarms.get(*name).is_some_and(|a| {
                a.side == side && a.state == AlarmState::Alarm && a.actions_enabled
            })
        })
    }
}
