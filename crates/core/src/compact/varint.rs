//! Whole numbers that take as many bytes as they need.

/// Appends a number.
pub(crate) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes the number off that comes next.
pub(crate) fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7F) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// The first whole numbers that a float of 32 and of 64 bits cannot distinguish from the next: whole numbers
/// below them are exact.
pub(crate) const FLOAT_END: f64 = 16_777_216.0;
pub(crate) const DOUBLE_END: f64 = 9_007_199_254_740_992.0;

/// A number that is whole, from 0 to before `end`. The sign of zero is part of a number as well.
pub(crate) fn whole(number: f64, end: f64) -> Option<u64> {
    let is = number.fract() == 0.0 && number.is_sign_positive() && number < end;
    is.then_some(number as u64)
}

/// Small numbers of either sign are short.
pub(crate) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The reverse.
pub(crate) const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}
