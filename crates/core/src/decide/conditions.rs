//! What is going on around a variant that no field shows: why it does not scale, what a deploy did
//! to it, and numbers that look like a mistake.

use chrono::TimeDelta;

use crate::model::endpoint::{Routing, VariantKind};
use crate::model::floors::FloorsMode;
use crate::model::reason::Reason;
use crate::model::scaling::{Activity, ActivityStatus, NotScaledReason};
use crate::model::typed_unit::{Numbers, WrongUnit, wrong_unit};
use crate::model::units::human;

use super::case::Case;
use super::desired::Desired;
use super::{forecast, per_instance, watch};

/// Min is worth a word when it has set the number of instances for so long.
const AT_MIN_FOR: TimeDelta = TimeDelta::days(14);

/// Says everything that holds.
pub(super) fn say(case: &Case<'_>, desired: &Desired, say: &mut impl FnMut(Reason, String)) {
    before_and_now(case, say);
    unsupported_policy(case, say);
    if let Some(sentence) = rps_as_target(case, desired) {
        say(Reason::RpsAsTarget, sentence);
    }
    routing(case, desired, say);
    if let Some(sentence) = cross_region_cap(case) {
        say(Reason::CrossRegionCap, sentence);
    }
    if case.snapshot.reaction.ready_too_early {
        say(Reason::ReadyTooEarly, ready_too_early(case));
    }
    // Those that are to be kept are a field of the plan.
    let keeps = case.goal.managed && case.goal.floors.mode == FloorsMode::Keep;
    let proposed = case.snapshot.floors.proposed();
    if let Some(floors) = proposed.filter(|floors| !keeps || !floors.target_in_force) {
        say(Reason::FloorsProposed, floors.sentence());
    }
    per_instance::say(case, say);
    at_bounds(case, say);
    activities(case, say);
}

fn before_and_now(case: &Case<'_>, say: &mut impl FnMut(Reason, String)) {
    if let Some(at) = watch::recreated_at(case) {
        let at = at.format("%FT%TZ");
        say(
            Reason::EndpointRecreated,
            format!("the endpoint was deleted and recreated at {at} under the same name"),
        );
    }
    if let Some((before, now)) = watch::other_instance_type(case) {
        let sentence = format!("the instance type changed from {before} to {now}");
        say(Reason::InstanceTypeChanged, sentence);
    }
    if let Some(reset) = watch::instance_reset(case) {
        say(
            Reason::DeployReset,
            format!(
                "the deploy of {} set the number of instances from {} to {} (deploy with RetainAllVariantProperties to keep it)",
                reset.config_name, reset.before, reset.after
            ),
        );
    }
}

/// A policy whose metric cannot work on what it is attached to.
fn unsupported_policy(case: &Case<'_>, say: &mut impl FnMut(Reason, String)) {
    let (Ok(kind), Some(policy)) = (&case.kind, case.policy()) else { return };
    if *kind == VariantKind::Standard {
        return;
    }
    if let Some(because) = kind.unsupported_because() {
        say(
            Reason::UnsupportedKind,
            format!("the policy {} tracks a metric that cannot work here: {because}", policy.name),
        );
    }
}

/// What the way requests are spread does to the meaning of one number for all instances.
fn routing(case: &Case<'_>, desired: &Desired, say: &mut impl FnMut(Reason, String)) {
    let config = case.snapshot.endpoint_config.known().and_then(Option::as_ref);
    let own = config.and_then(|config| config.variant(&case.snapshot.id.variant));
    let Some(routing) = own.and_then(|own| own.routing.as_ref()) else { return };
    if routing.is_uneven() {
        let sentence = format!(
            "{} routing gives instances unequal shares of the load: the busiest one may break the \
             objective while the average one does not, so the capacity verdict is at best `inferred`",
            routing.as_str()
        );
        say(Reason::UnevenRouting, sentence);
    }
    let alone = case.target().is_some_and(|target| target.max_capacity <= 1);
    if *routing == Routing::Random && desired.formula.is_some() && !alone {
        let sentence = "requests are spread at random, so the busiest instance gets more than the \
                        average: a load test of one instance promises more than the fleet keeps \
                        (RoutingStrategy LEAST_OUTSTANDING_REQUESTS spreads evenly)";
        say(Reason::RandomRouting, sentence.to_owned());
    }
}

/// The cap on cross-region traffic rests on a number of its own for what one instance serves, which
/// nobody compares with the truth either. It is a whole number.
fn cross_region_cap(case: &Case<'_>) -> Option<String> {
    let cap = case.endpoint()?.cross_region?;
    let capacity = &case.estimate.capacity;
    let (low, high) = capacity.low.zip(capacity.high)?;
    if !case.estimate.verdict.is_two_sided() {
        return None;
    }
    let (low, high) = (low / 60.0, high / 60.0);
    let stated = f64::from(cap.invocations_per_second_per_instance);
    let consequence = if stated > high.ceil() {
        format!("routers in other regions may send {} % of capacity that is not there", cap.percent)
    } else if stated < low.floor() {
        "routers in other regions are throttled earlier than the instances need".to_owned()
    } else {
        return None;
    };
    let tenth = |rate: f64| human((rate * 10.0).round() / 10.0);
    Some(format!(
        "the cross-region cap assumes {} requests/s per instance \
         (MaxInvocationsPerSecondPerInstance), but one instance measurably serves {} to {}: {consequence}",
        human(stated),
        tenth(low),
        tenth(high),
    ))
}

/// A per-minute value that is really requests a second keeps a fleet at max. Where it is the
/// load-tested rate that is in the wrong unit, the target value is not to blame.
fn rps_as_target(case: &Case<'_>, desired: &Desired) -> Option<String> {
    let configured = case.configured_target()?;
    let capacity = &case.estimate.capacity;
    let wrong = wrong_unit(Numbers {
        configured: Some(configured),
        max_rps: case.goal.load_test.as_ref().map(|test| test.max_rps.get()),
        formula: desired.formula,
        capacity: capacity.estimate.filter(|_| case.estimate.verdict.is_two_sided()),
        load: case.telemetry.as_ref().ok().and_then(|t| t.max_load_since_last_read),
    });
    (wrong == Some(WrongUnit::Target)).then(|| {
        format!(
            "{} looks like requests per second; target values are per minute, so it would be {}",
            human(configured),
            human(configured * 60.0)
        )
    })
}

/// SageMaker sends requests to an instance from the moment its container answers `/ping`.
fn ready_too_early(case: &Case<'_>) -> String {
    let reaction = &case.snapshot.reaction;
    format!(
        "new instances answer with 5XX in their first minutes, in {} of {} scale-outs, {:.0} answers in \
         all: the container answers /ping before its model is loaded",
        reaction.joins_with_errors, reaction.joins_watched, reaction.errors_while_joining
    )
}

fn at_bounds(case: &Case<'_>, say: &mut impl FnMut(Reason, String)) {
    let Some(target) = case.target() else { return };
    let (max, min) = (target.max_capacity, target.min_capacity);
    let wanted = case.present_invocations().zip(case.configured_target());
    let needed = wanted.and_then(|(load, value)| forecast::unbounded(load, value));
    let at_max = case.desired_instances().is_some_and(|n| i64::from(n) >= i64::from(max));
    if let Some(needed) = needed.filter(|n| at_max && i64::from(*n) > i64::from(max)) {
        say(
            Reason::AtMax,
            format!("max allows {max} instances, and the present load calls for {needed}"),
        );
    }
    if let Some(since) = case.memory.at_min_since.filter(|at| case.now - *at >= AT_MIN_FOR) {
        let since = since.format("%F");
        say(
            Reason::AtMin,
            format!(
                "at min of {min} since {since}: min, not the target value, sets the instance count"
            ),
        );
    }
}

/// How long an attempt to scale is worth a word: what was in its way, such as a quota, is there when the load comes
/// back the next day. AWS gives the activities of six weeks.
const TOLD_FOR: TimeDelta = TimeDelta::days(1);
/// How the description of an activity begins that AWS decided not to carry out (Application Auto Scaling user guide,
/// "Scaling activities"); its status is Failed as well.
const NOT_TRIED: &str = "Attempting to scale";

/// What AWS says of its last attempt to scale.
fn activities(case: &Case<'_>, say: &mut impl FnMut(Reason, String)) {
    let Some(activities) = case.snapshot.activities.known() else { return };
    let is_recent = |activity: &&Activity| case.now - activity.started_at < TOLD_FOR;
    let Some(newest) = activities.first().filter(is_recent) else { return };
    let at = newest.started_at.format("%FT%TZ");
    let news = newest.not_scaled_reasons.iter().filter(|reason| is_news(reason));
    let sentences: Vec<String> = news.map(NotScaledReason::sentence).collect();
    if !sentences.is_empty() {
        say(Reason::NotScaled, format!("AWS did not scale at {at}: {}", sentences.join("; ")));
    }
    // Of those that AWS decided not to try, not all say why.
    let is_try =
        |a: &&Activity| a.not_scaled_reasons.is_empty() && !a.description.starts_with(NOT_TRIED);
    let tried = activities.iter().find(is_try).filter(is_recent);
    if let Some(failed) = tried.filter(|activity| activity.status == ActivityStatus::Failed) {
        say(Reason::ScalingFailed, failure(failed));
    }
}

/// Instances that are not removed, and counts that are there already, are how it should be.
fn is_news(reason: &NotScaledReason) -> bool {
    let usual =
        ["AlreadyAtMinCapacity", "AlreadyAtDesiredCapacity", "AutoScalingAnticipatedFlapping"];
    !usual.contains(&reason.code.as_str())
}

fn failure(activity: &Activity) -> String {
    let at = activity.started_at.format("%FT%TZ");
    let message = activity.message.as_deref().unwrap_or("AWS gives no reason");
    let what = if message.contains("ResourceLimitExceeded") {
        "the account's quota of instances is used up"
    } else {
        "the last attempt to scale failed"
    };
    format!("{what} (at {at}: {message})")
}
