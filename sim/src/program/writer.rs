//! Draws programs. The constructs that a seed uses, and their weights, are drawn first.

use durable::testing::sim::{Choices, Stream};

use super::{
    Activity, Causes, Child, Fate, Focus, Guard, Node, Op, OpKind, Ordered, Program, When,
};

/// The maximum number of nodes in a program.
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
    Try,
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

const KINDS: usize = 27;

/// Each kind with its usual weight, and whether it contains other nodes.
const TABLE: [(Kind, u32, bool); KINDS] = [
    (Kind::Activity, 20, false),
    (Kind::Child, 8, true),
    (Kind::Timer, 10, false),
    (Kind::Event, 8, false),
    (Kind::Call, 7, false),
    (Kind::Section, 4, true),
    (Kind::Send, 4, false),
    (Kind::Signal, 5, false),
    (Kind::Start, 3, true),
    (Kind::Status, 2, false),
    (Kind::Fail, 3, false),
    (Kind::Seq, 10, true),
    (Kind::Try, 6, true),
    (Kind::Join, 6, true),
    (Kind::Race, 6, true),
    (Kind::Timeout, 5, true),
    (Kind::Held, 5, true),
    (Kind::Ordered, 3, false),
    (Kind::Guid, 2, false),
    (Kind::Patched, 2, false),
    (Kind::Panic, 1, false),
    (Kind::Guard, 3, true),
    (Kind::AtMost, 3, true),
    (Kind::TryJoin, 3, true),
    (Kind::Completed, 3, true),
    (Kind::Kept, 4, true),
    (Kind::Changed, 2, true),
];

/// The kinds that a seed with the focus on trees of instances prefers.
const TREES: &[(Kind, u32)] = &[
    (Kind::Child, 50),
    (Kind::Start, 10),
    (Kind::Timer, 10),
    (Kind::Event, 4),
    (Kind::Race, 8),
    (Kind::Timeout, 8),
    (Kind::Kept, 4),
    (Kind::Try, 10),
    (Kind::Join, 8),
];

/// The kinds that a seed with the focus on events prefers.
const EVENTS: &[(Kind, u32)] = &[
    (Kind::Event, 30),
    (Kind::Ordered, 20),
    (Kind::Held, 15),
    (Kind::Send, 10),
    (Kind::Timer, 6),
    (Kind::Race, 8),
    (Kind::Join, 10),
    (Kind::Kept, 8),
    (Kind::Seq, 10),
];

/// The kinds that a seed with the focus on suspensions prefers.
const SUSPENSIONS: &[(Kind, u32)] = &[
    (Kind::Activity, 40),
    (Kind::Event, 20),
    (Kind::Child, 15),
    (Kind::Timer, 10),
    (Kind::Seq, 20),
    (Kind::Join, 10),
    (Kind::Race, 6),
    (Kind::Patched, 6),
    (Kind::Changed, 6),
];

/// The kinds that a seed with a focus prefers, with their weights. The other kinds are rare.
fn preferred(focus: Focus) -> &'static [(Kind, u32)] {
    use Kind::{
        Activity, AtMost, Call, Child, Completed, Event, Fail, Guard, Held, Join, Race, Section,
        Seq, Signal, Start, Timeout, Timer, Try, TryJoin,
    };
    match focus {
        Focus::Anything => &[],
        Focus::Timers => &[
            (Activity, 10),
            (Timer, 20),
            (Event, 2),
            (Signal, 8),
            (Start, 2),
            (Seq, 8),
            (Join, 10),
            (Race, 3),
            (Timeout, 6),
            (Held, 4),
        ],
        Focus::Entities => &[(Call, 30), (Signal, 40), (Section, 20), (Seq, 20), (Join, 10)],
        Focus::Rewinds => &[
            (Activity, 20),
            (Child, 30),
            (Fail, 6),
            (Try, 30),
            (TryJoin, 15),
            (Timeout, 8),
            (Timer, 6),
            (Start, 2),
        ],
        Focus::Suspensions => SUSPENSIONS,
        Focus::Trees => TREES,
        Focus::Events => EVENTS,
        Focus::Activities => &[
            (Activity, 60),
            (Timeout, 10),
            (Race, 10),
            (AtMost, 8),
            (Join, 10),
            (Completed, 4),
            (Guard, 4),
            (Seq, 20),
        ],
        Focus::Schedules => &[(Timer, 10), (Activity, 10)],
    }
}

/// Draws programs.
#[derive(Debug)]
pub(crate) struct Writer {
    weights: [u32; KINDS],
    left: u32,
    /// Whether the program already contains a panic. A destructor that panics while another panic
    /// unwinds aborts the process, so a program panics only once.
    has_panic: bool,
    /// Whether the code may change without a patch. Such a change suspends instances.
    pub(crate) breaks_code: bool,
    pub(crate) ids: u8,
    /// The number of entities.
    pub(crate) keys: u8,
    pub(crate) focus: Focus,
}

impl Writer {
    pub(crate) fn new(choices: &mut Choices) -> Self {
        let focus = Focus::draw(choices);
        let has_all = choices.one_in(Stream::Swarm, 8);
        let weights = TABLE.map(|(kind, usual, _)| {
            let preferred = preferred(focus).iter().find(|(of, _)| *of == kind);
            match choices.below(Stream::Swarm, 4) {
                _ if let Some((_, weight)) = preferred => weight * 10,
                0 | 1 if !has_all => 0,
                2 if !has_all && focus == Focus::Anything => usual * 10,
                _ => usual,
            }
        });
        let (ids, keys) = (focus.ids(choices), focus.keys(choices));
        let breaks_code = choices.one_in(Stream::Swarm, 8);
        Self { weights, left: 0, has_panic: false, breaks_code, ids, keys, focus }
    }

    pub(crate) fn program(&mut self, choices: &mut Choices) -> Program {
        self.left = 1 + choices.below(Stream::Program, NODES_MAX);
        self.has_panic = false;
        let fails = self.focus == Focus::Rewinds || choices.one_in(Stream::Program, 3);
        let nodes = self.several(choices, 0);
        let body = if fails { Node::Try(nodes) } else { Node::Seq(nodes) };
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
            let (_, _, is_nested) = TABLE[index];
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
                let keys = (0..=below(choices, 3)).map(|_| below(choices, self.keys)).collect();
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
            Kind::Try => Node::Try(self.several(choices, depth)),
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
        let (key, other) = (below(choices, self.keys), below(choices, self.keys));
        let kind = match below(choices, 25) {
            0..11 => OpKind::Add,
            11..14 => OpKind::Get,
            14..16 => OpKind::Fail,
            16 => OpKind::Panic,
            17 => OpKind::Spoil,
            18 | 19 => OpKind::PassOn(other),
            20 => OpKind::PassOnLater(other),
            21 => OpKind::Begin(below(choices, self.ids)),
            22 => OpKind::PassOnAndFail(other),
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
        is_limited: choices.one_in(Stream::Program, 8),
        timeout: limit(choices),
        attempt_timeout: limit(choices),
        seed: choices.below(Stream::Program, u32::MAX),
    }
}
