//! What wander takes back, and what waits until it is known.

use setpoint::estimate::{Context, Estimator, EstimatorSettings, Fingerprint, Scratch};
use setpoint::grade::Class;
use setpoint::model::goal::{LatencyObjective, Objective};
use setpoint::model::units::LatencyStatistic;

use crate::refinements::{at, minute, runs};

#[tokio::test]
async fn a_throughput_is_not_asked_while_it_is_in_doubt_of_which_hours_it_is() {
    let run = &runs(Class::Wandering, 1..2, "throughput").await[0];
    let (mut doubtful, mut sure) = (0, 0);
    for (with, without) in run.full.checkpoints.iter().zip(&run.beside.checkpoints) {
        let (with, without) = (&with.evaluation.estimate, &without.evaluation.estimate);
        let doubt = with.sentence.contains("three days will tell");
        (doubtful, sure) = (doubtful + u32::from(doubt), sure + u32::from(!doubt));
        assert!(!doubt || with.capacity == without.capacity, "{with:?} {without:?}");
    }
    assert!(doubtful > 0 && sure > 0);
}

#[test]
fn a_change_that_was_found_before_latency_is_seen_to_wander_is_taken_back() {
    let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
    let objective = Objective { latency: Some(latency), error_rate_max: 0.01 };
    let settings = EstimatorSettings {
        fingerprint: Some(Fingerprint::of("v1")),
        ..EstimatorSettings::new(objective)
    };
    let (mut estimator, mut scratch) = (Estimator::new(&settings), Scratch::new());
    let context = Context { configured_target: Some(600.0), safety_factor: 0.7 };
    let mut first = Vec::new();
    // A day and a half of steady work, five heavy hours, and a payload that swings in half a day. The next change can
    // be found a day after the first.
    for index in 0..60 * 60 {
        let swings = 1.0 + 0.4 * (index as f64 / 720.0 * std::f64::consts::TAU).sin();
        let slower = match index / 60 {
            0..36 => 1.0,
            36..41 => 1.3,
            _ => swings,
        };
        estimator.push(&minute(index, slower), &context, &mut scratch);
        if index % 60 == 59 {
            let estimate = estimator.evaluate(&mut scratch, at(index + 1), &context);
            let wanders = estimate.sentence.contains("latency at equal load wanders, ");
            let regime = estimate.regime.unwrap();
            // The first regime is as fast as itself: the speed of a change goes with it.
            assert!(!regime.first || regime.speed_ratio.is_none(), "hour {}", index / 60);
            first.push((wanders, regime.first));
        }
    }
    let found = first.iter().position(|hour| !hour.1).unwrap();
    let back = found + first[found..].iter().position(|hour| hour.1).unwrap();
    assert!((37..40).contains(&found) && (found + 6..60).contains(&back), "{first:?}");
    assert!(first[back].0 && !first[found].0, "{first:?}");
    assert!(first[back..].iter().all(|hour| hour.0 && hour.1), "{first:?}");
}
