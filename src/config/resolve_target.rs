//! One target, or the defaults -> its goal, with the rules between its keys.

use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};

use super::merge::{Merged, MergedTarget};
use super::pattern::{NamePattern, TargetPattern};
use super::problem::Problem;
use super::raw::{
    PerInstance, Raw, RawLoadTest, RawPause, RawSafetyFactor, RawTarget, RawTargetSpec,
};
use super::resolve::{Resolver, parse_path};
use super::settings::Target;
use crate::model::floors::{FloorsGoal, FloorsMode};
use crate::model::goal::{
    BAD_MINUTES_PER_WEEK, CapacityGoal, CooldownGoal, Goal, LatencyObjective, LoadTest, Mode,
    Objective, Pause, TargetValueLimits,
};
use crate::model::probe::ProbeGoal;
use crate::model::time::Timestamp;
use crate::model::units::{InvocationsPerMinute, RequestsPerSecond, SafetyFactor};

/// Where a goal was written: a target, or `defaults`.
type Place<'a> = Option<&'a MergedTarget>;

impl Resolver<'_> {
    fn problem_at(&mut self, place: Place<'_>, key: &str, found: String, allowed: &str) {
        match place {
            None => self.problem(&format!("defaults.{key}"), found, allowed),
            Some(target) => {
                let origin = target.origin_of(&parse_path(key));
                let key = format!("targets[{}].{key}", target.index);
                let problem = Problem::new(origin, key, found, allowed);
                self.add(Problem { target: target.name(), ..problem });
            }
        }
    }
}

/// All targets; the same pattern twice is a problem that names both.
pub(super) fn resolve_targets(r: &mut Resolver<'_>, merged: &Merged, raw: &Raw) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut seen: BTreeMap<[String; 4], String> = BTreeMap::new();
    let spoiled = &merged.spoiled;
    for (place, written) in merged.targets.iter().enumerate() {
        let own: RawTarget = match serde_json::from_value(written.value.clone()) {
            Ok(own) => own,
            Err(error) => {
                let key = format!("targets[{}]", written.index);
                let allowed = "what the schema says (setpoint config schema)";
                r.add(Problem::new(written.origin(), key, error.to_string(), allowed));
                continue;
            }
        };
        let scope = |text: &Option<String>| text.clone().unwrap_or_default();
        let identity =
            [own.endpoint.clone(), own.variant.clone(), scope(&own.account_id), scope(&own.region)];
        if written.has_stand_in() {
            // Two names that were not understood need not be the same.
        } else if let Some(first) = seen.get(&identity) {
            let found = format!("{}/{} a second time", own.endpoint, own.variant);
            let allowed = format!("each variant once; the first is {first}");
            r.problem_at(Some(written), "endpoint", found, &allowed);
        } else {
            seen.insert(identity, written.origin());
        }
        let target = resolve_target(r, (place, written), &own, raw);
        // Of what is left of a target nothing more is to be said.
        targets.extend(target.filter(|_| !spoiled.touches_target(&written.file, written.index)));
    }
    targets
}

fn resolve_target(
    r: &mut Resolver<'_>,
    (in_order, written): (usize, &MergedTarget),
    own: &RawTarget,
    raw: &Raw,
) -> Option<Target> {
    let place = Some(written);
    let pattern = pattern(r, written, own);
    let goal = resolve_goal(r, place, &own.spec(&raw.defaults));
    // Rule 2 would hold every write of this target; who asks for writes wants to know now.
    let no_account = raw.aws.account_id.is_none()
        && raw.accounts.is_empty()
        && !r.may_be_spoiled("aws.account_id")
        && !r.may_be_spoiled("accounts");
    if goal.mode > Mode::Observe && no_account && own.account_id.is_none() {
        let allowed = "observe, or repair and auto with aws.account_id (nothing is written without \
                       a known account)";
        r.problem_at(place, "mode", goal.mode.as_str().to_owned(), allowed);
    }
    let load_test = own.load_test.as_ref().and_then(|test| load_test(r, written, test));
    let paused = own.pause.as_ref().and_then(|own| pause(r, written, own));
    let origin = written.origin();
    let goal = Goal { origin: origin.clone(), managed: true, load_test, paused, ..goal };
    Some(Target { origin, in_order, pattern: pattern?, goal })
}

fn pattern(r: &mut Resolver<'_>, written: &MergedTarget, own: &RawTarget) -> Option<TargetPattern> {
    let place = Some(written);
    let mut name = |key: &str, text: &str, parsed: Result<NamePattern, String>| {
        let allowed = |why| format!("a name of 1 to 63 letters, digits and hyphens, or {why}");
        parsed.map_err(|why| r.problem_at(place, key, format!("{text:?}"), &allowed(why))).ok()
    };
    let endpoint = name("endpoint", &own.endpoint, NamePattern::endpoint(&own.endpoint));
    let variant = name("variant", &own.variant, NamePattern::variant(&own.variant));
    Some(TargetPattern {
        endpoint: endpoint?,
        variant: variant?,
        // The schema has checked both.
        account_id: own.account_id.as_ref().and_then(|id| id.parse().ok()),
        region: own.region.as_ref().and_then(|region| region.parse().ok()),
    })
}

fn load_test(r: &mut Resolver<'_>, written: &MergedTarget, own: &RawLoadTest) -> Option<LoadTest> {
    let place = Some(written);
    let date = own.date.as_ref().map(|text| text.parse::<NaiveDate>().map_err(|_| text));
    if let Some(Err(text)) = &date {
        let allowed = "a day of the calendar, such as 2026-11-01";
        r.problem_at(place, "load_test.date", format!("{text:?}"), allowed);
    }
    if own.max_age_days.is_some() && own.date.is_none() {
        let allowed = "the date of the load test, as max_age_days counts from it";
        r.problem_at(place, "load_test.date", "nothing".to_owned(), allowed);
    }
    Some(LoadTest {
        max_rps: RequestsPerSecond::new(own.max_rps).ok()?,
        date: date.and_then(Result::ok),
        instance_type: own.instance_type.clone(),
        endpoint_config: own.endpoint_config.clone(),
        max_age_days: own.max_age_days,
    })
}

fn pause(r: &mut Resolver<'_>, written: &MergedTarget, own: &RawPause) -> Option<Pause> {
    let Ok(until) = own.until.parse::<Timestamp>() else {
        let allowed = "an RFC 3339 time, such as 2026-12-01T00:00:00Z";
        r.problem_at(Some(written), "pause.until", format!("{:?}", own.until), allowed);
        return None;
    };
    Some(Pause { until, reason: own.reason.clone() })
}

/// A goal in which the defaults are already filled in, of variants that nobody lists.
pub(super) fn resolve_goal(r: &mut Resolver<'_>, place: Place<'_>, own: &RawTargetSpec) -> Goal {
    check_order(r, place, own);
    let (key, number, safety_factor_auto) = match own.safety_factor {
        None => ("safety_factor", None, false),
        Some(RawSafetyFactor::Fixed(number)) => ("safety_factor", Some(number), false),
        Some(RawSafetyFactor::Auto(_)) => {
            ("safety_factor_initial", own.safety_factor_initial, true)
        }
    };
    let safety_factor = number.and_then(|n| SafetyFactor::new(n).ok()).unwrap_or_else(|| {
        r.problem_at(place, key, "nothing".to_owned(), "a number above 0 and at most 1");
        SafetyFactor::ONE
    });
    let value = |v: Option<f64>| v.and_then(|v| InvocationsPerMinute::new(v).ok());
    let mut grace = |key, seconds: Option<u32>| {
        let seconds = seconds.unwrap_or_else(|| {
            r.problem_at(place, key, "nothing".to_owned(), "a whole number of seconds");
            0
        });
        TimeDelta::seconds(i64::from(seconds))
    };
    let safe_change_grace = grace("safe_change_grace_seconds", own.safe_change_grace_seconds);
    let removed_target_grace =
        grace("removed_target_grace_seconds", own.removed_target_grace_seconds);
    let removed_policy_grace =
        grace("removed_policy_grace_seconds", own.removed_policy_grace_seconds);
    Goal {
        mode: own.mode.unwrap_or(Mode::Observe),
        safety_factor,
        safety_factor_auto,
        family: own.family.clone(),
        objective: objective(r, place, own),
        bad_minutes_per_week: own.objective.bad_minutes_per_week.unwrap_or(BAD_MINUTES_PER_WEEK),
        capacity: CapacityGoal { min: own.capacity.min, max: own.capacity.max },
        cooldown: CooldownGoal {
            scale_out_seconds: own.cooldown.scale_out_seconds,
            scale_in_seconds: own.cooldown.scale_in_seconds,
        },
        disable_scale_in: own.disable_scale_in,
        target_value: TargetValueLimits {
            floor: value(own.target_value.floor),
            ceiling: value(own.target_value.ceiling),
        },
        adopt: own.adopt.unwrap_or(false),
        unsuspend: own.unsuspend.unwrap_or(false),
        allow_clamp: own.allow_clamp.unwrap_or(false),
        safe_change_grace,
        removed_target_grace,
        removed_policy_grace,
        per_instance: own.per_instance == Some(PerInstance::Auto),
        probe: own
            .probe
            .bad_minutes_per_week
            .filter(|minutes| *minutes > 0.0)
            .map(|minutes| ProbeGoal { bad_minutes_per_week: minutes }),
        floors: floors(r, place, own),
        ..Goal::nothing("defaults".to_owned())
    }
}

fn floors(r: &mut Resolver<'_>, place: Place<'_>, own: &RawTargetSpec) -> FloorsGoal {
    let mode = own.floors.unwrap_or_else(|| {
        r.problem_at(place, "floors", "nothing".to_owned(), "off, propose or keep");
        FloorsMode::Off
    });
    let time_zone = own.floors_time_zone.as_deref().unwrap_or("UTC");
    let time_zone = time_zone.parse().unwrap_or_else(|_| {
        let allowed = "an IANA time zone, such as Europe/Berlin";
        r.problem_at(place, "floors_time_zone", format!("{time_zone:?}"), allowed);
        chrono_tz::Tz::UTC
    });
    FloorsGoal { mode, time_zone }
}

fn objective(r: &mut Resolver<'_>, place: Place<'_>, own: &RawTargetSpec) -> Objective {
    let own = &own.objective;
    let latency = match (own.latency.statistic, own.latency.threshold_ms) {
        (Some(statistic), Some(threshold_ms)) => Some(LatencyObjective { statistic, threshold_ms }),
        (None, None) => None,
        (Some(_), None) => {
            let allowed = "a number of milliseconds, as statistic is given";
            r.problem_at(place, "objective.latency.threshold_ms", "nothing".to_owned(), allowed);
            None
        }
        (None, Some(_)) => {
            let allowed = "one of avg, p50, p90, p95, p99, as threshold_ms is given";
            r.problem_at(place, "objective.latency.statistic", "nothing".to_owned(), allowed);
            None
        }
    };
    let error_rate_max = own.error_rate_max.unwrap_or_else(|| {
        let allowed = "a number from 0 to 1";
        r.problem_at(place, "objective.error_rate_max", "nothing".to_owned(), allowed);
        1.0
    });
    Objective { latency, error_rate_max }
}

fn check_order(r: &mut Resolver<'_>, place: Place<'_>, own: &RawTargetSpec) {
    if let (Some(min), Some(max)) = (own.capacity.min, own.capacity.max)
        && min > max
    {
        let allowed = format!("at most capacity.max, which is {max}");
        r.problem_at(place, "capacity.min", min.to_string(), &allowed);
    }
    if let (Some(floor), Some(ceiling)) = (own.target_value.floor, own.target_value.ceiling)
        && floor > ceiling
    {
        let allowed = format!("at most target_value.ceiling, which is {ceiling}");
        r.problem_at(place, "target_value.floor", floor.to_string(), &allowed);
    }
}
