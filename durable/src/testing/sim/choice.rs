//! The choices of a seed: independent streams of random numbers. The choices that matter are kept.
//!
//! Rules:
//! 1. Each kind of choice has a stream of its own, so that adding or removing a choice does not
//!    change the others.
//! 2. 0 is always the simplest choice: the actor that has waited longest, all mail, no fault.
//! 3. In the streams of a schedule, the choices that are not 0 are kept with their positions. They
//!    suffice to repeat the schedule, and a shrinker deletes them one by one.
//! 4. The generator is implemented here, because an update of a crate must never change its
//!    numbers.

use serde::{Deserialize, Serialize};

use crate::chance;

/// The subject of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The world as a whole: its sizes, and what may happen in it.
    Swarm,
    /// The orchestrations.
    Program,
    /// The operations of a client, by its number.
    Client(u8),
    /// Whose turn it is.
    Schedule,
    /// Which actor runs in the middle of a store call.
    Preempt,
    /// How much one turn takes.
    Amount,
    /// When time passes.
    Time,
    /// Faults of the disk.
    Disk,
    /// Crashes and other events of the world.
    World,
    /// Things that the hub may do at any time, but rarely does.
    Maybe,
}

/// The streams of a schedule, whose choices are kept.
const KEPT: [(Stream, &str); 7] = [
    (Stream::Schedule, "schedule"),
    (Stream::Preempt, "preempt"),
    (Stream::Amount, "amount"),
    (Stream::Time, "time"),
    (Stream::Disk, "disk"),
    (Stream::World, "world"),
    (Stream::Maybe, "maybe"),
];

/// The number of streams that exist once, unlike those of clients.
const SINGLE: usize = 2 + KEPT.len();

/// A choice that is not 0: the stream, the position in it, and the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deviation(pub String, pub u32, pub u32);

/// The choices of a seed, or those of a schedule that is repeated.
#[derive(Clone, Debug)]
pub struct Choices {
    seed: u64,
    is_repeated: bool,
    streams: Vec<Source>,
}

/// One stream.
#[derive(Clone, Debug)]
struct Source {
    generator: Generator,
    /// The number of choices so far.
    asked: u32,
    /// The choices that are not 0, in order.
    deviations: Vec<(u32, u32)>,
    /// While a schedule is repeated: the number of deviations that are already behind.
    passed: usize,
}

/// Random numbers: xoshiro256++ by Blackman and Vigna.
#[derive(Clone, Debug)]
pub struct Generator([u64; 4]);

impl Choices {
    /// The choices of this seed.
    pub fn new(seed: u64) -> Self {
        let streams = (0..SINGLE as u64).map(|number| Source::new(seed, number)).collect();
        Self { seed, is_repeated: false, streams }
    }

    /// The choices of a schedule: all are 0 except these.
    pub fn repeat(seed: u64, deviations: &[Deviation]) -> Self {
        let mut choices = Self { is_repeated: true, ..Self::new(seed) };
        for Deviation(stream, at, value) in deviations {
            if let Some(kept) = KEPT.iter().position(|(_, name)| name == stream) {
                choices.streams[2 + kept].deviations.push((*at, *value));
            }
        }
        for source in &mut choices.streams {
            source.deviations.sort_unstable();
        }
        choices
    }

    /// The seed, from which the ids of a simulation are derived, too.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The choices of a schedule that were not 0.
    pub fn deviations(&self) -> Vec<Deviation> {
        let kept = KEPT.iter().zip(&self.streams[2..]);
        kept.flat_map(|((_, name), source)| {
            let of = |(at, value): &(u32, u32)| Deviation((*name).to_owned(), *at, *value);
            source.deviations.iter().map(of)
        })
        .collect()
    }

    /// Makes a choice below `end`, which is at least 1. Unless a schedule is repeated, `draw` makes
    /// it.
    pub fn decide(
        &mut self,
        stream: Stream,
        end: u32,
        draw: impl FnOnce(&mut Generator) -> u32,
    ) -> u32 {
        let is_kept = !matches!(stream, Stream::Swarm | Stream::Program | Stream::Client(_));
        let is_repeated = self.is_repeated;
        let source = self.source(stream);
        source.asked += 1;
        if is_repeated {
            return source.next().min(end.saturating_sub(1));
        }
        let value = draw(&mut source.generator).min(end.saturating_sub(1));
        if is_kept && value != 0 {
            source.deviations.push((source.asked, value));
        }
        value
    }

    /// A number below `end`, which is at least 1.
    pub fn below(&mut self, stream: Stream, end: u32) -> u32 {
        self.decide(stream, end, |generator| generator.below(end))
    }

    /// True once in `count` times.
    pub fn one_in(&mut self, stream: Stream, count: u32) -> bool {
        self.decide(stream, 2, |generator| u32::from(generator.below(count) == 0)) == 1
    }

    /// One of several values, the first of which is the simplest.
    ///
    /// # Panics
    /// If there are no values.
    pub fn one_of<T: Copy>(&mut self, stream: Stream, all: &[T]) -> T {
        all[self.below(stream, u32::try_from(all.len()).unwrap_or(u32::MAX)) as usize]
    }

    fn source(&mut self, stream: Stream) -> &mut Source {
        let index = match stream {
            Stream::Swarm => 0,
            Stream::Program => 1,
            Stream::Schedule => 2,
            Stream::Preempt => 3,
            Stream::Amount => 4,
            Stream::Time => 5,
            Stream::Disk => 6,
            Stream::World => 7,
            Stream::Maybe => 8,
            Stream::Client(number) => SINGLE + usize::from(number),
        };
        while self.streams.len() <= index {
            let source = Source::new(self.seed, self.streams.len() as u64);
            self.streams.push(source);
        }
        &mut self.streams[index]
    }
}

impl Source {
    fn new(seed: u64, number: u64) -> Self {
        let generator = Generator::new(chance::number(seed, number + 1));
        Self { generator, asked: 0, deviations: Vec::new(), passed: 0 }
    }

    /// The next choice of a schedule that is repeated.
    fn next(&mut self) -> u32 {
        match self.deviations.get(self.passed) {
            Some((at, value)) if *at == self.asked => {
                self.passed += 1;
                *value
            }
            _ => 0,
        }
    }
}

impl Generator {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Self([1, 2, 3, 4].map(|part| chance::number(seed, part)))
    }

    /// A number below `end`, which is at least 1.
    pub fn below(&mut self, end: u32) -> u32 {
        let drawn = self.next() >> 32;
        u32::try_from((drawn * u64::from(end.max(1))) >> 32).unwrap_or(0)
    }

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
            more.below(Stream::Client(3), 9);
        }
        assert_eq!(some.below(Stream::Program, 1 << 31), more.below(Stream::Program, 1 << 31));
        let [some, more] = [&mut some, &mut more].map(|it| it.below(Stream::Client(1), 1 << 31));
        assert_eq!(some, more);
    }

    #[test]
    fn the_choices_that_are_not_0_repeat_a_schedule() {
        let draw = |choices: &mut Choices| {
            (0..200)
                .map(|_| {
                    let stream =
                        [Stream::Schedule, Stream::Time][choices.below(Stream::World, 2) as usize];
                    let is_maybe = choices.one_in(Stream::Maybe, 10);
                    (choices.below(stream, 5), is_maybe)
                })
                .collect::<Vec<_>>()
        };
        let mut choices = Choices::new(7);
        let drawn = draw(&mut choices);
        assert!(drawn.iter().any(|(_, is_maybe)| *is_maybe));
        let mut repeated = Choices::repeat(7, &choices.deviations());
        assert_eq!(draw(&mut repeated), drawn);
        let simplest = draw(&mut Choices::repeat(7, &[]));
        assert!(simplest.iter().all(|choice| *choice == (0, false)));
    }

    #[test]
    fn a_repeated_choice_is_never_out_of_range() {
        let deviation = Deviation("schedule".to_owned(), 1, 9);
        let mut choices = Choices::repeat(7, &[deviation]);
        assert_eq!(choices.below(Stream::Schedule, 3), 2);
    }

    #[test]
    fn the_generator_is_xoshiro256_plus_plus() {
        let mut generator = Generator([1, 2, 3, 4]);
        let drawn = [0; 3].map(|_: u32| generator.next());
        assert_eq!(drawn, [41_943_041, 58_720_359, 3_588_806_011_781_223]);
    }
}
