//! The safety factor by replay of a variant's own last weeks.

use chrono::TimeDelta;
use setpoint::estimate::{Context, EstimatorSettings, Scratch};
use setpoint::model::estimate::{Capacity, Estimate, Verdict};
use setpoint::model::factor::{FactorAdvice, Limit};
use setpoint::model::reads::Read;
use setpoint::model::series::Minute;
use setpoint::model::time::Timestamp;
use setpoint::variant::{NewPeriods, Variant};

use super::world::World;

const DAY: i64 = 1440;

/// A variant that has seen so many days up to now: 20,000 requests a minute, half as much again in
/// twenty minutes of every three hours.
fn variant(world: &World, days: i64) -> Variant {
    let mut variant = Variant::keeping_weeks();
    let begin = world.now - TimeDelta::minutes(days * DAY);
    let minute = |i: i64| Minute {
        invocations: Some(if i % 180 < 20 { 30_000.0 } else { 20_000.0 }),
        ..Minute::empty(begin + TimeDelta::minutes(i))
    };
    let new = NewPeriods {
        minutes: (0..days * DAY).map(minute).collect(),
        longer: Vec::new(),
        until: world.now,
        read: Read::new("GetMetricData", world.now),
    };
    let settings = EstimatorSettings::new(world.goal.objective);
    let by = (&settings, &Context::default());
    variant.take_in(new, by, None, &mut Scratch::new(), world.now).unwrap();
    variant
}

fn measured() -> Estimate {
    let capacity = Capacity {
        estimate: Some(1000.0),
        low: Some(950.0),
        q25: Some(980.0),
        high: Some(1050.0),
        lower_bound: Some(900.0),
    };
    Estimate { verdict: Verdict::Measured, capacity, ..Estimate::unobserved("measured") }
}

fn ask(
    variant: &mut Variant,
    world: &World,
    estimate: &Estimate,
    work: &mut u32,
    now: Timestamp,
) -> FactorAdvice {
    variant.factor((&world.goal, &world.snapshot), estimate, work, now)
}

#[test]
fn it_is_worked_out_once_a_day_from_whole_weeks_of_a_measured_regime() {
    let mut world = World::healthy();
    world.goal.bad_minutes_per_week = 60.0;
    world.goal.capacity.max = Some(1000);
    let mut known = variant(&world, 14);
    let at_least = Estimate { verdict: Verdict::AtLeast, ..measured() };
    let (mut work, now) = (1, world.now);
    assert_eq!(ask(&mut known, &world, &at_least, &mut work, now).factor(), None);
    assert_eq!(work, 1, "nothing was worked out");
    let FactorAdvice::Known { allowed, explained, weeks, .. } =
        ask(&mut known, &world, &measured(), &mut work, now)
    else {
        panic!("two weeks are known")
    };
    assert!((0.4..0.75).contains(&allowed.factor), "{allowed:?}");
    assert_eq!((allowed.limit, allowed.within_budget, work), (Limit::Budget, true, 0));
    assert!(explained.unwrap() > 0.99 && (weeks - 2.0).abs() < 0.01, "{explained:?} {weeks}");

    // The same day it stands, whatever the work that is allowed, and the next day it is new.
    let (mut work, later) = (1, now + TimeDelta::hours(23));
    let same = ask(&mut known, &world, &measured(), &mut work, later);
    assert!(matches!(same, FactorAdvice::Known { at, .. } if at == now), "{same:?}");
    let next = ask(&mut known, &world, &measured(), &mut work, now + TimeDelta::hours(24));
    assert!(matches!(next, FactorAdvice::Known { at, .. } if at > now) && work == 0, "{next:?}");

    // Another budget is another question.
    world.goal.bad_minutes_per_week = 0.0;
    let strict = ask(&mut known, &world, &measured(), &mut 1, later);
    assert_eq!(strict.factor(), None, "{strict:?}");
    assert!(strict.sentence().contains("no safety factor"), "{}", strict.sentence());

    let few = ask(&mut variant(&world, 5), &world, &measured(), &mut 1, now);
    assert!(few.sentence().contains("a whole one is needed"), "{}", few.sentence());
}
