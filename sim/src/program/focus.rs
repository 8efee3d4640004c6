//! What a seed is about.
//!
//! Some faults need many operations of one kind on the same few instances, which a seed of
//! everything rarely has. So half of the seeds prefer some constructs and operations.

use durable::testing::sim::{Choices, Stream};

/// What a seed is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Focus {
    #[default]
    Anything,
    /// Many due times at once.
    Timers,
    /// Long queues of few entities, and their locks.
    Entities,
    /// Instances that fail and are rewound, with their sub-orchestrations.
    Rewinds,
    /// Instances that are suspended and resumed while something is under way.
    Suspensions,
    /// Sub-orchestrations with ids that others use, too.
    Trees,
    /// External events, and waits that are given up.
    Events,
    /// Activities that fail, are slow, and are given up.
    Activities,
    Schedules,
}

impl Focus {
    pub(crate) fn draw(choices: &mut Choices) -> Self {
        use Focus::{
            Activities, Anything, Entities, Events, Rewinds, Schedules, Suspensions, Timers, Trees,
        };
        if choices.one_in(Stream::Swarm, 2) {
            return Anything;
        }
        let all = [
            Timers,
            Entities,
            Entities,
            Rewinds,
            Rewinds,
            Suspensions,
            Suspensions,
            Trees,
            Trees,
            Events,
            Events,
            Activities,
            Schedules,
        ];
        choices.one_of(Stream::Swarm, &all)
    }

    /// How many ids there are: few, so that what happens to one instance is dense.
    pub(crate) fn ids(self, choices: &mut Choices) -> u8 {
        match self {
            Self::Anything => choices.one_of(Stream::Swarm, &[2, 3, 8, 40]),
            Self::Timers => 40,
            _ => choices.one_of(Stream::Swarm, &[1, 2, 3, 3, 8]),
        }
    }

    /// How many entities there are.
    pub(crate) fn keys(self, choices: &mut Choices) -> u8 {
        match self {
            Self::Entities => choices.one_of(Stream::Swarm, &[1, 2, 3]),
            _ => 3,
        }
    }
}
