//! The closed loop: decisions are applied, and a week is compared with an oracle that sets factor x
//! truth at once. The bounds are what was measured, with some margin.

use setpoint::estimate::Refinements;
use setpoint::grade::{Class, ClosedLoop, Policy, cases, closed_loop};

/// Weeks of the product with some refinements, and of the oracle.
async fn weeks(
    class: Class,
    seeds: std::ops::Range<u64>,
    refinements: Refinements,
) -> Vec<(ClosedLoop, ClosedLoop)> {
    let mut weeks = Vec::new();
    for case in cases(&[class], seeds) {
        let ours = closed_loop(&case, Policy::Setpoint(refinements)).await.unwrap();
        weeks.push((ours, closed_loop(&case, Policy::Oracle).await.unwrap()));
    }
    assert!(!weeks.is_empty());
    weeks
}

/// Where refusals count, the estimate of such a service rises in more steps, each worth a change: as it was
/// measured with and without.
const WITH_AND_WITHOUT: [Refinements; 2] =
    [Refinements::ALL, Refinements { refusals: false, ..Refinements::ALL }];

#[tokio::test]
async fn no_raise_onto_new_ground_is_taken_back_for_the_backlog_of_a_burst() {
    // The load test is 43 % too low, so there is a raise a day, and none of them is too high.
    for (refinements, changes) in WITH_AND_WITHOUT.into_iter().zip([6, 5]) {
        for (ours, oracle) in weeks(Class::Saturating, 3..4, refinements).await {
            assert!(ours.changes <= changes && ours.reversals == 0, "{ours:?}");
            assert!(ours.violation_minutes < oracle.violation_minutes, "{ours:?} {oracle:?}");
            assert!(ours.instance_hours < 1.315 * oracle.instance_hours, "{ours:?} {oracle:?}");
        }
    }
}

#[tokio::test]
async fn what_the_interval_does_not_exclude_is_not_lowered_only_to_be_raised_again() {
    // Load tests that are 8 % and 6 % too low: lowered to within 5 % of the median, they took five changes, two of them
    // back. One that is 39 % too high is lowered once, and took four.
    for (class, seeds, most) in [(Class::Bursting, 4..6, 0), (Class::Saturating, 1..2, 1)] {
        for (ours, oracle) in weeks(class, seeds, Refinements::ALL).await {
            assert!(ours.changes <= most && ours.reversals == 0, "{ours:?}");
            let (minutes, hours) = (ours.violation_minutes as f64, ours.instance_hours);
            assert!(minutes < 1.03 * oracle.violation_minutes as f64, "{ours:?} {oracle:?}");
            assert!(hours < 1.08 * oracle.instance_hours, "{ours:?} {oracle:?}");
        }
    }
}

#[tokio::test]
async fn after_a_change_that_nobody_declared_the_target_turns_once_or_twice() {
    // Raises wait for their hours, which costs 1 % of the instance-hours where refusals are not told apart.
    for (refinements, (reversals, hours)) in
        WITH_AND_WITHOUT.into_iter().zip([(4.0, 1.20), (4.0, 1.22)])
    {
        let weeks = weeks(Class::Undeclared, 8..12, refinements).await;
        let sum = |of: fn(&ClosedLoop) -> f64| {
            weeks.iter().fold((0.0, 0.0), |(a, b), (ours, oracle)| (a + of(ours), b + of(oracle)))
        };
        // With the backlog of bursts taken for the fault of a raise it was 12 in these four weeks.
        assert!(sum(|week| f64::from(week.reversals)).0 <= reversals, "{weeks:?}");
        let (ours, oracle) = sum(|week| week.instance_hours);
        assert!(ours < hours * oracle, "{weeks:?}");
        let (ours, oracle) = sum(|week| week.violation_minutes as f64);
        assert!(ours < 0.8 * oracle, "{weeks:?}");
    }
}

#[tokio::test]
async fn where_latency_wanders_the_target_holds_in_the_heavy_hours_and_seldom_moves() {
    // Single weeks take 0.95 to 1.41 of the oracle's hours, and a value that is a thousandth outside
    // a band makes 1.41 of 1.14.
    let weeks = weeks(Class::Wandering, 0..8, Refinements::ALL).await;
    for (ours, oracle) in &weeks {
        // 18 writes and 10 reversals of one, when it followed from hour to hour.
        assert!(ours.writes <= 6 && ours.changes <= 4 && ours.reversals <= 2, "{ours:?}");
        let (minutes, most) = (ours.violation_minutes as f64, oracle.violation_minutes as f64);
        // One with a load test that is 79 % too high has 1.34 of the oracle's; all together have less than it.
        assert!(minutes < 1.4 * most, "{ours:?} {oracle:?}");
        // With a throughput that is asked before it is known of which hours it is, and a change that is found before
        // latency is seen to wander and stays: 1.79 of one, and 1.51 of the violation minutes of another.
        assert!(ours.instance_hours < 1.5 * oracle.instance_hours, "{ours:?} {oracle:?}");
    }
    let sum = |of: fn(&ClosedLoop) -> f64| {
        weeks.iter().fold((0.0, 0.0), |(a, b), (ours, oracle)| (a + of(ours), b + of(oracle)))
    };
    // 0.91, for fewer changes than the 0.89 that follow the median: a value stays that the interval does not exclude.
    let (ours, oracle) = sum(|week| week.violation_minutes as f64);
    assert!(ours < 0.92 * oracle, "{weeks:?}");
    let (ours, oracle) = sum(|week| week.instance_hours);
    assert!(ours < 1.15 * oracle, "{weeks:?}");
}

#[tokio::test]
async fn a_target_does_not_turn_with_an_estimate_that_does() {
    // Its limit is errors: the throughput of its overloads counts and does not count by turns. A target that follows at
    // once was written 28 times in this week, 23 times against the direction before.
    for (ours, _) in weeks(Class::Collapse, 3..4, Refinements::ALL).await {
        assert!(ours.changes <= 6 && ours.reversals <= 2, "{ours:?}");
    }
}

#[tokio::test]
async fn where_every_load_breaks_the_objective_a_person_has_to_look() {
    // A deploy that leaves a quarter of the capacity, and requests at every hour: rule 18 lowers nothing.
    for (ours, _) in weeks(Class::Collapse, 2..3, Refinements::ALL).await {
        assert!(ours.at_most_minutes > 4000, "{ours:?}");
        assert!(ours.violation_minutes < ours.at_most_minutes + 500, "{ours:?}");
    }
}
