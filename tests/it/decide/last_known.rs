//! What the endpoint config said holds while it is in force, also after it was deleted.

use setpoint::model::decision::FieldState;
use setpoint::model::endpoint::VariantKind;
use setpoint::model::fact::Fact;
use setpoint::model::goal::Mode;
use setpoint::model::reason::{Field, Reason};

use super::drifts::field;
use super::world::{World, assert_held, why, written};

/// What deletes something, and how it is told.
type Deletion = (fn(&mut World), &'static str);

const DELETIONS: [Deletion; 2] = [
    (
        |w| {
            w.snapshot.endpoint_config = Fact::Known(None).into();
            w.snapshot.model = Fact::Known(None).into();
        },
        "the endpoint config fraud-config-1 was deleted",
    ),
    (|w| w.snapshot.model = Fact::Known(None).into(), "the model fraud-1 was deleted"),
];

#[test]
fn it_is_told_which_of_the_two_is_gone() {
    for (delete, words) in DELETIONS {
        let mut world = World::healthy();
        world.target().max_capacity = 15;
        delete(&mut world);
        let decision = world.decide();
        assert_held(&decision, Field::MaxCapacity, Reason::Unknown);
        let told = field(&decision, Field::MaxCapacity).2;
        assert!(told.contains(words), "{told}");
    }
    let mut world = World::healthy();
    world.target().max_capacity = 15;
    if let Fact::Known(Some(config)) = &mut *world.snapshot.endpoint_config {
        config.variants.clear();
    }
    let told = field(&world.decide(), Field::MaxCapacity).2;
    assert!(told.contains("fraud-config-1 does not list the variant"), "{told}");
}

/// A pass has read both; then one of them is deleted, and somebody edits the value.
fn deleted(delete: fn(&mut World), value: f64) -> World {
    let mut world = World::healthy();
    world.pass();
    let known = world.memory().known_config.clone().unwrap();
    assert_eq!((known.kind, known.name.as_str()), (VariantKind::Standard, "fraud-config-1"));
    delete(&mut world);
    world.in_force(value);
    world
}

#[test]
fn what_is_remembered_of_a_deleted_one_lets_a_lowering_to_the_formula_through() {
    for (delete, _) in DELETIONS {
        let world = deleted(delete, 700.0);
        assert_eq!(written(&world.decide()), Some(600.0));
        assert!(world.decide().report.comparable, "the load test is compared with what it was");
        // Nothing else goes: neither a raise nor another field.
        let mut raise = deleted(delete, 500.0);
        raise.goal.safe_change_grace = chrono::TimeDelta::zero();
        assert_held(&raise.decide(), Field::TargetValue, Reason::Unknown);
        let mut max = deleted(delete, 600.0);
        max.target().max_capacity = 15;
        assert_held(&max.decide(), Field::MaxCapacity, Reason::Unknown);
    }
}

#[test]
fn what_is_remembered_of_another_config_or_kind_lets_nothing_through() {
    for (delete, _) in DELETIONS {
        let mut deployed = deleted(delete, 700.0);
        deployed.endpoint().config_name = "fraud-config-2".to_owned();
        assert!(deployed.decide().plan.is_empty());
        let mut recreated = deleted(delete, 700.0);
        recreated.endpoint().created_at = recreated.now;
        assert!(recreated.decide().plan.is_empty());
        let mut another = deleted(delete, 700.0);
        another.memory().known_config.as_mut().unwrap().kind = VariantKind::MultiModel;
        assert_held(&another.decide(), Field::TargetValue, Reason::Unknown);
        let mut forgotten = deleted(delete, 700.0);
        forgotten.memory().known_config = None;
        assert!(forgotten.decide().plan.is_empty());
    }
    // One that was not read is not one that was deleted.
    let mut unread = deleted(DELETIONS[1].0, 700.0);
    unread.snapshot.model = Fact::Unknown(why()).into();
    assert_held(&unread.decide(), Field::TargetValue, Reason::Unknown);
}

#[test]
fn the_load_test_is_compared_with_what_is_remembered() {
    let mut world = deleted(DELETIONS[0].0, 700.0);
    world.goal.load_test.as_mut().unwrap().instance_type = Some("ml.g5.xlarge".to_owned());
    let decision = world.decide();
    assert_eq!(decision.report.formula_target, None);
    assert!(decision.plan.is_empty());
    // Without a memory of it that is not known, and so it is told.
    world.memory().known_config = None;
    let decision = world.decide();
    assert_eq!(field(&decision, Field::TargetValue).0, FieldState::Unknown);
}

#[test]
fn the_estimate_is_not_followed_on_a_kind_that_is_only_remembered() {
    let mut world = deleted(DELETIONS[0].0, 700.0);
    world.goal.mode = Mode::Auto;
    world.estimate.verdict = setpoint::model::estimate::Verdict::Measured;
    world.estimate.capacity.q25 = Some(800.0);
    assert_held(&world.decide(), Field::TargetValue, Reason::Unknown);
}
