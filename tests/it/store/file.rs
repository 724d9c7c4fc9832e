//! The file: what is found again, what is set aside, and what goes.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use setpoint::model::Fact;
use setpoint::model::decision::{Action, Outcome, StepOutcome};
use setpoint::model::history::{EventKind, History, HourLoad};
use setpoint::model::series::Minute;
use setpoint::model::status::{FleetStatus, Saved, StoreStatus, VariantStatus};
use setpoint::ports::Evidence as _;
use setpoint::store::{Store, StoreSettings};

use super::{id, kinds, minute, pass, with_minute};
use crate::fixtures;

fn store(path: &Path) -> Store {
    let path = Some(path.to_owned());
    Store::new(StoreSettings::new(path, TimeDelta::days(90), 64 << 20))
}

async fn history(store: &Store) -> History {
    store.history(&id(), minute(-60 * 24 * 100), minute(60 * 24 * 100)).await.unwrap().unwrap()
}

fn fine(status: &StoreStatus) {
    assert_eq!((&status.unread, &status.unsaved), (&None, &None));
}

#[tokio::test]
async fn hours_and_events_are_found_again_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    let one = store(&path);
    fine(&one.record(pass(0, vec![with_minute(fixtures::in_sync("a"), 0, 100.0)])).await);
    fine(&one.record(pass(1, vec![with_minute(fixtures::held("a"), 1, 700.0)])).await);
    one.close().await;
    let two = store(&path);
    // Half an hour later, in the same hour; the minute that is known already counts once.
    fine(&two.record(pass(30, vec![with_minute(fixtures::held("a"), 1, 700.0)])).await);
    let status = two.record(pass(31, vec![with_minute(fixtures::in_sync("a"), 30, 400.0)])).await;
    assert!(status.size_bytes.unwrap() > 0 && status.last_saved == Some(minute(31)));
    let history = history(&two).await;
    assert_eq!(history.hours.len(), 1);
    let hour = history.hours[0];
    assert_eq!((hour.minutes, hour.judged_minutes, hour.bad_minutes), (3, 3, 1));
    assert_eq!((hour.load_mean, hour.load_max), (Some(400.0), Some(700.0)));
    assert_eq!((hour.configured_target, hour.formula_target), (Some(600.0), Some(600.0)));
    assert_eq!(
        (hour.capacity_low, hour.capacity, hour.capacity_high),
        (Some(1180.0), Some(1300.0), Some(1410.0))
    );
    // What is the same before and after the restart has not begun again.
    let begun = kinds(&history.events).into_iter().filter(|kind| *kind == EventKind::HoldBegun);
    assert_eq!(begun.count(), 1, "{:#?}", history.events);
    assert_eq!(history.kept_since, Some(minute(0)));
    assert_eq!(two.variants().await.unwrap(), [id()]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Of a large fleet, one pass has more events than are kept while a disk takes nothing. Here few variants have many each,
/// which is sooner done.
#[tokio::test]
async fn a_pass_of_a_large_fleet_loses_none_of_its_events() {
    const STEPS: usize = 120;
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder.path().join("history.redb"));
    let names: Vec<String> = (0..200).map(|n| format!("e-{n:03}")).collect();
    let mut status = fixtures::in_sync("a");
    let action = Action::RegisterTarget {
        min_capacity: Some(2),
        max_capacity: None,
        unsuspend: false,
        expected: None,
        expected_instances: None,
    };
    let step = StepOutcome::success(action.operation(), "min 1 -> 2");
    status.decision.plan.actions = vec![action; STEPS];
    status.outcome = Some(Outcome { steps: vec![step; STEPS] });
    let of = |name: &String| {
        let mut status = status.clone();
        status.snapshot.id = fixtures::id(name);
        status
    };
    assert!(names.len() * STEPS > 20_000);
    fine(&store.record(pass(0, names.iter().map(of).collect())).await);
    for name in [&names[0], &names[199]] {
        let (since, until) = (minute(0), minute(60));
        let history = store.history(&fixtures::id(name), since, until).await.unwrap().unwrap();
        let writes = kinds(&history.events).into_iter().filter(|kind| *kind == EventKind::Write);
        assert_eq!(writes.count(), STEPS, "{name}");
    }
}

/// A list that was short for a pass, say: the hour goes on.
#[tokio::test]
async fn a_variant_that_is_back_within_the_hour_loses_no_minute_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder.path().join("history.redb"));
    fine(&store.record(pass(0, vec![with_minute(fixtures::in_sync("a"), 0, 100.0)])).await);
    fine(&store.record(pass(1, vec![fixtures::in_sync("b")])).await);
    fine(&store.record(pass(2, vec![with_minute(fixtures::in_sync("a"), 2, 700.0)])).await);
    let hours = history(&store).await.hours;
    assert_eq!((hours.len(), hours[0].minutes, hours[0].load_mean), (1, 2, Some(400.0)));
}

/// The pass between two reads was not recorded, for the disk was late: its minutes are among the recent ones.
#[tokio::test]
async fn minutes_of_a_pass_that_was_not_recorded_come_with_the_next() {
    let store = Store::in_memory();
    fine(&store.record(pass(0, vec![with_minute(fixtures::in_sync("a"), -1, 100.0)])).await);
    let mut status = with_minute(fixtures::in_sync("a"), 5, 100.0);
    let objective = status.goal.objective;
    let minutes: Vec<Minute> = (0..6)
        .map(|n| Minute { invocations_per_instance: Some(100.0), ..Minute::empty(minute(n)) })
        .collect();
    if let Fact::Known(telemetry) = &mut status.snapshot.telemetry {
        telemetry.hours = (&HourLoad::of(&minutes[3..], &objective)).into();
        telemetry.recent = minutes.into();
    }
    fine(&store.record(pass(8, vec![status])).await);
    assert_eq!(history(&store).await.hours.last().map(|hour| hour.minutes), Some(6));
}

#[tokio::test]
async fn without_a_file_it_lives_as_long_as_the_process() {
    let store = Store::in_memory();
    assert!(store.history(&id(), minute(0), minute(9)).await.is_err(), "before the first pass");
    fine(&store.record(pass(0, vec![fixtures::in_sync("a")])).await);
    assert!(!history(&store).await.hours.is_empty());
    let nobody = fixtures::id("nobody");
    assert_eq!(store.history(&nobody, minute(0), minute(9)).await, Ok(None));
}

#[tokio::test]
async fn a_file_that_is_no_history_or_broken_is_set_aside_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    let whole = {
        let store = store(&path);
        store.record(pass(0, vec![fixtures::in_sync("a")])).await;
        store.close().await;
        std::fs::read(&path).unwrap()
    };
    let mut bent = whole.clone();
    for byte in bent.iter_mut().skip(64).step_by(97) {
        *byte ^= 0x5a;
    }
    let cut = whole[..whole.len() / 2].to_vec();
    for (n, found) in [b"not mine at all".repeat(999), bent, cut].into_iter().enumerate() {
        std::fs::write(&path, &found).unwrap();
        let store = store(&path);
        let status = store.record(pass(1, vec![fixtures::in_sync("a")])).await;
        fine(&status);
        assert_eq!(status.files_set_aside, n + 1);
        assert!(status.set_aside.unwrap().contains("history.redb.set-aside"), "{n}");
        assert!(!history(&store).await.hours.is_empty());
        let suffix = if n == 0 { String::new() } else { format!(".{}", n + 1) };
        let aside = folder.path().join(format!("history.redb.set-aside{suffix}"));
        assert_eq!(std::fs::read(aside).unwrap(), found, "as it was found");
        store.close().await;
    }
    // Where there is no place left, nothing is moved.
    std::fs::write(&path, "once more").unwrap();
    let store = store(&path);
    let status = store.record(pass(2, vec![fixtures::in_sync("a")])).await;
    assert!(status.unread.unwrap().contains("remove"), "and says what to do");
    assert_eq!(std::fs::read(&path).unwrap(), b"once more");
}

#[tokio::test]
async fn two_processes_on_one_file_are_refused_and_the_second_goes_on_when_the_first_lets_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    let (one, two) = (store(&path), store(&path));
    fine(&one.record(pass(0, vec![fixtures::in_sync("a")])).await);
    let refused = two.record(pass(1, vec![fixtures::held("a")])).await;
    assert!(
        refused.unread.as_ref().unwrap().contains("another process has it open"),
        "{refused:?}"
    );
    assert_eq!(refused.files_set_aside, 0);
    assert!(two.history(&id(), minute(0), minute(9)).await.is_err());
    one.close().await;
    fine(&two.record(pass(2, vec![fixtures::held("a")])).await);
    assert!(!history(&two).await.hours.is_empty());
}

#[tokio::test]
async fn a_disk_that_refuses_is_said_and_what_was_seen_meanwhile_is_saved_later() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("volume");
    let store = store(&place.join("history.redb"));
    let status = store.record(pass(0, vec![fixtures::in_sync("a")])).await;
    assert!(status.unsaved.is_some() && status.unread.is_some());
    store.record(pass(1, vec![fixtures::held("a")])).await;
    std::fs::create_dir(&place).unwrap();
    fine(&store.record(pass(2, vec![fixtures::held("a")])).await);
    let history = history(&store).await;
    assert!(kinds(&history.events).contains(&EventKind::HoldBegun));
    let at = |kind| history.events.iter().find(|event| event.kind == kind).map(|event| event.at);
    assert_eq!(at(EventKind::FirstSeen), Some(minute(0)));
    assert_eq!(at(EventKind::HoldBegun), Some(minute(1)), "when it was seen");
}

#[tokio::test]
async fn records_of_variants_are_kept_beside_the_history() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    let (one, kept) = (store(&path), vec![7; 100_000]);
    assert_eq!(one.records(vec![id()]).await, Ok(vec![None]), "before its first pass");
    one.keep_records(vec![(id(), vec![1, 2, 3])], minute(0)).await.unwrap();
    one.keep_records(vec![(id(), kept.clone())], minute(1)).await.unwrap();
    one.record(pass(1, vec![fixtures::in_sync("a")])).await;
    let scope = id().scope();
    assert_eq!(one.described(&scope).await, Ok(None));
    one.keep_described(&scope, b"configs".to_vec()).await.unwrap();
    one.close().await;
    let two = store(&path);
    let other = fixtures::in_sync("b").snapshot.id.clone();
    let found = two.records(vec![other, id()]).await;
    assert_eq!(found, Ok(vec![None, Some(kept)]), "in the order of the question");
    assert_eq!(two.described(&scope).await, Ok(Some(b"configs".to_vec())));
    fine(&two.record(pass(2, vec![fixtures::in_sync("a")])).await);
}

/// Ten thousand variants write a record every six hours.
#[tokio::test]
async fn the_oldest_records_go_where_there_is_no_room_and_so_does_what_is_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    let bytes_max = 2 << 20;
    let keep = TimeDelta::days(90);
    let store = Store::new(StoreSettings::new(Some(path.clone()), keep, bytes_max));
    // Some 8 KiB each that do not pack.
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    let ids: Vec<_> =
        (0..400).map(|i| fixtures::in_sync(&format!("e{i}")).snapshot.id.clone()).collect();
    for round in 0..3 {
        for (n, ids) in ids.chunks(32).enumerate() {
            let at = minute(round * 360 + i64::try_from(n).unwrap());
            let record = |id: &setpoint::model::ids::VariantId| {
                (id.clone(), (0..8_000).map(|_| noise()).collect::<Vec<u8>>())
            };
            store.keep_records(ids.iter().map(record).collect(), at).await.unwrap();
        }
    }
    let found = store.records(ids.clone()).await.unwrap();
    let kept: Vec<bool> = found.iter().map(Option::is_some).collect();
    let count = kept.iter().filter(|kept| **kept).count();
    // Half of the file, at two bytes for each.
    assert!((48..=66).contains(&count), "{count}");
    assert!(kept[400 - count..].iter().all(|kept| *kept), "the newest are left");
    let bytes = std::fs::metadata(&path).unwrap().len();
    assert!(bytes <= bytes_max * 3 / 2, "{bytes}");
    // After 16 days none of them is of use.
    let late = minute(17 * 1440);
    store.keep_records(vec![(ids[0].clone(), vec![1])], late).await.unwrap();
    let found = store.records(ids).await.unwrap();
    assert_eq!(found.iter().flatten().count(), 1);
}

#[tokio::test]
async fn the_oldest_goes_where_there_is_no_room_and_the_file_stays_within_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    let bytes_max = 4 << 20;
    let keep = TimeDelta::days(90);
    let store = Store::new(StoreSettings::new(Some(path.clone()), keep, bytes_max));
    let mut largest = 0;
    for n in 0..60 {
        let status = |i: i64| {
            let name = format!("e{i}");
            if n % 2 == 0 { fixtures::held(&name) } else { fixtures::in_sync(&name) }
        };
        fine(&store.record(pass(n * 360, (0..100).map(status).collect())).await);
        largest = std::fs::metadata(&path).unwrap().len().max(largest);
    }
    let (since, until) = (minute(-9999), minute(60 * 360));
    let history = store.history(&fixtures::id("e7"), since, until).await.unwrap().unwrap();
    assert!((3..40).contains(&history.hours.len()), "{} hours", history.hours.len());
    assert_eq!(history.hours.last().unwrap().at, minute(59 * 360), "the newest stay");
    assert_eq!(history.events.last().unwrap().at, minute(59 * 360));
    assert!(history.kept_since > Some(minute(20 * 360)));
    assert!(largest <= bytes_max, "{largest} bytes");
}

#[tokio::test]
async fn what_is_older_than_is_kept_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    let bytes_max = 16 << 20;
    let settings = StoreSettings::new(Some(path), TimeDelta::days(3), bytes_max);
    let store = Store::new(settings);
    // 100 variants, a pass every six hours for 10 days, each with something new.
    for n in 0..40 {
        let status = |i: i64| {
            let name = format!("e{i}");
            if n % 2 == 0 { fixtures::held(&name) } else { fixtures::in_sync(&name) }
        };
        let fleet = pass(n * 360, (0..100).map(status).collect());
        fine(&store.record(fleet).await);
    }
    let last = fixtures::id("e7");
    let (since, until) = (minute(-9999), minute(40 * 360));
    let history = store.history(&last, since, until).await.unwrap().unwrap();
    let oldest = minute(39 * 360) - TimeDelta::days(3);
    assert_eq!(history.hours.len(), 13, "three days of six hours each, and the present one");
    assert!(history.hours[0].at >= oldest && history.events[0].at >= oldest);
    assert!(history.events.len() > 30);
}

/// Where each deploy makes an endpoint of a new name, those before it never come back.
#[tokio::test]
async fn a_variant_that_is_gone_for_longer_than_is_kept_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    let settings = || StoreSettings::new(Some(path.clone()), TimeDelta::days(20), 16 << 20);
    let store = Store::new(settings());
    let day = |n: i64, names: &[&str]| {
        pass(n * 1440, names.iter().map(|name| fixtures::in_sync(name)).collect())
    };
    fine(&store.record(day(0, &["old", "new"])).await);
    for n in 1..=30 {
        fine(&store.record(day(n, &["new"])).await);
        let known = store.variants().await.unwrap().len();
        assert_eq!(known, if n <= 20 { 2 } else { 1 }, "day {n}");
    }
    let (since, until) = (minute(0), minute(31 * 1440));
    let found = |store: Store, name| async move {
        store.history(&fixtures::id(name), since, until).await.unwrap().is_some()
    };
    assert!(!found(store.clone(), "old").await && found(store.clone(), "new").await);
    // One that comes back begins again, under a number of its own.
    fine(&store.record(day(31, &["new", "old"])).await);
    let history = store.history(&fixtures::id("old"), since, minute(32 * 1440)).await.unwrap();
    assert_eq!(history.unwrap().hours.len(), 1);
}

/// Days of minutes up to one, as the first read of a process gives them.
fn read(endpoint: &str, days: i64, until: i64) -> VariantStatus {
    let mut status = with_minute(fixtures::in_sync(endpoint), until, 200.0);
    let minutes: Vec<Minute> = (-1440 * days..=until)
        .map(|n| Minute {
            invocations: Some(400.0),
            invocations_per_instance: Some(200.0),
            latency_us: Some(100_000.0),
            ..Minute::empty(minute(n))
        })
        .collect();
    let objective = status.goal.objective;
    if let Fact::Known(telemetry) = &mut status.snapshot.telemetry {
        telemetry.hours = (&HourLoad::of(&minutes, &objective)).into();
    }
    status
}

/// In memory; a pass saves what a start has read for so long.
fn saving_for(rounds_take: Duration) -> Store {
    let settings = StoreSettings::new(None, TimeDelta::days(90), 64 << 20);
    Store::new(StoreSettings { rounds_take, ..settings })
}

/// More than go to the disk at once.
fn names() -> Vec<String> {
    (0..70).map(|n| format!("e{n}")).collect()
}

/// The first read of a process: 14 days of every variant.
fn first_read(names: &[String]) -> Arc<FleetStatus> {
    pass(32, names.iter().map(|name| read(name, 14, 29)).collect())
}

/// One pass has 14 days of every variant, and the next read of telemetry has 15 minutes.
#[tokio::test]
async fn a_fleet_s_first_read_is_saved_whole_before_the_next_one_takes_its_place() {
    let store = saving_for(Duration::MAX);
    let names = names();
    fine(&store.record(first_read(&names)).await);
    assert_eq!(store.status().saved, Some((minute(32), Saved::All)));
    let next = names.iter().map(|name| with_minute(fixtures::in_sync(name), 30, 200.0)).collect();
    fine(&store.record(pass(47, next)).await);
    for name in names {
        let id = fixtures::id(&name);
        let history = store.history(&id, minute(-1440 * 15), minute(60)).await.unwrap().unwrap();
        let whole = history.hours.iter().filter(|hour| hour.minutes == 60).count();
        assert_eq!((history.hours.len(), whole), (14 * 24 + 1, 14 * 24), "{name}");
        assert_eq!(history.hours.last().map(|hour| hour.minutes), Some(31), "{name}");
    }
}

/// A slow disk: each pass has the time for its first part, and says where it ended.
#[tokio::test]
async fn what_a_pass_has_no_time_to_save_comes_with_the_next_pass() {
    let store = saving_for(Duration::ZERO);
    let (names, mut firsts) = (names(), Vec::new());
    let fleet = first_read(&names);
    let ended = loop {
        fine(&store.record(Arc::clone(&fleet)).await);
        match store.status().saved {
            Some((_, Saved::Before(first))) if firsts.last() < Some(&first) => firsts.push(first),
            saved => break saved,
        }
    };
    assert_eq!(ended, Some((minute(32), Saved::All)), "each pass got further: {firsts:?}");
    assert!(firsts.len() > 2, "{firsts:?}");
    for name in names {
        let id = fixtures::id(&name);
        let history = store.history(&id, minute(-1440 * 15), minute(60)).await.unwrap().unwrap();
        let whole = history.hours.iter().filter(|hour| hour.minutes == 60).count();
        assert_eq!((history.hours.len(), whole), (14 * 24 + 1, 14 * 24), "{name}");
    }
}

#[tokio::test]
async fn after_a_start_the_history_goes_back_as_far_as_was_read_and_counts_no_hour_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    let read = |until: i64| pass(until + 3, vec![read("a", 2, until)]);
    let one = store(&path);
    fine(&one.record(read(29)).await);
    let first = history(&one).await;
    assert_eq!(first.hours.len(), 49);
    assert_eq!(first.kept_since, Some(minute(-2880)));
    let counts: Vec<u16> = first.hours.iter().map(|hour| hour.minutes).collect();
    assert!(counts[..48].iter().all(|minutes| *minutes == 60) && counts[48] == 30, "{counts:?}");
    assert_eq!(first.hours[7].load_mean, Some(200.0));
    assert_eq!(first.hours[7].configured_target, None, "nobody looked then");
    assert_eq!(first.hours[48].configured_target, Some(600.0));
    one.close().await;
    // A process that starts later reads it all again, and the time in which none ran.
    let two = store(&path);
    fine(&two.record(read(29 + 180)).await);
    let second = history(&two).await;
    let counts: Vec<u16> = second.hours.iter().map(|hour| hour.minutes).collect();
    assert_eq!(counts.len(), 52);
    assert!(counts[..48].iter().chain(&counts[49..51]).all(|minutes| *minutes == 60), "{counts:?}");
    assert_eq!((counts[48], counts[51]), (30, 30), "the rest of that hour nobody has seen");
    assert_eq!(second.hours[48].configured_target, Some(600.0));
}
