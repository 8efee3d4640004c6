//! Draws programs. Which constructs a seed uses, and how much, is drawn first.

use durable::testing::sim::{Choices, Stream};

use super::{Activity, Causes, Child, Fate, Guard, Node, Op, OpKind, Ordered, Program, When};

/// The most nodes of a program.
const NODES_MAX: u32 = 16;
/// How deep nodes may be nested.
const DEPTH_MAX: u32 = 4;

/// A kind of node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Activity,
    Child,
    Timer,
    Event,
    Call,
    Section,
    Send,
    Signal,
    Start,
    Status,
    Fail,
    Seq,
    Join,
    Race,
    Timeout,
    Held,
    Ordered,
    Guid,
    Patched,
    Panic,
    Guard,
    AtMost,
    TryJoin,
    Completed,
    Kept,
    Changed,
}

const KINDS: usize = 26;

/// Each kind with its usual weight, its weight in a seed of many timers, and whether it contains
/// other nodes.
const TABLE: [(Kind, u32, u32, bool); KINDS] = [
    (Kind::Activity, 20, 10, false),
    (Kind::Child, 8, 0, true),
    (Kind::Timer, 10, 20, false),
    (Kind::Event, 8, 2, false),
    (Kind::Call, 7, 0, false),
    (Kind::Section, 4, 0, true),
    (Kind::Send, 4, 0, false),
    (Kind::Signal, 5, 8, false),
    (Kind::Start, 3, 2, true),
    (Kind::Status, 2, 0, false),
    (Kind::Fail, 3, 0, false),
    (Kind::Seq, 14, 8, true),
    (Kind::Join, 6, 10, true),
    (Kind::Race, 6, 3, true),
    (Kind::Timeout, 5, 6, true),
    (Kind::Held, 5, 4, true),
    (Kind::Ordered, 3, 0, false),
    (Kind::Guid, 2, 0, false),
    (Kind::Patched, 2, 0, false),
    (Kind::Panic, 1, 0, false),
    (Kind::Guard, 3, 0, true),
    (Kind::AtMost, 3, 0, true),
    (Kind::TryJoin, 3, 0, true),
    (Kind::Completed, 3, 0, true),
    (Kind::Kept, 4, 0, true),
    (Kind::Changed, 2, 0, true),
];

/// Draws programs.
#[derive(Debug)]
pub(crate) struct Writer {
    weights: [u32; KINDS],
    left: u32,
    /// Whether the program panics somewhere already. A destructor that panics while another panic
    /// unwinds ends the process, so a program does it once.
    has_panic: bool,
    /// Whether code may change without a patch, which suspends instances.
    pub(crate) breaks_code: bool,
    pub(crate) ids: u8,
}

impl Writer {
    pub(crate) fn new(choices: &mut Choices) -> Self {
        let has_all = choices.one_in(Stream::Swarm, 8);
        let weights = TABLE.map(|(_, usual, ..)| match choices.below(Stream::Swarm, 4) {
            0 | 1 if !has_all => 0,
            2 if !has_all => usual * 10,
            _ => usual,
        });
        let ids = choices.one_of(Stream::Swarm, &[2, 3, 8, 40]);
        let breaks_code = choices.one_in(Stream::Swarm, 8);
        let writer = Self { weights, left: 0, has_panic: false, breaks_code, ids };
        // Some faults need many due times, which programs of everything rarely have at once.
        if choices.one_in(Stream::Swarm, 4) {
            return Self { weights: TABLE.map(|(_, _, timers, _)| timers), ids: 40, ..writer };
        }
        writer
    }

    pub(crate) fn program(&mut self, choices: &mut Choices) -> Program {
        self.left = 1 + choices.below(Stream::Program, NODES_MAX);
        self.has_panic = false;
        let body = Node::Seq(self.several(choices, 0));
        let generations = choices.one_of(Stream::Program, &[0, 0, 0, 1, 3]);
        let discards = choices.one_in(Stream::Program, 4);
        let is_unreadable = choices.one_in(Stream::Program, 16);
        let is_bombed = choices.one_in(Stream::Program, 16);
        Program { body, generations, discards, is_unreadable, is_bombed }
    }

    fn several(&mut self, choices: &mut Choices, depth: u32) -> Vec<Node> {
        let count = 1 + choices.below(Stream::Program, 3);
        (0..count).map(|_| self.node(choices, depth + 1)).collect()
    }

    fn boxed(&mut self, choices: &mut Choices, depth: u32) -> Box<Node> {
        Box::new(self.node(choices, depth + 1))
    }

    fn kind(&self, choices: &mut Choices, depth: u32) -> Kind {
        let is_leaf = self.left == 0 || depth >= DEPTH_MAX;
        let weight = |index: usize| {
            let (_, _, _, is_nested) = TABLE[index];
            if is_leaf && is_nested { 0 } else { self.weights[index] }
        };
        let all: u32 = (0..KINDS).map(weight).sum();
        let mut drawn = choices.below(Stream::Program, all.max(1));
        let index = (0..KINDS).find(|index| {
            let weight = weight(*index);
            let is_it = drawn < weight;
            drawn = drawn.saturating_sub(weight);
            is_it
        });
        index.map_or(Kind::Timer, |index| TABLE[index].0)
    }

    fn node(&mut self, choices: &mut Choices, depth: u32) -> Node {
        self.left = self.left.saturating_sub(1);
        match self.kind(choices, depth) {
            Kind::Activity => Node::Activity(activity(choices)),
            Kind::Child => Node::Child(self.child(choices, depth)),
            Kind::Timer => Node::Timer(when(choices)),
            Kind::Event => Node::Event(below(choices, 2)),
            Kind::Call => Node::Call(self.op(choices)),
            Kind::Section => {
                let keys = (0..=below(choices, 3)).map(|_| below(choices, 3)).collect();
                Node::Section(keys, self.boxed(choices, depth))
            }
            Kind::Send => Node::Send(below(choices, self.ids), below(choices, 2)),
            Kind::Signal => {
                let at = choices.one_in(Stream::Program, 2).then(|| when(choices));
                Node::Signal(self.op(choices), at)
            }
            Kind::Start => {
                let at = choices.one_in(Stream::Program, 3).then(|| when(choices));
                Node::Start(below(choices, self.ids), at, self.boxed(choices, depth))
            }
            Kind::Status => {
                let status = below(choices, 3);
                Node::Status((status > 0).then_some(status))
            }
            Kind::Fail => Node::Fail(causes(choices)),
            Kind::Guid => Node::Guid,
            Kind::Patched => Node::Patched(below(choices, 3)),
            Kind::Panic if self.has_panic => Node::Fail(Causes::None),
            Kind::Panic => {
                self.has_panic = true;
                Node::Panic
            }
            Kind::Guard => self.guard(choices, depth),
            Kind::Ordered => Node::Ordered(ordered(choices)),
            Kind::Seq => Node::Seq(self.several(choices, depth)),
            Kind::Join => Node::Join(self.several(choices, depth)),
            Kind::AtMost => Node::AtMost(below(choices, 3), self.several(choices, depth)),
            Kind::TryJoin => Node::TryJoin(self.several(choices, depth)),
            Kind::Race => Node::Race(self.several(choices, depth)),
            Kind::Completed => {
                Node::Completed(self.several(choices, depth), self.boxed(choices, depth))
            }
            Kind::Timeout => Node::Timeout(when(choices), self.boxed(choices, depth)),
            Kind::Held => Node::Held {
                name: below(choices, 2),
                limit: when(choices),
                meanwhile: self.boxed(choices, depth),
                is_awaited: choices.one_in(Stream::Program, 2),
            },
            Kind::Kept => {
                let kept = self.several(choices, depth).into_iter();
                let kept = kept.map(|node| (node, fate(choices))).collect();
                Node::Kept { kept, meanwhile: self.boxed(choices, depth) }
            }
            Kind::Changed => Node::Changed {
                deployment: 1 + below(choices, 2),
                before: self.boxed(choices, depth),
                after: self.boxed(choices, depth),
                has_patch: !self.breaks_code || choices.one_in(Stream::Program, 2),
            },
        }
    }

    fn guard(&mut self, choices: &mut Choices, depth: u32) -> Node {
        let panics = !self.has_panic && choices.one_in(Stream::Program, 2);
        self.has_panic |= panics;
        let guard = if panics {
            Guard::Panics
        } else {
            Guard::Sends(below(choices, self.ids), below(choices, 2))
        };
        Node::Guard(guard, self.boxed(choices, depth))
    }

    fn child(&mut self, choices: &mut Choices, depth: u32) -> Child {
        Child {
            body: self.boxed(choices, depth),
            id: choices.one_in(Stream::Program, 3).then(|| below(choices, self.ids)),
            attempts: choices.one_of(Stream::Program, &[1, 1, 1, 2, 3]),
            timeout: choices.one_in(Stream::Program, 4).then(|| when(choices)),
            start_at: choices.one_in(Stream::Program, 6).then(|| when(choices)),
            is_unreadable: choices.one_in(Stream::Program, 16),
        }
    }

    pub(crate) fn op(&mut self, choices: &mut Choices) -> Op {
        let key = below(choices, 3);
        let other = below(choices, 3);
        let kind = match below(choices, 24) {
            0..11 => OpKind::Add,
            11..14 => OpKind::Get,
            14..16 => OpKind::Fail,
            16 => OpKind::Panic,
            17 => OpKind::Spoil,
            18 | 19 => OpKind::PassOn(other),
            20 => OpKind::PassOnLater(other),
            21 => OpKind::Begin(below(choices, self.ids)),
            _ => OpKind::Delete,
        };
        Op { key, kind }
    }
}

fn below(choices: &mut Choices, end: u8) -> u8 {
    u8::try_from(choices.below(Stream::Program, u32::from(end))).unwrap_or(0)
}

fn when(choices: &mut Choices) -> When {
    choices.one_of(Stream::Program, &When::ALL)
}

fn causes(choices: &mut Choices) -> Causes {
    choices.one_of(Stream::Program, &[Causes::None, Causes::None, Causes::Two, Causes::Many])
}

fn fate(choices: &mut Choices) -> Fate {
    match below(choices, 3) {
        0 => Fate::Dropped,
        1 => Fate::Awaited,
        _ => Fate::Limited(when(choices)),
    }
}

fn ordered(choices: &mut Choices) -> Ordered {
    let count = 2 + below(choices, 3);
    Ordered {
        name: below(choices, 2),
        dropped: (0..count).map(|_| choices.one_in(Stream::Program, 3)).collect(),
        after: when(choices),
        limit: when(choices),
    }
}

fn activity(choices: &mut Choices) -> Activity {
    let limit = |choices: &mut Choices| choices.one_in(Stream::Program, 4).then(|| when(choices));
    Activity {
        attempts: choices.one_of(Stream::Program, &[1, 1, 2, 3, 5]),
        first: when(choices),
        doubles: choices.one_in(Stream::Program, 3),
        retry_timeout: choices.one_in(Stream::Program, 8).then(|| when(choices)),
        is_picky: choices.one_in(Stream::Program, 8),
        timeout: limit(choices),
        attempt_timeout: limit(choices),
        seed: choices.below(Stream::Program, u32::MAX),
    }
}
