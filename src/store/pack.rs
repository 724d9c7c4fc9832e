//! An hour as bytes: a version, which numbers there are, and those. There are millions of them.
//!
//! A later version appends numbers, so that each reads the other's as far as it knows them.

use chrono::DateTime;

use crate::model::history::Hour;

/// The version of the form.
const VERSION: u8 = 1;
/// Version, three counts, and the set of the numbers that there are.
const HEAD: usize = 1 + 3 * 2 + 4;

/// The numbers of an hour that may be absent, in the order of the file. New ones go to the end.
fn numbers(hour: &mut Hour) -> [&mut Option<f64>; 16] {
    [
        &mut hour.invocations,
        &mut hour.load_mean,
        &mut hour.load_max,
        &mut hour.latency_mean_ms,
        &mut hour.latency_max_ms,
        &mut hour.instances_low,
        &mut hour.instances_high,
        &mut hour.min_instances,
        &mut hour.max_instances,
        &mut hour.capacity_low,
        &mut hour.capacity,
        &mut hour.capacity_high,
        &mut hour.capacity_lower_bound,
        &mut hour.configured_target,
        &mut hour.safe_target,
        &mut hour.formula_target,
    ]
}

/// The hour of a start, as it is counted in the file.
pub(super) fn index(at: crate::model::time::Timestamp) -> u32 {
    u32::try_from(at.timestamp().div_euclid(3600)).unwrap_or(0)
}

/// The start of the hour of this number.
pub(super) fn start(index: u32) -> crate::model::time::Timestamp {
    DateTime::from_timestamp(i64::from(index) * 3600, 0).unwrap_or_default()
}

/// An hour as bytes. Numbers lose what lies beyond seven digits.
pub(super) fn pack(hour: &Hour) -> Vec<u8> {
    let mut copy = *hour;
    let mut bytes = vec![VERSION];
    for count in [hour.minutes, hour.judged_minutes, hour.bad_minutes] {
        bytes.extend(count.to_le_bytes());
    }
    let mut present = 0_u32;
    let mut rest = Vec::new();
    for (bit, number) in numbers(&mut copy).into_iter().enumerate() {
        if let Some(number) = number {
            present |= 1 << bit;
            rest.extend((*number as f32).to_le_bytes());
        }
    }
    bytes.extend(present.to_le_bytes());
    bytes.extend(rest);
    bytes
}

/// The hour of these bytes; none when they are none of an hour.
pub(super) fn unpack(index: u32, bytes: &[u8]) -> Option<Hour> {
    let (head, mut rest) = bytes.split_at_checked(HEAD)?;
    let count = |at: usize| Some(u16::from_le_bytes(head.get(at..at + 2)?.try_into().ok()?));
    let present = u32::from_le_bytes(head.get(7..HEAD)?.try_into().ok()?);
    let mut hour = Hour::empty(start(index));
    (hour.minutes, hour.judged_minutes, hour.bad_minutes) = (count(1)?, count(3)?, count(5)?);
    for (bit, number) in numbers(&mut hour).into_iter().enumerate() {
        if present & (1 << bit) != 0 {
            let (four, more) = rest.split_at_checked(4)?;
            rest = more;
            let value = f64::from(f32::from_le_bytes(four.try_into().ok()?));
            *number = value.is_finite().then_some(value);
        }
    }
    Some(hour)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_reads_back_and_what_is_cut_off_does_not() {
        let at = start(500_000);
        assert_eq!(index(at), 500_000);
        let mut hour = Hour { minutes: 60, judged_minutes: 59, bad_minutes: 7, ..Hour::empty(at) };
        for (n, number) in numbers(&mut hour).into_iter().enumerate() {
            *number = (n % 3 != 1).then_some(n as f64 * 100.25);
        }
        let bytes = pack(&hour);
        assert_eq!(unpack(500_000, &bytes), Some(hour));
        for end in 0..bytes.len() {
            assert_eq!(unpack(500_000, &bytes[..end]), None, "{end}");
        }
        let empty = Hour::empty(at);
        assert_eq!(unpack(500_000, &pack(&empty)), Some(empty));
        // What a later version has appended is passed over.
        let later = [pack(&hour), vec![1, 2, 3, 4]].concat();
        assert_eq!(unpack(500_000, &later), Some(hour));
    }
}
