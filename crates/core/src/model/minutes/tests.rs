//! Minutes as bytes come out as they went in, in memory and put away.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::compact::MemoryShelf;

fn number() -> impl Strategy<Value = Option<f64>> {
    let value = prop_oneof![
        (0_u32..100_000).prop_map(f64::from),
        0.0..1e6,
        any::<f64>().prop_filter("a number", |n| !n.is_nan()),
        Just(-0.0),
        Just(varint::DOUBLE_END),
        Just(varint::DOUBLE_END - 1.0),
    ];
    proptest::option::weighted(0.8, value)
}

fn minute() -> impl Strategy<Value = (Minute, bool, Option<u8>)> {
    let numbers = (number(), number(), number(), number(), number(), number());
    let at = (-1_000_000_000_i64..4_000_000_000, prop_oneof![Just(0_u32), 0..1_000_000_000_u32]);
    (
        at,
        prop_oneof![Just(60_u32), Just(300), any::<u32>()],
        numbers,
        any::<bool>(),
        any::<Option<u8>>(),
    )
        .prop_map(|((seconds, nanos), period_seconds, (a, b, c, d, e, f), follows, shared)| {
            let at = Timestamp::from_timestamp(seconds, nanos).unwrap();
            let minute = Minute {
                at,
                period_seconds,
                invocations: a,
                invocations_per_instance: b,
                latency_us: c,
                latency_p50_us: d,
                errors_5xx: e,
                instances: f,
            };
            (minute, follows, shared)
        })
}

fn bits(minute: &Minute) -> [Option<u64>; 6] {
    numbers(minute).map(|number| number.map(f64::to_bits))
}

proptest! {
    #[test]
    fn minutes_come_out_as_they_went_in(all in prop::collection::vec(minute(), 0..20)) {
        let mut minutes: Vec<Minute> = Vec::new();
        for (mut minute, follows, shared) in all {
            if let (true, Some(before)) = (follows, minutes.last()) {
                minute.at = before.end();
                minute.period_seconds = before.period_seconds;
            }
            if let (Some(count), Some(requests)) = (shared.filter(|n| *n > 0), minute.invocations) {
                minute.invocations_per_instance = Some(requests / f64::from(count));
            }
            minutes.push(minute);
        }
        let packed = Minutes::from(minutes.clone());
        let unpacked = packed.to_vec();
        prop_assert_eq!(unpacked.len(), minutes.len());
        for (one, other) in unpacked.iter().zip(&minutes) {
            prop_assert_eq!((one.at, one.period_seconds), (other.at, other.period_seconds));
            prop_assert_eq!(bits(one), bits(other));
        }
        prop_assert_eq!(packed.last().map(|m| m.at), minutes.last().map(|m| m.at));
    }
}

fn usual(i: i64) -> Minute {
    let at = Timestamp::from_timestamp(1_700_000_040 + i * 60, 0).unwrap();
    Minute {
        invocations: Some((1000 + i) as f64),
        invocations_per_instance: Some((1000 + i) as f64 / 3.0),
        latency_us: Some(81_234.567 + i as f64),
        latency_p50_us: Some(41_234.567 + i as f64),
        errors_5xx: Some(0.0),
        ..Minute::empty(at)
    }
}

#[test]
fn what_follows_shares_all_but_what_is_new() {
    let all: Vec<Minute> = (0..300).map(usual).collect();
    for step in [1, 7, 15, 30, 60, 100] {
        let mut minutes = Minutes::default();
        for (read, newest) in all.chunks(step).enumerate() {
            let before = minutes.clone();
            minutes = minutes.followed_by(newest, 60).unwrap();
            let until = (read * step + newest.len()).min(all.len());
            assert_eq!(minutes.to_vec(), all[until.saturating_sub(60)..until], "{step}");
            assert_eq!(minutes, Minutes::from(&all[until.saturating_sub(60)..until]));
            assert_eq!(minutes.last().as_ref(), newest.last());
            for back in [0, 9, 20, 44, 59, 60, 75] {
                let is_it = |m: &Minute| m.at + TimeDelta::minutes(back) < newest[0].at;
                let expected = all[until.saturating_sub(60)..until].iter().rfind(|m| is_it(m));
                assert_eq!(minutes.rfind(is_it).as_ref(), expected, "{step}, {back} before");
            }
            assert!(minutes.0.parts.len() <= PARTS_MAX, "{step}: {} parts", minutes.0.parts.len());
            let shared = minutes
                .0
                .parts
                .iter()
                .filter(|part| before.0.parts.iter().any(|p| Arc::ptr_eq(p, part)));
            // Of an hour, a quarter is new, and what is not new is never written again, unless there are many small
            // parts: one of which some minutes are gone stays as it is.
            let new = minutes.0.parts.len() - shared.count();
            let parts = |minutes: usize| minutes.div_ceil(PART_MINUTES);
            let least = parts(step.min(60));
            let again = step < 8 && minutes.0.parts.len() == parts(minutes.len());
            assert!(new <= least || again, "{step}: {new} new parts");
            // Beyond the hour itself, less than one more part is kept in memory.
            let held: usize = minutes.0.parts.iter().map(|part| unpacked(part).len()).sum();
            assert!(held < 60 + PART_MINUTES, "{step}: {held}");
        }
    }
    assert_eq!(Minutes::from(&all[..9]).followed_by(&[], 60), Some(Minutes::from(&all[..9])));
    assert!(Minutes::default().followed_by(&[], 60).is_some_and(|minutes| minutes.is_empty()));
    assert!(Minutes::from(&all[..0]).is_empty());
}

fn unpacked(part: &Part) -> Series {
    let mut minutes = Series::new();
    unpack(part, &mut minutes);
    minutes
}

#[test]
fn an_hour_takes_little() {
    let minutes: Minutes = (0..60).map(usual).collect();
    // A part begins with the time.
    assert!(minutes.bytes() <= 60 * 20 + 4 * 10, "{}", minutes.bytes());
    assert!(60 * size_of::<Minute>() * 10 > 53 * minutes.bytes());
}

/// A disk, which can lose what it has.
#[derive(Debug, Default)]
struct Disk {
    is_lost: Arc<AtomicBool>,
}

#[derive(Debug)]
struct OnDisk(Box<[u8]>, Arc<AtomicBool>);

impl Shelf for Disk {
    fn put(&self, bytes: Box<[u8]>) -> Arc<dyn Rested> {
        Arc::new(OnDisk(bytes, Arc::clone(&self.is_lost)))
    }
}

impl Rested for OnDisk {
    fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        let is_lost = self.1.load(Ordering::Relaxed);
        (!is_lost).then_some(Cow::Borrowed(&self.0))
    }

    fn in_memory(&self) -> usize {
        0
    }

    fn is_away(&self) -> bool {
        true
    }
}

/// As those that a daemon keeps: put away after each read.
#[test]
fn what_was_put_away_is_as_if_it_were_in_memory() {
    let all: Vec<Minute> = (0..300).map(usual).collect();
    let disk = Disk::default();
    for step in [1, 7, 15, 30, 60, 100] {
        let (mut minutes, mut kept) = (Minutes::default(), Minutes::default());
        for newest in all.chunks(step) {
            minutes = minutes.followed_by(newest, 60).unwrap();
            kept = kept.followed_by(newest, 60).unwrap();
            minutes.rest(&disk);
            assert!(minutes.bytes() <= PART_MINUTES * 20 + 10, "{step}: {}", minutes.bytes());
            assert_eq!(minutes, kept, "{step}");
            assert_eq!((minutes.len(), minutes.last()), (kept.len(), kept.last()));
            for minute in all.iter().rev().step_by(7) {
                let is_it = |m: &Minute| m.at <= minute.at;
                assert_eq!(minutes.rfind(is_it), kept.rfind(is_it), "{step}");
            }
            // What rests already is not put away again.
            let copy = minutes.clone();
            minutes.rest(&disk);
            assert!(Arc::ptr_eq(&minutes.0, &copy.0));
        }
    }
    let mut in_memory = Minutes::from(&all[..60]);
    in_memory.rest(&MemoryShelf);
    assert_eq!((in_memory.0.parts.len(), in_memory.0.older.is_none()), (4, true));
}

#[test]
fn of_what_a_disk_has_lost_there_is_the_newest_part_and_nothing_follows() {
    let all: Vec<Minute> = (0..300).map(usual).collect();
    let disk = Disk::default();
    let mut minutes = Minutes::from(&all[..60]);
    minutes.rest(&disk);
    disk.is_lost.store(true, Ordering::Relaxed);
    assert_eq!(minutes.try_to_vec(), None);
    assert_eq!(minutes.to_vec(), all[45..60]);
    assert_eq!(
        (minutes.last().as_ref(), minutes.rfind(|m| *m == all[3])),
        (all[..60].last(), None)
    );
    assert!(minutes.followed_by(&all[60..75], 60).is_none());
    // Of an hour of new ones, nothing older is wanted.
    assert_eq!(minutes.followed_by(&all[60..120], 60), Some(Minutes::from(&all[60..120])));
}
