//! Random numbers from a seed.
//!
//! A test prints its seed, so that a failure shows it; `DURABLE_SEED` repeats the run.
//! `DURABLE_LONG=1` makes the tests that sample many cases try all of them.

use std::env;
use std::hash::{BuildHasher, RandomState};

/// A sequence of numbers that its seed determines (splitmix64).
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// The seed of this run, which is printed.
pub(crate) fn seed() -> u64 {
    let given = env::var("DURABLE_SEED").ok().map(|seed| seed.parse().expect("it is a number"));
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0) >> 32);
    println!("DURABLE_SEED={seed} repeats this");
    seed
}

/// Whether the long versions of the tests are requested.
pub(crate) fn is_long() -> bool {
    env::var_os("DURABLE_LONG").is_some_and(|long| long == "1")
}
