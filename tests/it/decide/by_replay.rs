//! The safety factor by replay of a variant's own last weeks.

use chrono::TimeDelta;
use setpoint::model::estimate::{Capacity, Estimate, Verdict};
use setpoint::model::factor::{FactorAdvice, Limit};
use setpoint::variant::{Variant, Weeks};

use super::world::World;

const DAY: i64 = 1440;

/// So many days up to now: 20,000 requests a minute, half as much again in twenty minutes of every
/// three hours.
fn weeks(world: &World, days: i64) -> Weeks {
    let requests = (0..days * DAY).map(|i| if i % 180 < 20 { 30_000.0 } else { 20_000.0 });
    Weeks::new(world.now - TimeDelta::minutes(days * DAY), requests.collect())
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

#[test]
fn it_is_worked_out_once_a_day_from_whole_weeks_of_a_measured_regime() {
    let mut world = World::healthy();
    world.goal.bad_minutes_per_week = 60.0;
    world.goal.capacity.max = Some(1000);
    let two = weeks(&world, 14);
    let mut variant = Variant::default();
    let mut ask = |world: &World, estimate: &Estimate, weeks: Option<&Weeks>, now| {
        variant.factor((&world.goal, &world.snapshot), estimate, weeks, now)
    };
    let at_least = Estimate { verdict: Verdict::AtLeast, ..measured() };
    let now = world.now;
    assert_eq!(ask(&world, &at_least, Some(&two), now).factor(), None);
    assert_eq!(ask(&world, &measured(), None, now).factor(), None);
    let FactorAdvice::Known { allowed, explained, weeks: long, .. } =
        ask(&world, &measured(), Some(&two), now)
    else {
        panic!("two weeks are known")
    };
    assert!((0.4..0.75).contains(&allowed.factor), "{allowed:?}");
    assert_eq!((allowed.limit, allowed.within_budget), (Limit::Budget, true));
    assert!(explained.unwrap() > 0.99 && (long - 2.0).abs() < 0.01, "{explained:?} {long}");

    // The same day it stands, and the next day it is new, once the weeks have been read.
    let same = ask(&world, &measured(), Some(&two), now + TimeDelta::hours(23));
    assert!(matches!(same, FactorAdvice::Known { at, .. } if at == now), "{same:?}");
    let tomorrow = now + TimeDelta::hours(24);
    assert_eq!(ask(&world, &measured(), None, tomorrow), same);
    let next = ask(&world, &measured(), Some(&two), tomorrow);
    assert!(matches!(next, FactorAdvice::Known { at, .. } if at > now), "{next:?}");

    // Another budget is another question.
    world.goal.bad_minutes_per_week = 0.0;
    let strict = ask(&world, &measured(), Some(&two), tomorrow);
    assert_eq!(strict.factor(), None, "{strict:?}");
    assert!(strict.sentence().contains("no safety factor"), "{}", strict.sentence());

    let few = weeks(&world, 5);
    let few = ask(&world, &measured(), Some(&few), tomorrow + TimeDelta::hours(24));
    assert!(few.sentence().contains("a whole one is needed"), "{}", few.sentence());
}
