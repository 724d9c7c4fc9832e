//! Which reloads take so much out of setpoint's hands that a person must say so.

use setpoint::config::{Config, Dropped};
use setpoint::model::status::FleetStatus;

use crate::fixtures::{fleet, in_sync, scope};

fn targets(names: &[&str]) -> Config {
    let entry = |name: &&str| format!("- {{endpoint: '{name}', variant: AllTraffic}}\n");
    let list = names.iter().map(entry).collect::<Vec<_>>().concat();
    Config::from_yaml(&format!("targets:\n{list}")).unwrap()
}

fn nothing() -> Config {
    Config::from_yaml("").unwrap()
}

fn of(names: &[&str]) -> FleetStatus {
    let mut fleet = fleet(names.iter().map(|name| in_sync(name)).collect());
    fleet.scopes.insert(scope(), None);
    fleet
}

#[test]
fn variants_are_counted_and_more_than_the_limit_waits() {
    let names: Vec<String> = (0..50).map(|i| format!("e{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let known = of(&names);
    let all = targets(&["*"]);
    // Of fifty, five may go.
    for (kept, waits) in [(45, false), (44, true)] {
        let dropped = Dropped::between(&all, &targets(&names[..kept]), &known);
        assert_eq!((dropped.count, dropped.of, dropped.limit), (50 - kept, 50, 5));
        assert_eq!(dropped.needs_confirmation(), waits, "{kept}");
    }
    assert!(
        !Dropped::between(&targets(&names), &all, &known).needs_confirmation(),
        "another spelling"
    );
    assert_eq!(Dropped::between(&all, &nothing(), &known).examples.len(), 5);
}

#[test]
fn nothing_listed_any_more_waits_however_small_the_fleet_is() {
    let one = targets(&["a"]);
    assert!(Dropped::between(&one, &nothing(), &of(&["a"])).needs_confirmation());
    assert!(!Dropped::between(&one, &targets(&["b"]), &of(&["a"])).needs_confirmation());
    assert!(!Dropped::between(&nothing(), &nothing(), &of(&["a"])).needs_confirmation());
}

#[test]
fn before_anything_was_read_the_targets_themselves_are_counted() {
    let before = targets(&["a", "b", "c", "d", "e*"]);
    for known in [FleetStatus::default(), of(&["unlisted"])] {
        let dropped = Dropped::between(&before, &targets(&["a"]), &known);
        assert_eq!((dropped.count, dropped.needs_confirmation()), (4, true));
        assert!(Dropped::between(&before, &nothing(), &known).needs_confirmation());
        // A wider glob speaks for what was named before.
        assert_eq!(Dropped::between(&before, &targets(&["*"]), &known).count, 0);
    }
}

#[test]
fn an_account_that_leaves_the_list_takes_its_variants_with_it() {
    let of_account = |id: &str| {
        let text = format!(
            "accounts: [{{account_id: \"{id}\", regions: [us-east-1]}}]\ntargets: [{{endpoint: '*', variant: '*'}}]"
        );
        Config::from_yaml(&text).unwrap()
    };
    let known = of(&["a", "b", "c", "d"]);
    let dropped =
        Dropped::between(&of_account("123456789012"), &of_account("210987654321"), &known);
    assert_eq!((dropped.count, dropped.needs_confirmation()), (4, true));
}
