//! Programs: the behavior of an orchestration, as a value that a seed generates.
//!
//! Read next: `writer.rs` (how a seed generates a program), `../interpret/` (what each construct
//! does).

mod focus;
mod writer;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use self::focus::Focus;
pub(crate) use self::writer::Writer;

/// What an orchestration does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Node {
    Activity(Activity),
    Child(Child),
    Timer(When),
    Event(u8),
    /// Creates several waits for one event, drops some, and awaits the others one after another.
    Ordered(Ordered),
    Call(Op),
    /// Locks these entities while it runs the node.
    Section(Vec<u8>, Box<Node>),
    Send(u8, u8),
    Signal(Op, Option<When>),
    /// Starts a detached orchestration.
    Start(u8, Option<When>, Box<Node>),
    /// Sets the custom status, or clears it.
    Status(Option<u8>),
    Guid,
    /// A condition on a patch that the program has contained from the beginning.
    Patched(u8),
    Fail(Causes),
    Panic,
    /// Runs the node while a value with a destructor is alive.
    Guard(Guard, Box<Node>),
    Seq(Vec<Node>),
    /// Like a sequence, but ends with the first failure.
    Try(Vec<Node>),
    Join(Vec<Node>),
    /// Joins the nodes, with at most this many running at a time.
    AtMost(u8, Vec<Node>),
    TryJoin(Vec<Node>),
    /// Continues after the first result, and drops the other tasks.
    Race(Vec<Node>),
    /// Takes the results in the order of completion, and runs the second node after each.
    Completed(Vec<Node>, Box<Node>),
    Timeout(When, Box<Node>),
    /// Waits for an event twice, races one wait against a timer, and drops it or awaits it.
    Held {
        name: u8,
        limit: When,
        meanwhile: Box<Node>,
        is_awaited: bool,
    },
    /// Begins some nodes, runs another one, and then awaits or drops each of them.
    Kept {
        kept: Vec<(Node, Fate)>,
        meanwhile: Box<Node>,
    },
    /// Runs the first node; from the deployment with this number on, the second one.
    Changed {
        deployment: u8,
        before: Box<Node>,
        after: Box<Node>,
        has_patch: bool,
    },
}

/// The fate of a task that was begun but not awaited at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fate {
    Dropped,
    Awaited,
    /// Awaited, but abandoned if it takes longer than this.
    Limited(When),
}

/// What a destructor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Guard {
    Sends(u8, u8),
    Panics,
}

/// The number of causes of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Causes {
    None,
    Two,
    Many,
}

impl Causes {
    pub(crate) fn count(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Two => 2,
            Self::Many => 100,
        }
    }
}

/// A call of an activity, which is also the input of the activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Activity {
    pub(crate) attempts: u32,
    pub(crate) first: When,
    /// Doubles the interval with each attempt.
    #[serde(default)]
    pub(crate) doubles: bool,
    #[serde(default)]
    pub(crate) retry_timeout: Option<When>,
    /// Retries only failures of the first two attempts.
    #[serde(default)]
    pub(crate) is_picky: bool,
    /// At most one call runs at a time.
    #[serde(default)]
    pub(crate) is_limited: bool,
    pub(crate) timeout: Option<When>,
    pub(crate) attempt_timeout: Option<When>,
    /// The behavior of the attempts is derived from this.
    pub(crate) seed: u32,
}

/// A call of another orchestration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Child {
    pub(crate) body: Box<Node>,
    /// The instance id, which other instances may have, too.
    pub(crate) id: Option<u8>,
    pub(crate) attempts: u32,
    pub(crate) timeout: Option<When>,
    pub(crate) start_at: Option<When>,
    /// Returns a value that cannot be read back.
    pub(crate) is_unreadable: bool,
}

/// Several waits for one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ordered {
    pub(crate) name: u8,
    /// Which of the waits are dropped.
    pub(crate) dropped: Vec<bool>,
    /// The time after which they are dropped.
    pub(crate) after: When,
    pub(crate) limit: When,
}

/// An operation of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Op {
    pub(crate) key: u8,
    pub(crate) kind: OpKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OpKind {
    Add,
    Get,
    /// Adds, and fails.
    Fail,
    /// Adds, and panics.
    Panic,
    /// Makes the state unreadable.
    Spoil,
    /// Adds, and signals another entity to add.
    PassOn(u8),
    /// Like [`PassOn`](Self::PassOn), but a minute later.
    PassOnLater(u8),
    /// Like [`PassOn`](Self::PassOn), and then fails.
    PassOnAndFail(u8),
    /// Adds, and starts an orchestration.
    Begin(u8),
    Delete,
}

/// A time relative to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum When {
    /// The earliest time that can be represented.
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

    /// The delay as a duration, which cannot be negative.
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

    /// The delay as a duration of at least a microsecond.
    pub(crate) fn positive(self) -> Duration {
        self.duration().max(Duration::from_micros(1))
    }
}

/// A whole orchestration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) body: Node,
    /// The number of times that it continues as new.
    pub(crate) generations: u32,
    /// Whether unread events are discarded when it continues as new.
    #[serde(default)]
    pub(crate) discards: bool,
    /// Returns a value that cannot be read back.
    #[serde(default)]
    pub(crate) is_unreadable: bool,
    /// Continues as new while a value is alive whose destructor panics.
    #[serde(default)]
    pub(crate) is_bombed: bool,
}

impl Program {
    pub(crate) fn once(body: Node) -> Self {
        let (discards, is_unreadable, is_bombed) = (false, false, false);
        Self { body, generations: 0, discards, is_unreadable, is_bombed }
    }
}
