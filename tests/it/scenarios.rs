//! Golden scenarios: `tests/scenarios/NAME.scenario` is played, and its transcript must be
//! `NAME.out`. `UPDATE_EXPECT=1 cargo test --test it scenarios::` writes the transcripts again.
//! The commands are those of [`script`]; every scenario says in its first line what it shows.

mod script;
mod stage;
mod tags;
mod texts;
mod warp;

use std::path::{Path, PathBuf};

/// Where the scenarios, their worlds and their configurations are.
fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// The names of all scenarios, sorted.
fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(home())
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".scenario").map(str::to_owned)
        })
        .collect();
    names.sort();
    names
}

/// The first line in which two texts differ, with both sides.
fn first_difference(expected: &str, actual: &str) -> String {
    let mut lines = expected.lines().zip(actual.lines()).enumerate();
    let (at, (old, new)) = lines.find(|(_, (old, new))| old != new).unwrap_or_else(|| {
        let (old, new) = (expected.lines().count(), actual.lines().count());
        (old.min(new), ("(end of one of them)", ""))
    });
    format!("line {}:\n  expected {old}\n  actual   {new}", at + 1)
}

/// Plays every scenario and shows each world that it comes by, with the place that led to it.
pub(crate) fn each_world(mut look: impl AsyncFnMut(&str, &setpoint::sim::Sim)) {
    let names = names();
    assert!(names.len() > 30, "the scenarios are not found: {names:?}");
    for name in names {
        let text = std::fs::read_to_string(home().join(format!("{name}.scenario"))).unwrap();
        stage::play_before(&name, &script::parse(&name, &text), &mut look);
    }
}

#[test]
fn every_scenario_tells_its_transcript() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    let names = names();
    assert!(names.len() > 30, "the scenarios are not found: {names:?}");
    for name in names {
        let text = std::fs::read_to_string(home().join(format!("{name}.scenario"))).unwrap();
        // One scenario that cannot be played must not hide the others.
        let played = std::panic::catch_unwind(|| stage::play(&name, &script::parse(&name, &text)));
        let Ok(actual) = played else {
            wrong.push(format!("{name}: cannot be played, see above"));
            continue;
        };
        let path = home().join(format!("{name}.out"));
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if expected == actual {
            continue;
        }
        if update {
            std::fs::write(&path, &actual).unwrap();
            continue;
        }
        wrong.push(format!("{name}: {}\n\n{actual}", first_difference(&expected, &actual)));
    }
    assert!(
        wrong.is_empty(),
        "{} transcripts differ (UPDATE_EXPECT=1 takes the new ones over):\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

/// A transcript without its scenario would never be looked at again.
#[test]
fn no_transcript_is_left_behind() {
    let names = names();
    for entry in std::fs::read_dir(home()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        if let Some(name) = file.strip_suffix(".out") {
            assert!(names.iter().any(|known| known == name), "{file} belongs to no scenario");
        }
    }
}
