//! The choices of a seed: independent streams of random numbers.
//!
//! Each kind of choice has a stream of its own, so that one that is added or left out changes no
//! other. The generator is written here, because its numbers must never change with a crate.

use crate::chance;

/// What a choice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The world as a whole: its sizes, what may happen in it.
    Swarm,
    /// The orchestrations.
    Program,
    /// The operations of clients.
    Client,
    /// Whose turn it is.
    Schedule,
    /// How much one turn takes.
    Amount,
    /// When time passes.
    Time,
    /// Crashes and other faults.
    World,
}

/// The number of streams.
const STREAMS: usize = 7;

/// The choices of a seed.
#[derive(Clone, Debug)]
pub struct Choices {
    streams: [Xoshiro; STREAMS],
}

/// xoshiro256++ by Blackman and Vigna.
#[derive(Clone, Debug)]
struct Xoshiro([u64; 4]);

impl Choices {
    /// The choices of this seed.
    pub fn new(seed: u64) -> Self {
        let stream = |number: u64| {
            let seed = chance::number(seed, number + 1);
            Xoshiro([1, 2, 3, 4].map(|part| chance::number(seed, part)))
        };
        Self { streams: std::array::from_fn(|index| stream(index as u64)) }
    }

    /// A number below `end`, which is at least 1.
    pub fn below(&mut self, stream: Stream, end: u32) -> u32 {
        let drawn = self.streams[stream as usize].next() >> 32;
        u32::try_from((drawn * u64::from(end.max(1))) >> 32).unwrap_or(0)
    }

    /// True once in `count` times.
    pub fn one_in(&mut self, stream: Stream, count: u32) -> bool {
        self.below(stream, count) == 0
    }

    /// One of several.
    ///
    /// # Panics
    /// If there are none.
    pub fn one_of<T: Copy>(&mut self, stream: Stream, all: &[T]) -> T {
        all[self.below(stream, u32::try_from(all.len()).unwrap_or(u32::MAX)) as usize]
    }
}

impl Xoshiro {
    fn next(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_makes_the_same_choices() {
        let drawn = |seed| {
            let mut choices = Choices::new(seed);
            [0; 4].map(|_: u32| choices.below(Stream::Schedule, 1000))
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }

    #[test]
    fn streams_do_not_influence_each_other() {
        let (mut some, mut more) = (Choices::new(7), Choices::new(7));
        for _ in 0..10 {
            more.below(Stream::Time, 9);
        }
        assert_eq!(some.below(Stream::Program, 1 << 31), more.below(Stream::Program, 1 << 31));
    }

    #[test]
    fn the_generator_is_xoshiro256_plus_plus() {
        let mut generator = Xoshiro([1, 2, 3, 4]);
        let drawn = [0; 3].map(|_: u32| generator.next());
        assert_eq!(drawn, [41_943_041, 58_720_359, 3_588_806_011_781_223]);
    }
}
