//! The factor and the floors chosen on the first weeks, run on the later ones by the embedded AWS, against
//! the customary factor: fewer bad minutes for no more instance-hours where the week repeats, and no
//! instance-hours spent where it does not.

use setpoint::model::scaling::DIMENSION;
use setpoint::sim::api::scaling as aas;
use setpoint::sim::random::Random;
use setpoint::whatif::floors::{Action, actions};

use super::{
    Asked, Case, Family, Kind, RESOURCE, Report, Row, WEEK, WEEKS, World, whatif, world_of,
};

/// Factors that are compared, as `setpoint whatif` does.
const FACTORS: [f64; 4] = [0.5, 0.6, 0.7, 0.8];

fn case(name: &'static str, family: Family, kind: Kind, seed: u64) -> Case {
    Case { name, family, kind, seed, before: 0.5, factor: 0.5 }
}

/// Hours of which none says anything of the same hour a week later.
fn wild(seed: u64) -> Vec<f64> {
    let mut random = Random::named(seed, "wild");
    let mut lg = 0.0;
    let next = |_| {
        lg = 0.99 * lg + 0.05 * random.normal();
        6.0 * f64::exp(lg)
    };
    (0..2 * WEEKS * WEEK).map(next).collect()
}

/// What was chosen on the first weeks: a factor, and scheduled actions.
fn chosen(world: &World, rows: &[Row]) -> (f64, Vec<Action>, Report) {
    // Capacity is not what is judged here: the weeks of a low factor may not show it.
    let capacity = Some(world.capacity);
    let asked = Asked { factors: FACTORS.to_vec(), capacity, ..world.asked(0.5) };
    let report = whatif(rows, &asked).unwrap();
    let (factor, floors) = if let Ok(proposal) = &report.floors {
        (FACTORS[proposal.candidate], actions(&proposal.floors, 1, 100))
    } else {
        let allowed = report.allowed.unwrap();
        (if allowed.within_budget { allowed.factor } else { 0.5 }, Vec::new())
    };
    (factor, floors, report)
}

/// Bad minutes and instance-hours a week of the later weeks: as chosen, and under the customary factor; and
/// all of it in words.
async fn judged(case: &Case, demand: Option<Vec<f64>>) -> (Vec<Action>, [(f64, f64); 2], String) {
    let (ours, customary) = (world_of(case, demand.clone()), world_of(case, demand));
    let rows = ours.record().await;
    let (factor, floors, report) = chosen(&ours, &rows);
    ours.put(&floors);
    customary.sim.run_until(ours.sim.now());
    let with = ours.then(report.base * factor).await.1;
    let without = customary.then(report.base * 0.5).await.1;
    let words = format!(
        "{} {:?}, start-up {}: explained {:.2}, factor {factor:.2}, {} actions: {:.0} bad minutes a week at {:.0} \
         instance-hours; 0.5 has {:.0} at {:.0}",
        case.name,
        case.kind,
        ours.start_up,
        report.explained.unwrap_or(f64::NAN),
        floors.len(),
        with.0,
        with.1,
        without.0,
        without.1,
    );
    (floors, [with, without], words)
}

#[tokio::test]
async fn where_the_week_repeats_floors_save_bad_minutes_and_hours() {
    for (name, family, seed) in [
        ("queue", Family::WorkerQueue { workers: 8 }, 41),
        ("contention", Family::Contention { slowdown: 0.5 }, 45),
        ("cliff", Family::Cliff { error_share: 0.2 }, 43),
    ] {
        let (floors, [with, without], words) =
            judged(&case(name, family, Kind::Repeating, seed), None).await;
        assert!(!floors.is_empty(), "{words}");
        assert!(with.0 <= 0.6 * without.0, "{words}");
        assert!(with.1 <= without.1, "{words}");
    }
}

#[tokio::test]
async fn where_it_does_not_no_floors_are_proposed_and_no_hours_are_spent() {
    for (name, family, seed) in [
        ("queue", Family::WorkerQueue { workers: 8 }, 51),
        ("cliff", Family::Cliff { error_share: 0.2 }, 52),
    ] {
        let case = case(name, family, Kind::Spiky, seed);
        let (floors, [with, without], words) = judged(&case, Some(wild(seed))).await;
        assert_eq!(floors, [], "{words}");
        assert!(with.1 <= 1.02 * without.1, "{words}");
    }
}

impl World {
    /// Puts scheduled actions, as a person does who follows the proposal.
    fn put(&self, actions: &[Action]) {
        for action in actions {
            let put = self.sim.put_scheduled_action(&aas::PutScheduledActionInput {
                service_namespace: "sagemaker".into(),
                resource_id: RESOURCE.into(),
                scalable_dimension: DIMENSION.into(),
                scheduled_action_name: action.name(),
                schedule: Some(action.schedule()),
                timezone: None,
                start_time: None,
                end_time: None,
                scalable_target_action: Some(aas::ScalableTargetAction {
                    min_capacity: Some(action.min.cast_signed()),
                    max_capacity: None,
                }),
            });
            put.unwrap();
        }
    }
}
