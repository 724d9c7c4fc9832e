//! Invariants over many worlds.

use chrono::TimeDelta;
use proptest::prelude::*;
use setpoint::decide::mass_change::mass_change;
use setpoint::model::consent::Consent;
use setpoint::model::fact::Fact;
use setpoint::model::goal::{MassChangeLimit, Mode};

use super::world::{World, why, written};

proptest! {
    #[test]
    fn nothing_is_ever_written_in_observe_or_on_unlisted_variants(
        value in 1.0..5000.0_f64, max in 0..60_i32, managed: bool, gone: bool, policy: bool,
    ) {
        let mut world = World::healthy();
        world.in_force(value);
        world.target().max_capacity = max;
        world.goal.managed = managed;
        if managed {
            world.goal.mode = Mode::Observe;
        }
        if gone {
            world.snapshot.target = Fact::Known(None).into();
        }
        if policy {
            world.policies().clear();
        }
        prop_assert!(world.decide().plan.is_empty());
    }

    #[test]
    fn a_step_stays_within_the_rails_and_never_passes_the_wanted_value(
        from in 10.0..5000.0_f64, invocations in 1.0..50_000.0_f64, instances in 1..60_u32,
        held in 10.0..5000.0_f64,
    ) {
        let mut world = World::healthy();
        world.goal.safe_change_grace = TimeDelta::zero();
        world.target().max_capacity = 100;
        world.goal.capacity.max = Some(100);
        world.in_force(from);
        world.load(invocations, instances);
        world.memory().highest_applied = Some(held);
        let decision = world.decide();
        let Some(to) = written(&decision) else { return Ok(()) };
        if to < from {
            prop_assert!(to >= 600.0 - 1e-6);
            let calls_for = |value: f64| (invocations / value - 1e-9).ceil();
            let more = (f64::from(instances) * 0.3).floor().max(1.0);
            // What the value in force calls for already is none of this write's making.
            let most = (f64::from(instances) + more).max(calls_for(from));
            prop_assert!(calls_for(to) <= most, "{from} -> {to}: {instances}, {most}");
        } else {
            prop_assert!(to <= 600.0 + 1e-6);
            prop_assert!(to <= held.max(from) * 1.1 + 1e-6);
            let stay = (invocations / to).ceil().max(1.0);
            let removable = (f64::from(instances) * 0.2).floor().max(1.0);
            prop_assert!(f64::from(instances) - stay <= removable, "{instances} -> {stay}");
        }
    }

    #[test]
    fn what_depends_on_the_unknown_is_not_written(mask in 1..32_u32, value in 1.0..5000.0_f64) {
        let mut world = World::healthy();
        world.in_force(value);
        if mask & 1 != 0 { world.snapshot.endpoint = Fact::Unknown(why()).into(); }
        if mask & 2 != 0 { world.snapshot.policies = Fact::Unknown(why()).into(); }
        if mask & 4 != 0 { world.snapshot.target = Fact::Unknown(why()).into(); }
        if mask & 8 != 0 { world.snapshot.caller = Fact::Unknown(why()); }
        if mask & 16 != 0 { world.snapshot.endpoint_config = Fact::Unknown(why()).into(); }
        let decision = world.decide();
        prop_assert!(decision.plan.is_empty(), "{:?}", decision.plan);
    }

    #[test]
    fn a_mass_change_is_never_let_through_unconfirmed(fleet in 1..200_usize, drifted in 0..200_usize) {
        let drifted = drifted.min(fleet);
        let (bad, good) = (World::drifted().decide(), World::healthy().decide());
        let decisions: Vec<_> =
            (0..fleet).map(|i| if i < drifted { &bad } else { &good }).collect();
        let limit = MassChangeLimit { min_variants: 3, ratio: 0.1, withheld: 0 };
        let approved = Consent::default();
        let found = mass_change(&decisions, limit, &approved);
        prop_assert_eq!(found.is_some(), drifted > 3.max(fleet / 10));
        if let Some(found) = found {
            prop_assert!(mass_change(&decisions, limit, &found.shown).is_none());
        }
    }
}
