//! kill -9 at any moment loses at most the last pass: two hundred times, of eight files at once, because a
//! kill is mostly waiting for a process to start and for a disk.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use setpoint::store::{Store, StoreSettings, read_file};

use super::{id, minute, pass, with_minute};
use crate::fixtures;

const FILE: &str = "SETPOINT_TEST_HISTORY_FILE";
const FIRST: &str = "SETPOINT_TEST_FIRST_PASS";

fn store(path: &Path) -> Store {
    let keep = chrono::TimeDelta::days(90);
    Store::new(StoreSettings::new(Some(path.to_owned()), keep, 256 << 20))
}

/// The process that is killed: it writes a pass after the other, and says which are saved. Without
/// being asked to it does nothing.
#[tokio::test]
async fn writes_until_it_is_killed() {
    let (Ok(path), Ok(first)) = (std::env::var(FILE), std::env::var(FIRST)) else { return };
    let store = store(Path::new(&path));
    for n in first.parse::<i64>().unwrap().. {
        // Something begins or ends in each pass, and each has a minute of its own.
        let status = if n % 2 == 0 { fixtures::held("a") } else { fixtures::in_sync("a") };
        let others = (0..20).map(|i| fixtures::in_sync(&format!("e{i}")));
        let variants = std::iter::once(status).chain(others);
        let fleet = pass(n, variants.map(|status| with_minute(status, n, 100.0)).collect());
        let status = store.record(fleet).await;
        assert_eq!((status.unread, status.unsaved, status.set_aside), (None, None, None));
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nsaved {n}").and_then(|()| out.flush()).unwrap();
    }
}

/// Runs the process until it has saved something, kills it within `after`, and says what the last
/// pass was that it said to have saved.
fn killed(path: &Path, first: i64, after: Duration) -> i64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::crashes::writes_until_it_is_killed", "--nocapture"])
        .env(FILE, path)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let saved = |line: &str| line.strip_prefix("saved ").map(|n| n.parse::<i64>().unwrap());
    let one = lines.by_ref().find_map(|line| saved(&line.unwrap())).expect("it saves something");
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had said before it died.
    lines.map_while(Result::ok).filter_map(|line| saved(&line)).last().unwrap_or(one)
}

/// Files that are written, killed and read beside each other.
const FILES: u64 = 8;
/// Kills of each.
const KILLS: u64 = 25;

#[test]
fn a_killed_process_loses_at_most_its_last_pass() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for file in 0..FILES {
            let path = folder.path().join(format!("history-{file}.redb"));
            scope.spawn(move || kill_again_and_again(&path, file));
        }
    });
    let set_aside = std::fs::read_dir(folder.path()).unwrap().filter(|entry| {
        entry.as_ref().unwrap().file_name().to_str().unwrap().contains("set-aside")
    });
    assert_eq!(set_aside.count(), 0);
}

fn kill_again_and_again(path: &Path, file: u64) {
    let (mut next, mut passes) = (0, 0);
    for kill in 0..KILLS {
        // Spread over the time of some passes, by the golden ratio.
        let after = Duration::from_micros(((file * KILLS + kill) * 61_803) % 60_000);
        let last = killed(path, next, after);
        passes += last - next + 1;
        let found = read_file(path, |of| *of == id(), minute(next - 1), minute(last + 9));
        let found = found.unwrap_or_else(|error| panic!("kill {kill}: {error}")).remove(0);
        let seen: BTreeSet<_> = found.events.iter().map(|event| event.at).collect();
        // What a process finds at its start is as it is, and no event, but for the first change.
        for n in (next + 1)..=last {
            assert!(seen.contains(&minute(n)), "kill {kill}: pass {n} of {next} to {last} is lost");
        }
        let unsaid: Vec<_> = seen.iter().filter(|at| **at > minute(last)).collect();
        assert!(unsaid.len() <= 1, "kill {kill}: {unsaid:?} were never said to be saved");
        next = last + 2;
    }
    let all = read_file(path, |of| *of == id(), minute(-60), minute(next)).unwrap().remove(0);
    let minutes: i64 = all.hours.iter().map(|hour| i64::from(hour.minutes)).sum();
    assert!(minutes >= passes, "{minutes} minutes of {passes} passes in {} hours", all.hours.len());
    assert!(passes >= i64::try_from(KILLS).unwrap());
}
