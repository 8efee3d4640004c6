//! Reproducible random numbers, and the seeds that are tried.

use std::env;
use std::ops::Range;

use crate::seed::{Random, is_long};

/// How many seeds a plain `cargo test` tries.
const SEEDS: u64 = 40;
/// How many with `DURABLE_LONG=1`.
const SEEDS_LONG: u64 = 2000;

/// A sequence of numbers that its seed determines.
#[derive(Clone)]
pub(crate) struct Chance(Random);

impl Chance {
    /// Independent sequences for each purpose, so that a change of one leaves the others alone.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        let mut state = seed.wrapping_mul(0xff51_afd7_ed55_8ccd);
        for byte in purpose.bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Self(Random::new(state))
    }

    /// A number below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0.below(limit)
    }

    /// A number from one to another, both included.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// True once in this many times.
    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("it is below a `usize`")
    }
}

/// The seeds of this run: `DURABLE_SEED=n` is one, `DURABLE_SEEDS=a..b` a range.
pub(crate) fn seeds() -> Range<u64> {
    let number = |text: &str| text.parse::<u64>().expect("a seed is a number");
    if let Ok(seed) = env::var("DURABLE_SEED") {
        let seed = number(&seed);
        return seed..seed + 1;
    }
    if let Ok(seeds) = env::var("DURABLE_SEEDS") {
        let (from, to) = seeds.split_once("..").expect("DURABLE_SEEDS is as `0..100`");
        return number(from)..number(to);
    }
    0..if is_long() { SEEDS_LONG } else { SEEDS }
}
