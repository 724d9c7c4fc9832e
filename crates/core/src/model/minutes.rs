//! The last minutes of a variant as bytes: an hour of them takes a fifth of what it takes as
//! [`Minute`]s, and every variant has one. Nothing is rounded.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::series::{Minute, Series};
use super::time::Timestamp;
use crate::compact::varint;

/// Begins where the one before it ends, and is as long.
const FOLLOWS: u16 = 1 << 12;
/// Does not begin with a whole second.
const NANOS: u16 = 1 << 13;

/// A number that has no datapoint, is whole, or is any.
const ABSENT: u16 = 0;
const WHOLE: u16 = 1;
const ANY: u16 = 2;
/// Of invocations for each instance: all invocations over this many instances.
const SHARE: u16 = 3;
/// Of the others: any, and begins with the byte (sign and most of the exponent) that the one of the minute before does.
const NEAR: u16 = 3;
/// The place of invocations for each instance among the numbers.
const EACH: usize = 1;

/// With more parts than this they are put together: each has a header of its own.
const PARTS_MAX: usize = 8;
/// The most minutes of a part. Telemetry is read every quarter of an hour, and a part is held until the last of its minutes
/// is gone: an hour in one part would be held for two.
const PART_MINUTES: usize = 15;

/// Minutes in time order. A copy shares them, and so do those that [follow](Self::followed_by) it: what is
/// published and what is read next have most of an hour in common.
#[derive(Debug, Clone, Default)]
pub struct Minutes {
    parts: Arc<[Part]>,
    /// How many minutes of the first part are no longer among them: a part is never cut, for the one that is published
    /// shares it.
    skipped: usize,
}

/// Some of them, which can be read without the others; never none.
type Part = Arc<[u8]>;

impl Minutes {
    /// All of them, oldest first.
    pub fn iter(&self) -> std::vec::IntoIter<Minute> {
        self.to_vec().into_iter()
    }

    /// All of them, oldest first.
    pub fn to_vec(&self) -> Series {
        let mut minutes: Series = Vec::with_capacity(80);
        for part in &*self.parts {
            unpack(part, &mut minutes);
        }
        minutes.drain(..self.skipped.min(minutes.len()));
        minutes
    }

    /// Changes them; whoever has a copy keeps them as they were.
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Series) -> T) -> T {
        let mut minutes = self.to_vec();
        let changed = change(&mut minutes);
        *self = minutes.into();
        changed
    }

    /// The newest of these and of those that follow, at most `most`.
    #[must_use]
    pub fn followed_by(&self, newest: &[Minute], most: usize) -> Self {
        let newest = &newest[newest.len().saturating_sub(most)..];
        let mut room = most - newest.len();
        let mut parts = Vec::with_capacity(PARTS_MAX);
        parts.extend(packed(newest).rev());
        let (mut minutes, mut skipped) = (Series::new(), 0);
        for (place, part) in self.parts.iter().enumerate().rev() {
            minutes.clear();
            unpack(part, &mut minutes);
            let gone = if place == 0 { self.skipped } else { 0 };
            let kept = (minutes.len() - gone).min(room);
            if kept == 0 {
                break;
            }
            room -= kept;
            skipped = minutes.len() - kept;
            parts.push(Arc::clone(part));
        }
        parts.reverse();
        let followed = Self { parts: parts.into(), skipped };
        if followed.parts.len() > PARTS_MAX { followed.to_vec().into() } else { followed }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.to_vec().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The newest one.
    pub fn last(&self) -> Option<Minute> {
        self.rfind(|_| true)
    }

    /// The newest one like this: older parts are not unpacked for it.
    pub fn rfind(&self, is_it: impl Fn(&Minute) -> bool) -> Option<Minute> {
        self.parts.iter().enumerate().rev().find_map(|(place, part)| {
            let mut minutes = Series::with_capacity(PART_MINUTES);
            unpack(part, &mut minutes);
            let gone = if place == 0 { self.skipped.min(minutes.len()) } else { 0 };
            minutes.drain(gone..).rfind(&is_it)
        })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }
}

impl PartialEq for Minutes {
    fn eq(&self, other: &Self) -> bool {
        // The same minutes may be in other parts.
        self.parts == other.parts && self.skipped == other.skipped
            || self.to_vec() == other.to_vec()
    }
}

impl From<&[Minute]> for Minutes {
    fn from(minutes: &[Minute]) -> Self {
        Self { parts: packed(minutes).collect(), skipped: 0 }
    }
}

impl From<Vec<Minute>> for Minutes {
    fn from(minutes: Vec<Minute>) -> Self {
        minutes.as_slice().into()
    }
}

impl FromIterator<Minute> for Minutes {
    fn from_iter<I: IntoIterator<Item = Minute>>(minutes: I) -> Self {
        minutes.into_iter().collect::<Series>().into()
    }
}

impl IntoIterator for &Minutes {
    type Item = Minute;
    type IntoIter = std::vec::IntoIter<Minute>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Serialize for Minutes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_vec().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Minutes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Series::deserialize(deserializer).map(Self::from)
    }
}

/// The numbers of a minute, all invocations first.
const fn numbers(minute: &Minute) -> [Option<f64>; 6] {
    let Minute {
        at: _,
        period_seconds: _,
        invocations,
        invocations_per_instance,
        latency_us,
        latency_p50_us,
        errors_5xx,
        instances,
    } = *minute;
    [invocations, invocations_per_instance, latency_us, latency_p50_us, errors_5xx, instances]
}

/// These as parts; none where there are none.
fn packed(minutes: &[Minute]) -> impl DoubleEndedIterator<Item = Part> {
    minutes.chunks(PART_MINUTES).map(|minutes| {
        let mut bytes = Vec::with_capacity(32 * minutes.len());
        let mut before = None;
        for minute in minutes {
            put(&mut bytes, minute, before);
            before = Some(minute);
        }
        bytes.into()
    })
}

/// Appends the minutes of a part.
fn unpack(mut part: &[u8], minutes: &mut Series) {
    let mut before = None;
    while let Some(minute) = take(&mut part, before.as_ref()) {
        minutes.push(minute);
        before = Some(minute);
    }
}

fn put(bytes: &mut Vec<u8>, minute: &Minute, before: Option<&Minute>) {
    let last = before.map(numbers);
    let mut head = 0;
    let mut body = Vec::with_capacity(40);
    for (place, number) in numbers(minute).into_iter().enumerate() {
        let shared = if place == EACH { share(minute) } else { None };
        let kind = match number {
            None => ABSENT,
            Some(_) if shared.is_some() => {
                body.extend(shared);
                SHARE
            }
            Some(n) => {
                if let Some(whole) = varint::whole(n, varint::DOUBLE_END) {
                    varint::put(&mut body, whole);
                    WHOLE
                } else {
                    let [rest @ .., first] = n.to_bits().to_le_bytes();
                    body.extend(rest);
                    if first_byte(last, place) == Some(first) {
                        NEAR
                    } else {
                        body.push(first);
                        ANY
                    }
                }
            }
        };
        head |= kind << (2 * place);
    }
    let follows = before.is_some_and(|before| {
        before.end() == minute.at && before.period_seconds == minute.period_seconds
    });
    let nanos = minute.at.timestamp_subsec_nanos();
    if follows {
        head |= FOLLOWS;
    } else if nanos > 0 {
        head |= NANOS;
    }
    bytes.extend(head.to_le_bytes());
    if !follows {
        varint::put(bytes, varint::zigzag(minute.at.timestamp()));
        if nanos > 0 {
            varint::put(bytes, nanos.into());
        }
        varint::put(bytes, minute.period_seconds.into());
    }
    bytes.extend(body);
}

/// What a number begins with that is [`NEAR`] that one of the minute before.
fn first_byte(last: Option<[Option<f64>; 6]>, place: usize) -> Option<u8> {
    if place == EACH {
        return None;
    }
    Some((last?[place]?.to_bits() >> 56) as u8)
}

/// By how many instances all invocations are shared, where that is exact.
fn share(minute: &Minute) -> Option<u8> {
    let (all, each) = (minute.invocations?, minute.invocations_per_instance?);
    let count = (all / each).round();
    let exact = (1.0..256.0).contains(&count) && (all / count).to_bits() == each.to_bits();
    exact.then_some(count as u8)
}

/// Takes off the minute that comes next; `None` at the end.
fn take(rest: &mut &[u8], before: Option<&Minute>) -> Option<Minute> {
    let head = u16::from_le_bytes(bytes(rest)?);
    let (at, period_seconds) = match before {
        Some(before) if head & FOLLOWS != 0 => (before.end(), before.period_seconds),
        _ => {
            let seconds = varint::unzigzag(varint::take(rest)?);
            let nanos = if head & NANOS == 0 { 0 } else { varint::take(rest)? };
            let at = Timestamp::from_timestamp(seconds, u32::try_from(nanos).ok()?)?;
            (at, u32::try_from(varint::take(rest)?).ok()?)
        }
    };
    let last = before.map(numbers);
    let mut numbers = [None; 6];
    let mut all: Option<f64> = None;
    for (place, number) in numbers.iter_mut().enumerate() {
        *number = match head >> (2 * place) & 0b11 {
            WHOLE => Some(varint::take(rest)? as f64),
            ANY => Some(f64::from_bits(u64::from_le_bytes(bytes(rest)?))),
            SHARE if place == EACH => {
                let [count] = bytes(rest)?;
                all.map(|all| all / f64::from(count))
            }
            NEAR => {
                let low: [u8; 7] = bytes(rest)?;
                let mut bits = [first_byte(last, place)?; 8];
                bits[..7].copy_from_slice(&low);
                Some(f64::from_bits(u64::from_le_bytes(bits)))
            }
            _ => None,
        };
        if place == 0 {
            all = *number;
        }
    }
    let [invocations, invocations_per_instance, latency_us, latency_p50_us, errors_5xx, instances] =
        numbers;
    Some(Minute {
        at,
        period_seconds,
        invocations,
        invocations_per_instance,
        latency_us,
        latency_p50_us,
        errors_5xx,
        instances,
    })
}

fn bytes<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

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
        let at =
            (-1_000_000_000_i64..4_000_000_000, prop_oneof![Just(0_u32), 0..1_000_000_000_u32]);
        (
            at,
            prop_oneof![Just(60_u32), Just(300), any::<u32>()],
            numbers,
            any::<bool>(),
            any::<Option<u8>>(),
        )
            .prop_map(
                |((seconds, nanos), period_seconds, (a, b, c, d, e, f), follows, shared)| {
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
                },
            )
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
                minutes = minutes.followed_by(newest, 60);
                let until = (read * step + newest.len()).min(all.len());
                assert_eq!(minutes.to_vec(), all[until.saturating_sub(60)..until], "{step}");
                assert_eq!(minutes, Minutes::from(&all[until.saturating_sub(60)..until]));
                assert_eq!(minutes.last().as_ref(), newest.last());
                for back in [0, 9, 20, 44, 59, 60, 75] {
                    let is_it = |m: &Minute| m.at + TimeDelta::minutes(back) < newest[0].at;
                    let expected = all[until.saturating_sub(60)..until].iter().rfind(|m| is_it(m));
                    assert_eq!(minutes.rfind(is_it).as_ref(), expected, "{step}, {back} before");
                }
                assert!(minutes.parts.len() <= PARTS_MAX, "{step}: {} parts", minutes.parts.len());
                let shared = minutes
                    .parts
                    .iter()
                    .filter(|part| before.parts.iter().any(|p| Arc::ptr_eq(p, part)));
                // Of an hour, a quarter is new, and what is not new is never written again, unless there are many small
                // parts: one of which some minutes are gone stays as it is.
                let new = minutes.parts.len() - shared.count();
                let parts = |minutes: usize| minutes.div_ceil(PART_MINUTES);
                let least = parts(step.min(60));
                let again = step < 8 && minutes.parts.len() == parts(minutes.len());
                assert!(new <= least || again, "{step}: {new} new parts");
                // Beyond the hour itself, less than one more part is kept in memory.
                let held: usize = minutes.parts.iter().map(|part| unpacked(part).len()).sum();
                assert!(held < 60 + PART_MINUTES, "{step}: {held}");
            }
        }
        assert_eq!(Minutes::from(&all[..9]).followed_by(&[], 60), Minutes::from(&all[..9]));
        assert!(Minutes::default().followed_by(&[], 60).is_empty());
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
}
