//! The largest parts of an estimator as it rests: neighbours in time or load are alike, and a difference
//! takes a byte where the number takes two or three. Nothing is rounded, and in forms with names, which is
//! what a disk has, they are as they always were.

/// Adds up steps, which wrap around: any order of numbers comes out as it went in.
fn step(from: u16, to: u16) -> u32 {
    let forward = to.wrapping_sub(from);
    let distance = i32::from(forward.cast_signed());
    ((distance << 1) ^ (distance >> 31)).cast_unsigned()
}

/// The reverse.
fn after(from: u16, step: u32) -> Option<u16> {
    let distance = (step >> 1).cast_signed() ^ -(step & 1).cast_signed();
    let distance = i16::try_from(distance).ok()?;
    Some(from.wrapping_add(distance.cast_unsigned()))
}

/// Counts of good and bad minutes by rising bin.
pub(super) mod bins {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{after, step};

    type Bins = Vec<(i16, u16, u16)>;

    pub(in super::super) fn serialize<S: Serializer>(
        bins: &Bins,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() {
            return bins.serialize(to);
        }
        let mut numbers: Vec<u32> = Vec::with_capacity(2 * bins.len());
        let mut before = 0;
        for &(bin, good, bad) in bins {
            let bin = bin.cast_unsigned();
            numbers.extend([step(before, bin) << 1 | u32::from(bad > 0), good.into()]);
            numbers.extend((bad > 0).then_some(u32::from(bad)));
            before = bin;
        }
        numbers.serialize(to)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Bins, D::Error> {
        if from.is_human_readable() {
            return Bins::deserialize(from);
        }
        let numbers = Vec::<u32>::deserialize(from)?;
        bins(&numbers).ok_or_else(|| D::Error::custom("no bins"))
    }

    fn bins(numbers: &[u32]) -> Option<Bins> {
        let (mut numbers, mut before) = (numbers.iter().copied(), 0);
        let mut bins = Bins::with_capacity(numbers.len() / 2);
        while let Some(head) = numbers.next() {
            before = after(before, head >> 1)?;
            let good = numbers.next()?.try_into().ok()?;
            let bad = if head & 1 == 1 { numbers.next()?.try_into().ok()? } else { 0 };
            bins.push((before.cast_signed(), good, bad));
        }
        bins.shrink_to_fit();
        Some(bins)
    }
}

/// Hours in the order of time.
pub(super) mod hours {
    use std::collections::VecDeque;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::super::regime::Hour;
    use super::{after, step};

    /// What is said of an hour by its first number: nothing else, where it is empty.
    const EMPTY: u32 = 1;
    const OTHER_REGIME: u32 = 1 << 1;
    const HAS_BAD: u32 = 1 << 2;
    const ONE_LEVEL: u32 = 1 << 3;
    const FLAGS: u32 = 4;

    type Hours = VecDeque<Hour>;

    pub(in super::super) fn serialize<S: Serializer>(
        hours: &Hours,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() {
            return hours.serialize(to);
        }
        let mut numbers: Vec<u32> = Vec::with_capacity(6 * hours.len());
        let mut before = Hour::default();
        for hour in hours {
            if *hour == Hour::default() {
                numbers.push(EMPTY);
                continue;
            }
            put(&mut numbers, hour, &before);
            before = *hour;
        }
        numbers.serialize(to)
    }

    fn put(numbers: &mut Vec<u32>, hour: &Hour, before: &Hour) {
        let Hour { regime, levels, minutes, bad, medians } = *hour;
        let medians = medians.map(i16::cast_unsigned);
        let one_level = (levels[1], minutes[1], medians[1]) == (0, 0, 0);
        let flag = |is: bool, flag: u32| if is { flag } else { 0 };
        let flags = flag(regime != before.regime, OTHER_REGIME)
            | flag(bad != [0, 0], HAS_BAD)
            | flag(one_level, ONE_LEVEL);
        numbers.push(step(before.levels[0].into(), levels[0].into()) << FLAGS | flags);
        numbers.extend((regime != before.regime).then_some(u32::from(regime)));
        numbers.extend([minutes[0].into(), step(before.medians[0].cast_unsigned(), medians[0])]);
        if !one_level {
            let level = step(levels[0].into(), levels[1].into());
            numbers.extend([level, minutes[1].into(), step(medians[0], medians[1])]);
        }
        if bad != [0, 0] {
            numbers.extend(bad.map(u32::from));
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Hours, D::Error> {
        if from.is_human_readable() {
            return Hours::deserialize(from);
        }
        let numbers = Vec::<u32>::deserialize(from)?;
        let (mut numbers, mut hours) = (numbers.into_iter(), Hours::new());
        let mut before = Hour::default();
        while let Some(head) = numbers.next() {
            if head == EMPTY {
                hours.push_back(Hour::default());
                continue;
            }
            before =
                take(head, &mut numbers, &before).ok_or_else(|| D::Error::custom("no hours"))?;
            hours.push_back(before);
        }
        Ok(hours)
    }

    fn take(head: u32, numbers: &mut impl Iterator<Item = u32>, before: &Hour) -> Option<Hour> {
        let byte = |numbers: &mut dyn Iterator<Item = u32>| u8::try_from(numbers.next()?).ok();
        let level = u8::try_from(after(before.levels[0].into(), head >> FLAGS)?).ok()?;
        let regime = if head & OTHER_REGIME == 0 { before.regime } else { byte(numbers)? };
        let minutes = byte(numbers)?;
        let median = after(before.medians[0].cast_unsigned(), numbers.next()?)?;
        let second = if head & ONE_LEVEL == 0 {
            let level = u8::try_from(after(level.into(), numbers.next()?)?).ok()?;
            (level, byte(numbers)?, after(median, numbers.next()?)?)
        } else {
            (0, 0, 0)
        };
        let bad = if head & HAS_BAD == 0 { [0, 0] } else { [byte(numbers)?, byte(numbers)?] };
        Some(Hour {
            regime,
            levels: [level, second.0],
            minutes: [minutes, second.1],
            bad,
            medians: [median.cast_signed(), second.2.cast_signed()],
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::super::regime::Hour;
    use crate::compact::{from_bytes, to_bytes};

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Both {
        #[serde(with = "super::bins")]
        bins: Vec<(i16, u16, u16)>,
        #[serde(with = "super::hours")]
        hours: VecDeque<Hour>,
    }

    #[derive(Serialize)]
    struct AsOnADisk<'a> {
        bins: &'a [(i16, u16, u16)],
        hours: &'a VecDeque<Hour>,
    }

    fn few() -> impl Strategy<Value = u8> {
        prop_oneof![Just(0), 0..9_u8, any::<u8>()]
    }

    fn hour() -> impl Strategy<Value = Hour> {
        let pair = || (few(), few()).prop_map(|(a, b)| [a, b]);
        let median = prop_oneof![Just(0_i16), 9000..9100_i16, any::<i16>()];
        let medians = (median.clone(), median).prop_map(|(a, b)| [a, b]);
        (few(), pair(), pair(), pair(), medians, any::<bool>()).prop_map(
            |(regime, levels, minutes, bad, medians, empty)| {
                let hour = Hour { regime, levels, minutes, bad, medians };
                if empty { Hour::default() } else { hour }
            },
        )
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            bins in proptest::collection::vec(any::<(i16, u16, u16)>(), 0..40),
            hours in proptest::collection::vec_deque(hour(), 0..40),
        ) {
            let both = Both { bins, hours };
            prop_assert_eq!(&from_bytes::<Both>(&to_bytes(&both).unwrap()).unwrap(), &both);
            let text = serde_json::to_string(&both).unwrap();
            let plain = serde_json::to_string(&AsOnADisk { bins: &both.bins, hours: &both.hours });
            prop_assert_eq!(&text, &plain.unwrap());
            prop_assert_eq!(&serde_json::from_str::<Both>(&text).unwrap(), &both);
        }

        #[test]
        fn any_numbers_are_a_value_or_an_error(numbers in proptest::collection::vec(any::<u32>(), 0..9)) {
            let bytes = to_bytes(&(&numbers, &numbers)).unwrap();
            let _ = from_bytes::<Both>(&bytes);
        }
    }

    #[test]
    fn two_weeks_of_hours_take_little() {
        let hour = |n: i16| Hour {
            regime: 1,
            levels: [60 + (n % 4) as u8, 61],
            minutes: [34, 26],
            bad: [0, 0],
            medians: [9000 + n % 30, 9050 + n % 40],
        };
        let both = Both { hours: (0..336).map(hour).collect(), ..Both::default() };
        let bytes = to_bytes(&both).unwrap().len();
        assert!(bytes <= 336 * 7, "{bytes}");
    }
}
