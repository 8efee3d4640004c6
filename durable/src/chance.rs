//! Random numbers derived from a seed, so that a replay draws the same numbers.

/// The `count`-th number of the stream of this seed (`SplitMix64`, Steele et al., OOPSLA 2014).
pub(crate) fn number(seed: u64, count: u64) -> u64 {
    let mut z = seed.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number from 0 (included) to 1 (excluded).
#[expect(clippy::cast_precision_loss, reason = "the 53 bits that are left are what an f64 holds")]
pub(crate) fn fraction(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}
