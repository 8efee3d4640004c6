//! The focus of a seed.
//!
//! Some faults need many operations of one kind on the same few instances. A seed that draws from
//! all operations rarely has them, so half of the seeds prefer certain constructs and operations.

use durable::testing::sim::{Choices, Stream};

/// The focus of a seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Focus {
    #[default]
    Anything,
    /// Many timers that are due at once.
    Timers,
    /// Long queues of a few entities, and their locks.
    Entities,
    /// Instances that fail and are rewound, with their sub-orchestrations.
    Rewinds,
    /// Instances that are suspended and resumed while they wait for something.
    Suspensions,
    /// Sub-orchestrations with ids that other instances use, too.
    Trees,
    /// External events, and waits that are dropped.
    Events,
    /// Activities that fail, are slow, and are abandoned.
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

    /// The number of ids. It is small, so that many operations affect the same instance.
    pub(crate) fn ids(self, choices: &mut Choices) -> u8 {
        match self {
            Self::Anything => choices.one_of(Stream::Swarm, &[2, 3, 8, 40]),
            Self::Timers => 40,
            _ => choices.one_of(Stream::Swarm, &[1, 2, 3, 3, 8]),
        }
    }

    /// The number of entities.
    pub(crate) fn keys(self, choices: &mut Choices) -> u8 {
        match self {
            Self::Entities => choices.one_of(Stream::Swarm, &[1, 2, 3]),
            _ => 3,
        }
    }
}
