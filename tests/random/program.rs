//! The grammar of random programs and their scripts, as values.
//!
//! A program is the input of the one orchestrator that runs it, so it is recorded with the instance
//! and a replay needs nothing else. Times are microseconds, because that is what a history keeps.

use serde::{Deserialize, Serialize};

/// Microseconds of virtual time.
pub(crate) type Micros = u64;

/// One second.
pub(crate) const SECOND: Micros = 1_000_000;

/// What an orchestration does, generation after generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) body: Node,
    /// The number of generations after the first one, through continue-as-new.
    pub(crate) generations: u32,
}

/// A statement; each one succeeds or fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Node {
    /// Sleeps.
    Timer(Micros),
    /// A timer with the most negative duration, which fires at once.
    LongAgo,
    Activity(Activity),
    Child(Child),
    /// Waits for an external event, for at most the limit.
    Event(u8, Option<Micros>),
    /// Raises an event in its own instance.
    Send(u8),
    /// Adds one to an entity.
    Add(u8),
    /// Reads the first of some locked entities, sleeps, adds to it and reads again.
    Section(Vec<u8>, Micros),
    /// Notes a GUID.
    Guid,
    /// Asks for a patch that every program has had from the beginning.
    Patch,
    Status,
    Fail,
    Panic,
    Seq(Vec<Node>),
    /// The statement in the last generation, and nothing in earlier ones.
    Last(Box<Node>),
    /// Notes how the statement ends, and succeeds.
    Catch(Box<Node>),
    /// Waits for all with `join_all`; if a number is given, with at most this many at once.
    Join(Vec<Node>, Option<usize>),
    TryJoin(Vec<Node>),
    /// The first of two, with `race`.
    Race(Box<Node>, Box<Node>),
    /// All of them, one `select_all` after another.
    Select(Vec<Node>),
    /// The first results of `as_completed`, as many as the number says, with a sleep after each.
    Completed(Vec<Node>, usize, Micros),
    Timeout(Micros, Box<Node>),
    Held(Held),
    /// The statement, inside a block with a local variable whose destructor panics.
    Bomb(Box<Node>),
}

/// A wait that is begun, kept while something else is awaited, and then dropped or awaited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) wait: Box<Node>,
    /// How long it is awaited at first.
    pub(crate) limit: Micros,
    pub(crate) meanwhile: Box<Node>,
    pub(crate) is_awaited: bool,
}

/// A call of an activity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Activity {
    pub(crate) does: Does,
    pub(crate) options: Options,
}

/// The behavior of an activity, which depends at most on the number of its attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Does {
    Return(i64),
    /// Returns the number with these bits.
    Float(u64),
    /// This many attempts fail.
    Fail(u32),
    /// This many attempts panic.
    Panic(u32),
    /// Panics with a value whose destructor panics, too.
    PanicWithBomb,
    /// Fails with a non-retriable error.
    Refuse,
    /// Fails until the world is repaired.
    FailUntilMended,
    /// Returns a value that can be written as JSON but not be read back: NaN.
    NotANumber,
    /// The same: more levels than the reader takes.
    Deep,
    /// Fails with an error that has this many causes.
    FailWithCauses(u32),
    /// Never ends.
    Hang,
}

/// A call of a sub-orchestration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Child {
    pub(crate) program: Box<Program>,
    pub(crate) id: ChildId,
    pub(crate) options: Options,
}

/// The id of a sub-orchestration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum ChildId {
    Generated,
    /// Derived from the place of the call.
    Named,
    /// The id of a running instance that was started independently.
    Stranger,
    /// The id of the caller.
    Own,
}

/// The options of a call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Options {
    pub(crate) retry: Option<Retry>,
    pub(crate) timeout: Option<Micros>,
    /// Counts for activities.
    pub(crate) attempt_timeout: Option<Micros>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Retry {
    pub(crate) attempts: u32,
    pub(crate) first: Micros,
    /// Whether each interval is twice the one before.
    pub(crate) doubles: bool,
    pub(crate) max_interval: Option<Micros>,
    pub(crate) timeout: Option<Micros>,
}

/// An action from outside, on the instance `root` unless stated otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Action {
    Raise(u8),
    Suspend,
    Resume,
    Terminate,
    /// Repairs the world: all activities that depend on it succeed from now on.
    Mend,
    Rewind,
    Restart,
    /// Including the sub-orchestrations.
    Purge,
}

/// Which oracle a case is for; see `check.rs` for what each one promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Profile {
    /// Any program, with events from outside. Everything is predicted.
    Free,
    /// Suspensions, but no races or time limits. Results are predicted exactly, and times within
    /// bounds.
    Suspended,
    /// Failures that can be repaired, and rewinds. The last result is predicted.
    Rewound,
    /// Anything at any time. Only the agreement of all ways to run it is predicted.
    Wild,
}

/// A program with its script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) profile: Profile,
    pub(crate) program: Program,
    /// The actions in order, each with its time after the start.
    pub(crate) script: Vec<(Micros, Action)>,
    pub(crate) partitions: u16,
}

impl Node {
    /// The statements inside.
    pub(crate) fn parts(&self) -> Vec<&Node> {
        match self {
            Self::Seq(all)
            | Self::Join(all, _)
            | Self::TryJoin(all)
            | Self::Select(all)
            | Self::Completed(all, ..) => all.iter().collect(),
            Self::Race(one, two) => vec![one, two],
            Self::Last(one) | Self::Catch(one) | Self::Timeout(_, one) | Self::Bomb(one) => {
                vec![one]
            }
            Self::Held(held) => vec![&held.wait, &held.meanwhile],
            Self::Child(child) => vec![&child.program.body],
            _ => Vec::new(),
        }
    }

    /// Whether this statement or one inside it meets a condition.
    pub(crate) fn has(&self, is_such: &impl Fn(&Node) -> bool) -> bool {
        is_such(self) || self.parts().into_iter().any(|part| part.has(is_such))
    }

    /// Whether a part of it calls an instance that does not exist.
    pub(crate) fn calls_strangers(&self) -> bool {
        self.has(&|node| matches!(node, Node::Child(Child { id: ChildId::Stranger, .. })))
    }
}
