//! The second axis: whether the value in force is safe; what is compared with nothing; and what the
//! bolder modes would do.

use chrono::TimeDelta;
use setpoint::model::decision::FieldState;
use setpoint::model::endpoint::EndpointStatus;
use setpoint::model::estimate::{Capacity, Estimate, Finding, MinutesUsed, Regime, Verdict};
use setpoint::model::fact::Fact;
use setpoint::model::goal::{LatencyObjective, Mode};
use setpoint::model::memory::Seen;
use setpoint::model::reason::{ActionKind, Field, Reason};
use setpoint::model::safety::{Safety, Unproven};
use setpoint::model::units::LatencyStatistic;

use super::world::{World, now, why, written};

/// One instance serves 1100 to 1300; 600 claims 1200.
fn measured() -> World {
    let mut world = World::healthy();
    let threshold_ms = 250.0;
    world.goal.objective.latency =
        Some(LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms });
    world.estimate = Estimate {
        verdict: Verdict::Measured,
        capacity: Capacity {
            estimate: Some(1200.0),
            low: Some(1100.0),
            q25: Some(1160.0),
            high: Some(1300.0),
            lower_bound: Some(1080.0),
        },
        minutes: MinutesUsed { used: 1000, broken: 720, ..MinutesUsed::default() },
        ..Estimate::unobserved("a test")
    };
    world
}

fn safety(world: &World) -> (Safety, String) {
    let safety = &world.decide().report.safety;
    (safety.state, safety.sentence.clone())
}

/// The configuration follows the value in force, so that the first axis is silent.
fn as_configured(value: f64) -> World {
    let mut world = measured();
    world.in_force(value);
    let rate = value / 30.0;
    world.goal.load_test.as_mut().unwrap().max_rps =
        setpoint::model::units::RequestsPerSecond::new(rate).unwrap();
    world.memory().highest_applied = Some(value);
    assert_eq!(world.decide().report.reason, Reason::InSync, "{value}");
    world
}

#[test]
fn the_value_in_force_is_judged_by_what_was_measured() {
    for (value, expected) in [
        (1301.0, Safety::AboveCapacity),
        (1299.0, Safety::Over),
        (725.0, Safety::Over),
        // High lies within 10 % of what 700 claims, and it is far from the safe 580.
        (700.0, Safety::NotKnown(Unproven::Undecided)),
        (600.0, Safety::Safe),
        (505.0, Safety::Safe),
        (490.0, Safety::Under),
    ] {
        let (state, sentence) = safety(&as_configured(value));
        assert_eq!(state, expected, "{value}: {sentence}");
        assert!(sentence.starts_with(&format!("{value} where 580 is safe")), "{sentence}");
    }
}

#[test]
fn as_configured_and_unsafe_is_not_called_in_sync() {
    let mut world = as_configured(1400.0);
    world.estimate.findings = vec![Finding::ObjectiveBroken];
    let report = world.decide().report;
    assert_eq!((report.reason, report.action), (Reason::InSync, ActionKind::None));
    let headline = "as configured, unsafe: 1400 where 580 is safe; at least 15 of the last 30 minutes broke p99 250 ms (72 % of all)";
    assert_eq!(report.headline(), headline);
    assert!(report.is_unsafe());
    // Nobody is called for what nobody lists, and it is said all the same.
    world.goal.managed = false;
    let report = world.decide().report;
    assert!(!report.is_unsafe());
    assert!(
        report.headline().starts_with("unsafe: 1400 where 580 is safe"),
        "{}",
        report.headline()
    );
}

#[test]
fn an_objective_that_is_broken_is_unsafe_at_any_value() {
    let mut world = as_configured(600.0);
    world.estimate.findings = vec![Finding::ObjectiveBroken];
    let broken =
        "600 where 580 is safe; at least 15 of the last 30 minutes broke p99 250 ms (72 % of all)"
            .to_owned();
    assert_eq!(safety(&world), (Safety::ObjectiveBroken, broken));
    // A short incident is no share of two weeks.
    world.estimate.minutes.broken = 20;
    let (_, sentence) = safety(&world);
    assert!(
        sentence.ends_with("at least 15 of the last 30 minutes broke p99 250 ms"),
        "{sentence}"
    );
    // It is known from telemetry, without the value in force; without telemetry it is old news.
    world.snapshot.policies = Fact::Unknown(why()).into();
    assert_eq!(safety(&world).0, Safety::ObjectiveBroken);
    world.snapshot.telemetry = Fact::Unknown(why());
    assert_eq!(safety(&world).0, Safety::NotKnown(Unproven::CouldNotRead));
}

#[test]
fn what_is_not_known_says_why() {
    let not_known = |change: fn(&mut World)| {
        let mut world = as_configured(600.0);
        change(&mut world);
        let (state, sentence) = safety(&world);
        assert!(!sentence.is_empty());
        state.unproven().unwrap_or_else(|| panic!("{state:?}: {sentence}"))
    };
    assert_eq!(not_known(|w| w.goal.objective.latency = None), Unproven::NoObjective);
    assert_eq!(not_known(|w| w.endpoint().asynchronous = true), Unproven::UnsupportedKind);
    assert_eq!(
        not_known(|w| w.snapshot.endpoint = Fact::Known(None).into()),
        Unproven::EndpointMissing
    );
    assert_eq!(
        not_known(|w| w.snapshot.policies = Fact::Unknown(why()).into()),
        Unproven::CouldNotRead
    );
    assert_eq!(not_known(|w| w.policies().clear()), Unproven::NoTarget);
    assert_eq!(not_known(|w| w.estimate.verdict = Verdict::Unobserved), Unproven::NoEvidence);
    assert_eq!(
        not_known(|w| {
            w.estimate.verdict = Verdict::Unobserved;
            w.snapshot.telemetry = Fact::Unknown(why());
        }),
        Unproven::NoTelemetry
    );
    assert_eq!(not_known(|w| w.estimate.verdict = Verdict::Stale), Unproven::Stale);
    assert_eq!(not_known(|w| w.estimate.verdict = Verdict::AtLeast), Unproven::LimitNotSeen);
}

#[test]
fn a_proven_lower_bound_is_enough_to_be_safe() {
    let mut world = as_configured(540.0);
    world.estimate.verdict = Verdict::AtLeast;
    assert_eq!(safety(&world).0, Safety::Safe);
    // A load test proves nothing: what it claims has not been seen.
    let mut world = as_configured(600.0);
    world.estimate.verdict = Verdict::AtLeast;
    assert_eq!(safety(&world).0, Safety::NotKnown(Unproven::LimitNotSeen));
}

#[test]
fn the_first_hour_of_a_regime_is_not_judged_but_by_what_is_certain() {
    let since = |minutes| {
        let started_at = now() - TimeDelta::minutes(minutes);
        Some(Regime { started_at, declared: true, first: false, speed_ratio: Some(1.4) })
    };
    for value in [900.0, 600.0, 300.0] {
        let mut world = as_configured(value);
        world.estimate.regime = since(59);
        assert_eq!(safety(&world).0, Safety::NotKnown(Unproven::NewRegime), "{value}");
        world.estimate.regime = since(60);
        assert_ne!(safety(&world).0, Safety::NotKnown(Unproven::NewRegime), "{value}");
    }
    let mut world = as_configured(900.0);
    world.estimate.regime = since(59);
    world.estimate.findings = vec![Finding::Over];
    assert_eq!(safety(&world).0, Safety::Over, "two checks agree");
    world.estimate.findings = vec![Finding::Slower];
    let (state, sentence) = safety(&world);
    assert_eq!(state, Safety::Slower);
    assert!(sentence.starts_with("requests take 1.4 times as long since 2026-11-23T11:01:00Z"));
    let mut world = as_configured(1400.0);
    world.estimate.regime = since(1);
    assert_eq!(safety(&world).0, Safety::AboveCapacity);
}

#[test]
fn rule_5_an_expired_load_test_does_not_switch_the_comparison_off() {
    let mut world = measured();
    world.goal.load_test.as_mut().unwrap().date = Some("2025-01-01".parse().unwrap());
    world.in_force(5000.0);
    world.memory().last_applied = Some(Seen { value: 600.0, since: now() });
    let decision = world.decide();
    let report = &decision.report;
    assert!(decision.plan.is_empty(), "reported, and not repaired");
    assert_eq!((report.reason, report.action), (Reason::LoadTestExpired, ActionKind::Hold));
    assert_eq!(
        report.sentence,
        "not compared: the load test of 2025-01-01 has expired; the last value, 600, is \
         not restored"
    );
    let field = report.fields.iter().find(|f| f.field == Field::TargetValue).unwrap();
    assert_eq!((field.state, field.number), (FieldState::Held, Some(5000.0)));
    assert!(report.lacks_comparison() && field.state.differs());
    // Measured capacity judges it meanwhile.
    assert_eq!(report.safety.state, Safety::AboveCapacity);
    assert!(report.headline().starts_with("unsafe: 5000 where 580 is safe; not compared: "));
    // In force is what was held: nothing differs, and still nothing was compared.
    world.in_force(600.0);
    let report = world.decide().report;
    assert_eq!(report.sentence, "not compared: the load test of 2025-01-01 has expired");
    assert!(report.lacks_comparison());
    assert!(report.fields.iter().all(|f| !f.state.differs()), "{:?}", report.fields);
    // In `auto` the measurement is there to compare with.
    world.goal.mode = Mode::Auto;
    let report = world.decide().report;
    assert!(!report.lacks_comparison(), "{report:?}");
}

#[test]
fn rule_5_a_policy_that_vanishes_under_an_expired_load_test_is_told() {
    let mut world = World::healthy();
    world.goal.load_test.as_mut().unwrap().date = Some("2025-01-01".parse().unwrap());
    // Nothing else of the policy is managed.
    world.goal.cooldown = setpoint::model::goal::CooldownGoal::default();
    world.goal.disable_scale_in = None;
    world.policies().clear();
    super::world::assert_held(&world.decide(), Field::Policy, Reason::NoValue);
}

#[test]
fn rule_5_what_has_nothing_to_be_compared_with_and_cannot_be_read_is_unknown() {
    let mut world = World::healthy();
    world.goal.load_test = None;
    world.goal.cooldown = setpoint::model::goal::CooldownGoal::default();
    world.goal.disable_scale_in = None;
    world.snapshot.policies = Fact::Unknown(why()).into();
    let report = world.decide().report;
    assert_eq!((report.comparable, report.reason), (false, Reason::CouldNotCompare));
    world.goal.managed = false;
    assert!(world.decide().report.comparable, "nothing is asked for of what nobody lists");
}

#[test]
fn in_observe_the_other_modes_are_decided_too() {
    let mut world = measured();
    world.in_force(1500.0);
    world.goal.mode = Mode::Observe;
    let observed = world.decide();
    assert!(observed.plan.is_empty());
    let [repair, auto] = &observed.report.would[..] else { panic!("{:?}", observed.report.would) };
    assert_eq!((repair.mode, auto.mode), (Mode::Repair, Mode::Auto));
    for would in [repair, auto] {
        world.goal.mode = would.mode;
        let real = world.decide();
        assert!(real.report.would.is_empty());
        assert_eq!((would.action, would.reason), (real.report.action, real.report.reason));
        assert_eq!(would.target, written(&real), "{would:?}");
        assert_eq!(would.wanted, real.report.desired_target);
        let end = real.report.desired_target.unwrap();
        let to = would.target.unwrap();
        let way = if to > end { format!(" on the way to {end}") } else { String::new() };
        let begin = format!("lower target_value 1500 -> {to}{way}");
        assert!(would.sentence.starts_with(&begin), "{} / {begin}", would.sentence);
        assert!(would.needs.is_empty());
    }
    // What holds them holds them here too.
    world.goal.mode = Mode::Observe;
    world.endpoint().status = EndpointStatus::Failed;
    let told = &world.decide().report.would[0];
    assert_eq!((told.action, told.reason), (ActionKind::Hold, Reason::EndpointUpdating));
    assert_eq!(&*told.sentence, "leave target_value: the endpoint is Failed");
    assert_eq!(told.target, None);
}

#[test]
fn the_consent_that_another_mode_needs_is_named_and_taken_as_given() {
    let mut world = World::drifted();
    world.goal.mode = Mode::Observe;
    world.goal.adopt = false;
    world.memory().adopted = false;
    world.rules.account_id = None;
    let told = &world.decide().report.would[0];
    assert_eq!(told.target, Some(600.0));
    let needs: Vec<Reason> = told.needs.iter().map(|need| need.reason).collect();
    assert_eq!(needs, [Reason::WrongAccount, Reason::Adoption]);
    assert_eq!(
        &*told.sentence,
        "lower target_value 700 -> 600, once account_id is configured and it is adopted (`adopt: \
         true`, or a confirmed `setpoint apply`)"
    );
    // Another account's credentials are nothing to be settled by a key.
    world.snapshot.caller = Fact::Known("999999999999".parse().unwrap());
    let told = &world.decide().report.would[0];
    assert_eq!((told.reason, told.target), (Reason::WrongAccount, None));
}
