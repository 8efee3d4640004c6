//! Programs: what an orchestration does, as a value that a seed writes.

use std::time::Duration;

use durable::testing::sim::{Choices, Stream};
use serde::{Deserialize, Serialize};

/// The most nodes of a program.
const NODES_MAX: u32 = 12;
/// How deep nodes may be nested.
const DEPTH_MAX: u32 = 3;

/// What an orchestration does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Node {
    Activity(Activity),
    Child(Box<Node>),
    Timer(When),
    Event(u8),
    Add(u8),
    /// Locks these entities while it runs the node.
    Section(Vec<u8>, Box<Node>),
    Send(u8, u8),
    Signal(u8, Option<When>),
    /// Starts a detached orchestration.
    Start(u8, Box<Node>),
    Status,
    Fail,
    Seq(Vec<Node>),
    Join(Vec<Node>),
    /// Goes on after the first, and drops the others.
    Race(Vec<Node>),
    Timeout(When, Box<Node>),
    /// Waits for an event twice, races one wait with a timer, and drops it or awaits it.
    Held {
        name: u8,
        limit: When,
        meanwhile: Box<Node>,
        is_awaited: bool,
    },
}

/// A call of an activity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Activity {
    pub(crate) attempts: u32,
    pub(crate) first: When,
    pub(crate) timeout: Option<When>,
    pub(crate) attempt_timeout: Option<When>,
    /// What its attempts do is drawn from this.
    pub(crate) seed: u32,
}

/// A time from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum When {
    /// As long ago as can be said.
    Min,
    HourAgo,
    Now,
    Micro,
    Second,
    Minute,
    Hour,
    Year,
}

impl When {
    const ALL: [Self; 10] = [
        Self::Second,
        Self::Second,
        Self::Second,
        Self::Minute,
        Self::Hour,
        Self::Micro,
        Self::Now,
        Self::Year,
        Self::HourAgo,
        Self::Min,
    ];

    /// As a duration, which cannot be negative.
    pub(crate) fn duration(self) -> Duration {
        match self {
            Self::Min | Self::HourAgo | Self::Now => Duration::ZERO,
            Self::Micro => Duration::from_micros(1),
            Self::Second => Duration::from_secs(1),
            Self::Minute => Duration::from_mins(1),
            Self::Hour => Duration::from_hours(1),
            Self::Year => Duration::from_hours(24 * 365),
        }
    }
}

/// A whole orchestration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) body: Node,
    /// How many times it continues as new.
    pub(crate) generations: u32,
}

/// Draws programs. Which constructs a seed uses, and how much, is drawn first.
#[derive(Debug)]
pub(crate) struct Writer {
    weights: [u32; 16],
    left: u32,
    pub(crate) ids: u8,
}

impl Writer {
    pub(crate) fn new(choices: &mut Choices) -> Self {
        let usual = [20, 6, 10, 8, 6, 4, 4, 5, 3, 2, 2, 14, 6, 6, 5, 6];
        let has_all = choices.one_in(Stream::Swarm, 8);
        let weights = usual.map(|usual| match choices.below(Stream::Swarm, 4) {
            0 | 1 if !has_all => 0,
            2 if !has_all => usual * 10,
            _ => usual,
        });
        let ids = choices.one_of(Stream::Swarm, &[2, 3, 8, 40]);
        // Some faults need many due times, which programs of everything rarely have at once.
        if choices.one_in(Stream::Swarm, 4) {
            let weights = [10, 0, 20, 2, 0, 0, 0, 8, 2, 0, 0, 8, 10, 3, 6, 4];
            return Self { weights, left: 0, ids: 40 };
        }
        Self { weights, left: 0, ids }
    }

    pub(crate) fn program(&mut self, choices: &mut Choices) -> Program {
        self.left = 1 + choices.below(Stream::Program, NODES_MAX);
        let body = Node::Seq(self.several(choices, 0));
        let generations = choices.one_of(Stream::Program, &[0, 0, 0, 1, 3]);
        Program { body, generations }
    }

    fn several(&mut self, choices: &mut Choices, depth: u32) -> Vec<Node> {
        let count = 1 + choices.below(Stream::Program, 3);
        (0..count).map(|_| self.node(choices, depth + 1)).collect()
    }

    fn node(&mut self, choices: &mut Choices, depth: u32) -> Node {
        self.left = self.left.saturating_sub(1);
        let mut weights = self.weights;
        if self.left == 0 || depth >= DEPTH_MAX {
            for nested in [1, 5, 8, 11, 12, 13, 14, 15] {
                weights[nested] = 0;
            }
        }
        let all: u32 = weights.iter().sum();
        if all == 0 {
            return Node::Timer(self.when(choices));
        }
        let mut drawn = choices.below(Stream::Program, all);
        let index = weights.iter().position(|weight| {
            let is_it = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            is_it
        });
        let below = |choices: &mut Choices, end: u8| {
            u8::try_from(choices.below(Stream::Program, u32::from(end))).unwrap_or(0)
        };
        match index.unwrap_or(2) {
            0 => Node::Activity(self.activity(choices)),
            1 => Node::Child(Box::new(self.node(choices, depth + 1))),
            2 => Node::Timer(self.when(choices)),
            3 => Node::Event(below(choices, 2)),
            4 => Node::Add(below(choices, 3)),
            5 => {
                let count = 1 + below(choices, 3);
                let keys = (0..count).map(|_| below(choices, 3)).collect();
                // A section inside a section is refused, so what is inside does not lock.
                Node::Section(keys, Box::new(Node::Timer(self.when(choices))))
            }
            6 => Node::Send(below(choices, self.ids), below(choices, 2)),
            7 => {
                let at = choices.one_in(Stream::Program, 2).then(|| self.when(choices));
                Node::Signal(below(choices, 3), at)
            }
            8 => Node::Start(below(choices, self.ids), Box::new(self.node(choices, depth + 1))),
            9 => Node::Status,
            10 => Node::Fail,
            11 => Node::Seq(self.several(choices, depth)),
            12 => Node::Join(self.several(choices, depth)),
            13 => Node::Race(self.several(choices, depth)),
            14 => Node::Timeout(self.when(choices), Box::new(self.node(choices, depth + 1))),
            _ => Node::Held {
                name: below(choices, 2),
                limit: self.when(choices),
                meanwhile: Box::new(self.node(choices, depth + 1)),
                is_awaited: choices.one_in(Stream::Program, 2),
            },
        }
    }

    #[expect(clippy::unused_self, reason = "as the others")]
    fn when(&self, choices: &mut Choices) -> When {
        choices.one_of(Stream::Program, &When::ALL)
    }

    fn activity(&self, choices: &mut Choices) -> Activity {
        let limit =
            |choices: &mut Choices| choices.one_in(Stream::Program, 4).then(|| self.when(choices));
        Activity {
            attempts: choices.one_of(Stream::Program, &[1, 1, 2, 3, 5]),
            first: self.when(choices),
            timeout: limit(choices),
            attempt_timeout: limit(choices),
            seed: choices.below(Stream::Program, u32::MAX),
        }
    }
}
