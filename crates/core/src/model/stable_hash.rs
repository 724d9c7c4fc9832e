//! A hash that stays the same across releases, which the standard library's does not promise.

/// FNV-1a, 64 bits: short, stable, good enough to tell names apart.
pub fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
