//! What is told of a variant that no field shows: why something is missing, what a deploy did, and why
//! AWS does not scale.

use chrono::TimeDelta;
use setpoint::model::endpoint::{CrossRegionCap, EndpointStatus, Routing};
use setpoint::model::estimate::Verdict;
use setpoint::model::fact::Fact;
use setpoint::model::memory::{InstanceReset, Settled, VariantMemory};
use setpoint::model::reason::{Field, Reason};
use setpoint::model::scaling::{Activity, ActivityStatus, NotScaledReason};

use super::drifts::field;
use super::remembering::remembered;
use super::world::{World, now};

fn told(world: &World, reason: Reason) -> Option<String> {
    let notes = &world.decide().report.notes;
    notes.iter().find(|note| note.reason == reason).map(|note| note.sentence.to_string())
}

fn settled(world: &World) -> Settled {
    let endpoint = world.snapshot.endpoint.known().unwrap().as_ref().unwrap();
    Settled {
        at: now() - TimeDelta::minutes(1),
        created_at: endpoint.created_at,
        config_name: endpoint.config_name.clone(),
        instance_type: Some("ml.c5.xlarge".to_owned()),
        instances: 4,
    }
}

#[test]
fn a_deploy_that_sets_the_count_back_is_told_until_the_instances_are_back() {
    let mut world = World::healthy();
    let before = Settled { config_name: "old".to_owned(), instances: 12, ..settled(&world) };
    world.memory().settled = Some(before.clone().into());
    let sentence = told(&world, Reason::DeployReset).unwrap();
    assert!(sentence.contains("from 12 to 4"), "{sentence}");
    // It is remembered, and over once the instances are there or a day has passed.
    let before_pass = world.memory().clone();
    let memory = remembered(&world, &before_pass, &world.decide(), None);
    assert_eq!(memory.reset.as_ref().map(|r| (r.before, r.after)), Some((12, 4)));
    *world.memory() = memory;
    assert!(told(&world, Reason::DeployReset).is_some());
    world.load(2000.0, 12);
    assert_eq!(told(&world, Reason::DeployReset), None);
    let before_pass = world.memory().clone();
    assert_eq!(remembered(&world, &before_pass, &world.decide(), None).reset, None);
}

#[test]
fn a_smaller_fleet_without_a_deploy_or_long_after_is_no_reset() {
    let mut world = World::healthy();
    let scaled_in = Settled { instances: 12, ..settled(&world) };
    world.memory().settled = Some(scaled_in.clone().into());
    assert_eq!(told(&world, Reason::DeployReset), None, "the auto scaler did that");
    let long_ago = now() - TimeDelta::hours(3);
    let old = Settled { config_name: "old".to_owned(), at: long_ago, ..scaled_in };
    world.memory().settled = Some(old.into());
    assert_eq!(told(&world, Reason::DeployReset), None, "who knows what happened in between");
    let at = now() - TimeDelta::hours(24);
    let reset = InstanceReset { at, config_name: "new".to_owned(), before: 12, after: 4 };
    world.memory().reset = Some(reset.into());
    assert_eq!(told(&world, Reason::DeployReset), None, "a day is enough");
}

#[test]
fn why_target_and_policy_are_missing_is_told_as_far_as_it_is_known() {
    let missing = |change: fn(&mut Settled)| {
        let mut world = World::healthy();
        let mut before = settled(&world);
        change(&mut before);
        world.memory().settled = Some(before.into());
        world.snapshot.target = Fact::Known(None).into();
        world.policies().clear();
        let decision = world.decide();
        (field(&decision, Field::ScalableTarget).2, world)
    };
    let (sentence, _) = missing(|_| {});
    assert!(sentence.starts_with("deregistered; last seen at 2026-11-23T11:59:00Z"), "{sentence}");
    let (sentence, world) = missing(|before| before.created_at -= TimeDelta::days(3));
    assert!(sentence.starts_with("the endpoint was recreated at"), "{sentence}");
    assert!(told(&world, Reason::EndpointRecreated).is_some());
    let (sentence, world) = missing(|before| before.instance_type = Some("ml.m5.large".to_owned()));
    assert!(sentence.contains("changed from ml.m5.large to ml.c5.xlarge"), "{sentence}");
    assert!(told(&world, Reason::InstanceTypeChanged).is_some());
    let mut world = World::healthy();
    world.memory().policy_name = Some("mine".to_owned());
    world.memory().settled = Some(settled(&world).into());
    world.policies().clear();
    let sentence = field(&world.decide(), Field::Policy).2;
    assert!(
        sentence.starts_with("mine was deleted; some procedures remove a policy"),
        "{sentence}"
    );
}

#[test]
fn requests_a_second_as_target_value_are_told_by_the_rate_or_by_the_load() {
    let mut world = World::healthy();
    assert_eq!(told(&world, Reason::RpsAsTarget), None);
    // 20 RPS load-tested, 10 with the safety factor: either typed as it is.
    for typed in [10.0, 20.0] {
        world.in_force(typed);
        assert!(told(&world, Reason::RpsAsTarget).is_some(), "{typed}");
    }
    world.in_force(60.0);
    assert_eq!(told(&world, Reason::RpsAsTarget), None, "low, and another mistake");
    // Without a load test the load tells: 500 a minute against 8.
    world.goal.load_test = None;
    world.telemetry().max_load_since_last_read = Some(500.0);
    world.in_force(8.0);
    assert!(told(&world, Reason::RpsAsTarget).is_some());
    world.in_force(400.0);
    assert_eq!(told(&world, Reason::RpsAsTarget), None);
}

#[test]
fn at_max_is_told_only_while_it_wants_more() {
    let mut world = World::healthy();
    world.target().max_capacity = 4;
    world.goal.capacity.max = Some(4);
    world.load(2000.0, 4);
    assert_eq!(told(&world, Reason::AtMax), None, "2000 at 600 fit into four");
    world.load(3000.0, 4);
    assert!(told(&world, Reason::AtMax).unwrap().contains("calls for 5"));
    world.load(3000.0, 3);
    assert_eq!(told(&world, Reason::AtMax), None, "one may still come");
}

#[test]
fn at_min_is_told_after_two_weeks() {
    let mut world = World::healthy();
    world.memory().at_min_since = Some(now() - TimeDelta::days(13));
    assert_eq!(told(&world, Reason::AtMin), None);
    world.memory().at_min_since = Some(now() - TimeDelta::days(14));
    assert!(told(&world, Reason::AtMin).unwrap().contains("since 2026-11-09"));
}

#[test]
fn since_when_min_binds_is_remembered_and_forgotten() {
    let mut world = World::healthy();
    world.target().min_capacity = 4;
    let memory = remembered(&world, &VariantMemory::default(), &world.decide(), None);
    assert_eq!(memory.at_min_since, Some(now()));
    world.target().min_capacity = 1;
    assert_eq!(remembered(&world, &memory, &world.decide(), None).at_min_since, None);
}

fn activity(status: ActivityStatus, message: &str, codes: &[&str]) -> Activity {
    let reason = |code: &&str| NotScaledReason {
        code: (*code).to_owned(),
        max_capacity: Some(4),
        min_capacity: Some(1),
        current_capacity: Some(4),
    };
    Activity {
        id: "1".to_owned(),
        status,
        started_at: now() - TimeDelta::minutes(5),
        ended_at: Some(now()),
        description: "Setting desired instance count to 6.".to_owned(),
        cause: "monitor alarm".to_owned(),
        message: Some(message.to_owned()),
        not_scaled_reasons: codes.iter().map(reason).collect(),
    }
}

#[test]
fn scaling_that_failed_is_told_until_a_later_one_succeeds() {
    let mut world = World::healthy();
    let quota = activity(ActivityStatus::Failed, "Error Code: ResourceLimitExceeded", &[]);
    world.snapshot.activities = Fact::Known(vec![quota.clone()].into());
    let sentence = told(&world, Reason::ScalingFailed).unwrap();
    assert!(sentence.starts_with("the account's quota of instances is used up"), "{sentence}");
    let other = activity(ActivityStatus::Failed, "something else", &[]);
    world.snapshot.activities = Fact::Known(vec![other].into());
    let sentence = told(&world, Reason::ScalingFailed).unwrap();
    assert!(sentence.contains("something else"), "{sentence}");
    let later = activity(ActivityStatus::Successful, "done", &[]);
    world.snapshot.activities = Fact::Known(vec![later, quota].into());
    assert_eq!(told(&world, Reason::ScalingFailed), None);
}

#[test]
fn aws_reasons_for_not_scaling_become_sentences() {
    let says = |codes: &[&str]| {
        let mut world = World::healthy();
        let unfulfilled = activity(ActivityStatus::Unfulfilled, "", codes);
        let sentence = unfulfilled.sentence();
        world.snapshot.activities = Fact::Known(vec![unfulfilled].into());
        (told(&world, Reason::NotScaled), sentence)
    };
    let (note, _) = says(&["AlreadyAtMaxCapacity"]);
    assert!(note.unwrap().contains("already at max (max 4)"));
    let (note, _) = says(&["TargetServicePutResourceAsUnscalable"]);
    assert!(note.unwrap().contains("cannot be scaled at the moment"));
    let (note, _) = says(&["SomethingNew"]);
    assert!(note.unwrap().contains("SomethingNew"));
    // How it should be: told where somebody looks, and no condition.
    for (code, words) in [
        ("AutoScalingAnticipatedFlapping", "would have triggered scale-out at once"),
        ("AlreadyAtMinCapacity", "already at min (min 1)"),
        ("AlreadyAtDesiredCapacity", "has the desired instances (now 4)"),
    ] {
        let (note, sentence) = says(&[code]);
        assert_eq!(note, None, "{code}");
        assert!(sentence.contains(words), "{sentence}");
    }
}

#[test]
fn a_cross_region_cap_is_compared_with_what_was_measured() {
    let mut world = World::healthy();
    world.estimate.verdict = Verdict::Measured;
    world.estimate.capacity.low = Some(1180.0);
    world.estimate.capacity.high = Some(1410.0);
    let (low, high) = (1180.0_f64 / 60.0, 1410.0_f64 / 60.0);
    let mut capped = |rate: f64| {
        let Fact::Known(Some(endpoint)) = &mut *world.snapshot.endpoint else { panic!() };
        let invocations_per_second_per_instance = rate as u32;
        endpoint.cross_region =
            Some(CrossRegionCap { invocations_per_second_per_instance, percent: 40 });
        told(&world, Reason::CrossRegionCap)
    };
    let sentence = capped(high.ceil() + 1.0).unwrap();
    assert!(sentence.contains("may send 40 % of capacity that is not there"), "{sentence}");
    let sentence = capped(low.floor() - 1.0).unwrap();
    assert!(sentence.contains("are throttled earlier"), "{sentence}");
    // A whole number cannot be nearer.
    assert_eq!(capped(high.ceil()), None);
    assert_eq!(capped(low.floor()), None);
    world.estimate.verdict = Verdict::AtLeast;
    let Fact::Known(Some(endpoint)) = &mut *world.snapshot.endpoint else { panic!() };
    endpoint.cross_region =
        Some(CrossRegionCap { invocations_per_second_per_instance: 9000, percent: 40 });
    assert_eq!(told(&world, Reason::CrossRegionCap), None, "not known from both sides");
}

fn routed(strategy: &str) -> World {
    let mut world = World::healthy();
    let Fact::Known(Some(config)) = &mut *world.snapshot.endpoint_config else { panic!() };
    config.variants[0].routing = Some(Routing::parse(strategy));
    world
}

#[test]
fn routing_that_spreads_unevenly_is_told() {
    let random = routed("RANDOM");
    let sentence = told(&random, Reason::RandomRouting).unwrap();
    assert!(sentence.contains("promises more than the fleet keeps"), "{sentence}");
    assert_eq!(told(&random, Reason::UnevenRouting), None);
    for word in ["PREFIX_AWARE", "KV_AWARE"] {
        let sentence = told(&routed(word), Reason::UnevenRouting).unwrap();
        assert!(sentence.starts_with(word), "{sentence}");
        assert_eq!(told(&routed(word), Reason::RandomRouting), None);
    }
    for word in ["LEAST_OUTSTANDING_REQUESTS", "SOMETHING_NEW"] {
        let notes = &routed(word).decide().report.notes;
        let about = [Reason::RandomRouting, Reason::UnevenRouting];
        assert!(notes.iter().all(|note| !about.contains(&note.reason)), "{word}: {notes:?}");
    }
}

#[test]
fn random_routing_is_no_matter_where_nothing_is_promised_of_several_instances() {
    let mut alone = routed("RANDOM");
    alone.target().max_capacity = 1;
    alone.goal.capacity.max = Some(1);
    assert_eq!(told(&alone, Reason::RandomRouting), None);
    let mut untested = routed("RANDOM");
    untested.goal.load_test = None;
    assert_eq!(told(&untested, Reason::RandomRouting), None);
}

#[test]
fn an_endpoint_that_is_being_made_is_not_one_without_the_variant() {
    let mut world = World::drifted();
    let Fact::Known(Some(endpoint)) = &mut *world.snapshot.endpoint else { panic!() };
    endpoint.status = EndpointStatus::Creating;
    let summaries = std::mem::take(&mut endpoint.variants);
    let decision = world.decide();
    assert_eq!(decision.report.reason, Reason::EndpointUpdating, "{}", decision.report.sentence);
    assert!(decision.plan.is_empty());
    // Once it is in service, a variant that it does not list is none.
    let Fact::Known(Some(endpoint)) = &mut *world.snapshot.endpoint else { panic!() };
    endpoint.status = EndpointStatus::InService;
    assert_eq!(world.decide().report.reason, Reason::EndpointMissing);
    let Fact::Known(Some(endpoint)) = &mut *world.snapshot.endpoint else { panic!() };
    endpoint.variants = summaries;
    assert_eq!(world.decide().report.reason, Reason::Drift);
}

/// AWS gives the activities of six weeks.
#[test]
fn an_old_failure_is_no_news_and_what_aws_did_not_try_is_no_failure() {
    let mut world = World::healthy();
    let quota = activity(ActivityStatus::Failed, "Error Code: ResourceLimitExceeded", &[]);
    world.now = quota.started_at + TimeDelta::hours(23);
    world.snapshot.activities = Fact::Known(vec![quota.clone()].into());
    assert!(told(&world, Reason::ScalingFailed).is_some());
    world.now = quota.started_at + TimeDelta::days(1);
    assert_eq!(told(&world, Reason::ScalingFailed), None);
    // As the user guide shows one that was not scaled; the reasons may be missing.
    let mut not_tried = activity(ActivityStatus::Failed, "", &["AlreadyAtMaxCapacity"]);
    "Attempting to scale due to alarm triggered".clone_into(&mut not_tried.description);
    not_tried.ended_at = None;
    world.now = not_tried.started_at;
    world.snapshot.activities = Fact::Known(vec![not_tried.clone()].into());
    assert_eq!(told(&world, Reason::ScalingFailed), None);
    assert!(told(&world, Reason::NotScaled).is_some());
    not_tried.not_scaled_reasons.clear();
    world.snapshot.activities = Fact::Known(vec![not_tried].into());
    assert_eq!(told(&world, Reason::ScalingFailed), None);
}
