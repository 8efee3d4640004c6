//! The stable driver of the fuzz targets: it runs a target on mutations of its committed seeds.
//!
//! The mutations depend on the iteration only, so a failure repeats. `DURABLE_LONG=1` runs a hundred
//! times as many. A failure prints the input: save it in `fuzz/seeds/TARGET/` to keep it.

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::{env, fs};

/// The number of mutations of each seed.
const ROUNDS: u64 = 300;
/// Inputs do not grow beyond this, in bytes.
const LEN_MAX: usize = 1 << 16;
/// Bytes and numbers at which readers tend to fail.
const EDGES: [u64; 10] =
    [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];

/// Runs `target` on the seeds in `fuzz/seeds/NAME` below `repository`, and on mutations of them.
pub(crate) fn run(repository: &Path, name: &str, target: impl Fn(&[u8])) {
    let folder = repository.join("fuzz/seeds").join(name);
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()).collect();
    paths.sort();
    let seeds: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(!seeds.is_empty(), "there are no seeds in {}", folder.display());
    let is_long = env::var_os("DURABLE_LONG").is_some_and(|long| long == "1");
    let rounds = if is_long { 100 * ROUNDS } else { ROUNDS };
    for (number, seed) in (0_u64..).zip(&seeds) {
        try_one(name, seed, &target);
        let mut random = Random(number);
        let mut input = seed.clone();
        for round in 0..rounds {
            // Mutations add up for a while, so that inputs also get far away from their seed.
            if round % 8 == 0 {
                input.clone_from(seed);
            }
            mutate(&mut input, &seeds, &mut random);
            input.truncate(LEN_MAX);
            try_one(name, &input, &target);
        }
    }
}

fn try_one(name: &str, input: &[u8], target: &impl Fn(&[u8])) {
    if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(|| target(input))) {
        eprintln!("the target `{name}` panics on b\"{}\"", input.escape_ascii());
        panic::resume_unwind(panic);
    }
}

fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let len = random.below(input.len() - at + 1).min(64);
    match random.below(9) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = u8::try_from(random.below(256)).unwrap_or_default();
            }
        }
        2 => {
            let bytes = EDGES[random.below(EDGES.len())].to_be_bytes();
            let width = [1, 2, 4, 8][random.below(4)].min(input.len() - at);
            input[at..at + width].copy_from_slice(&bytes[8 - width..]);
        }
        3 => drop(input.drain(at..at + len)),
        4 => {
            let copy = input[at..at + len].to_vec();
            let to = random.below(input.len() + 1);
            drop(input.splice(to..to, copy));
        }
        5 => input.truncate(at),
        6 => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len() + 1);
            let until = (from + 64).min(other.len());
            drop(input.splice(at..at + len, other[from..until].iter().copied()));
        }
        7 => {
            let count = 1 << random.below(9);
            let byte = b"[{(\"'\\ 0-,\xff"[random.below(11)];
            drop(input.splice(at..at, std::iter::repeat_n(byte, count)));
        }
        _ => {
            let other = random.below(input.len().max(1));
            if at < input.len() {
                input.swap(at, other);
            }
        }
    }
}

/// A sequence of numbers that its seed determines (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 1).unwrap_or_default() % limit.max(1)
    }
}
