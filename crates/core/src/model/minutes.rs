//! The last minutes of a variant as bytes: an hour of them takes a fifth of what it takes as
//! [`Minute`]s, and every variant has one. Nothing is rounded. All but the newest, at most a quarter of an hour, can be put
//! away.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::series::{Minute, Series};
use super::time::Timestamp;
use crate::compact::{Rested, Shelf, varint};

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
pub struct Minutes(Arc<Held>);

/// Behind one pointer: they are in every variant, and in all that is published of it.
#[derive(Debug, Default)]
struct Held {
    /// The part before the others, put away, of any length.
    older: Option<Arc<dyn Rested>>,
    parts: Box<[Part]>,
    /// How many minutes of the first part are no longer among them: a part is never cut, for the one that is published
    /// shares it.
    skipped: usize,
}

/// Some of them, which can be read without the others; never none.
type Part = Arc<[u8]>;

impl Minutes {
    /// All of them, oldest first; without those that were put away and cannot be had back.
    pub fn iter(&self) -> std::vec::IntoIter<Minute> {
        self.to_vec().into_iter()
    }

    /// All of them, oldest first; without those that were put away and cannot be had back. Who must not pass over any asks
    /// [`Self::try_to_vec`].
    pub fn to_vec(&self) -> Series {
        self.try_to_vec().unwrap_or_else(|| series(&self.0.parts, 0))
    }

    /// All of them, oldest first; nothing where some cannot be had back from where they were put away.
    pub fn try_to_vec(&self) -> Option<Series> {
        Some(series(&self.try_parts()?, self.0.skipped))
    }

    /// Changes them; whoever has a copy keeps them as they were.
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Series) -> T) -> T {
        let mut minutes = self.to_vec();
        let changed = change(&mut minutes);
        *self = minutes.into();
        changed
    }

    /// The newest of these and of those that follow, at most `most`; nothing where these are wanted for it and cannot be
    /// had back.
    #[must_use]
    pub fn followed_by(&self, newest: &[Minute], most: usize) -> Option<Self> {
        let newest = &newest[newest.len().saturating_sub(most)..];
        let mut room = most - newest.len();
        if room == 0 {
            return Some(newest.into());
        }
        let mut parts = Vec::with_capacity(PARTS_MAX);
        parts.extend(packed(newest).rev());
        let before = self.try_parts()?;
        let (mut minutes, mut skipped) = (Series::new(), 0);
        for (place, part) in before.iter().enumerate().rev() {
            minutes.clear();
            unpack(part, &mut minutes);
            let gone = if place == 0 { self.0.skipped } else { 0 };
            let kept = (minutes.len() - gone).min(room);
            if kept == 0 {
                break;
            }
            room -= kept;
            skipped = minutes.len() - kept;
            parts.push(Arc::clone(part));
        }
        parts.reverse();
        let many = parts.len() > PARTS_MAX;
        let followed = Self(Held { older: None, parts: parts.into(), skipped }.into());
        Some(if many { followed.to_vec().into() } else { followed })
    }

    /// Puts all but the newest part away, as one: passes look at the newest minute, and seldom at others.
    pub fn rest(&mut self, on: &dyn Shelf) {
        let [older @ .., newest] = &*self.0.parts else { return };
        if self.0.older.is_some() || older.is_empty() {
            return;
        }
        let rested = on.put(pack(&series(older, self.0.skipped)).into());
        // In memory, parts take no more, and those that follow share them.
        if rested.is_away() {
            let parts = Box::new([Arc::clone(newest)]);
            *self = Self(Held { older: Some(rested), parts, skipped: 0 }.into());
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.to_vec().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.parts.is_empty()
    }

    /// The newest one.
    pub fn last(&self) -> Option<Minute> {
        self.rfind(|_| true)
    }

    /// The newest one like this: older parts are not unpacked for it, nor had back.
    pub fn rfind(&self, is_it: impl Fn(&Minute) -> bool) -> Option<Minute> {
        let found = self.0.parts.iter().enumerate().rev().find_map(|(place, part)| {
            let gone = if place == 0 { self.0.skipped } else { 0 };
            series(std::slice::from_ref(part), gone).into_iter().rfind(&is_it)
        });
        found.or_else(|| {
            let mut older = Series::new();
            unpack(&self.0.older.as_ref()?.bytes()?, &mut older);
            older.into_iter().rfind(&is_it)
        })
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        let older = self.0.older.as_ref().map_or(0, |older| older.in_memory());
        older + self.0.parts.iter().map(|part| part.len()).sum::<usize>()
    }

    /// All parts; nothing where those that were put away cannot be had back.
    fn try_parts(&self) -> Option<Cow<'_, [Part]>> {
        let Some(older) = &self.0.older else { return Some(Cow::Borrowed(&self.0.parts)) };
        let mut parts: Vec<Part> = vec![(&*older.bytes()?).into()];
        parts.extend_from_slice(&self.0.parts);
        Some(Cow::Owned(parts))
    }
}

/// The minutes of these parts without the first ones.
fn series(parts: &[Part], skipped: usize) -> Series {
    let mut minutes = Series::with_capacity(PART_MINUTES * parts.len());
    for part in parts {
        unpack(part, &mut minutes);
    }
    minutes.drain(..skipped.min(minutes.len()));
    minutes
}

impl PartialEq for Minutes {
    fn eq(&self, other: &Self) -> bool {
        // The same minutes may be in other parts.
        Arc::ptr_eq(&self.0, &other.0)
            || self.last() == other.last() && self.to_vec() == other.to_vec()
    }
}

impl From<&[Minute]> for Minutes {
    fn from(minutes: &[Minute]) -> Self {
        Self(Held { older: None, parts: packed(minutes).collect(), skipped: 0 }.into())
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
    minutes.chunks(PART_MINUTES).map(|minutes| pack(minutes).into())
}

/// The bytes of one part.
fn pack(minutes: &[Minute]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32 * minutes.len());
    let mut before = None;
    for minute in minutes {
        put(&mut bytes, minute, before);
        before = Some(minute);
    }
    bytes
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
mod tests;
