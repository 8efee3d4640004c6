//! The grammar: what a random program and its script are made of, as values.
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
    /// How many generations follow the first one, through continue-as-new.
    pub(crate) generations: u32,
}

/// A statement; each one succeeds or fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Node {
    /// Sleeps.
    Timer(Micros),
    /// A timer that is as long ago as a duration can say, so it fires at once.
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
    /// Asks for a patch, which no program was ever without.
    Patch,
    Status,
    Fail,
    Panic,
    Seq(Vec<Node>),
    /// The statement in the last generation, nothing before.
    Last(Box<Node>),
    /// Notes how the statement ends, and succeeds.
    Catch(Box<Node>),
    /// Waits for all, with `join_all` and with so many at once if a number is given.
    Join(Vec<Node>, Option<usize>),
    TryJoin(Vec<Node>),
    /// The first of two, with `race`.
    Race(Box<Node>, Box<Node>),
    /// All of them, one `select_all` after another.
    Select(Vec<Node>),
    /// The first so many results of `as_completed`, and a sleep after each.
    Completed(Vec<Node>, usize, Micros),
    Timeout(Micros, Box<Node>),
    Held(Held),
    /// The statement, inside a block with a local variable whose destructor panics.
    Bomb(Box<Node>),
}

/// A wait that is begun, put aside while something else happens, and then dropped or awaited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) wait: Box<Node>,
    /// For how long it is awaited at first.
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

/// What an activity does, which depends on the number of its attempt at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Does {
    Return(i64),
    /// Returns the number with these bits.
    Float(u64),
    /// So many attempts fail.
    Fail(u32),
    /// So many attempts panic.
    Panic(u32),
    /// Panics with a value whose destructor panics, too.
    PanicWithBomb,
    /// Fails, and says that it will always fail.
    Refuse,
    /// Fails until the world is mended.
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

/// The id that a sub-orchestration is to have.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum ChildId {
    Generated,
    /// Derived from the place of the call.
    Named,
    /// That of an instance that somebody else started and that is running.
    Stranger,
    /// That of the caller.
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

/// What happens from outside, to the instance `root` unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Action {
    Raise(u8),
    Suspend,
    Resume,
    Terminate,
    /// Lets all activities that wait for it succeed from now on.
    Mend,
    Rewind,
    Restart,
    /// With the sub-orchestrations.
    Purge,
}

/// Which oracle a case is for; see `check.rs` for what each one promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Profile {
    /// Any program; from outside come events. Everything is predicted.
    Free,
    /// No races and time limits, but suspensions. Results are predicted, times within bounds.
    Suspended,
    /// Failures that can be mended, and rewinds. The last result is predicted.
    Rewound,
    /// Anything at any time. Nothing is predicted but that all ways to run it agree.
    Wild,
}

/// A program with all that happens to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) profile: Profile,
    pub(crate) program: Program,
    /// When after the start what happens, in order.
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

    /// Whether this statement or one inside is such.
    pub(crate) fn has(&self, is_such: &impl Fn(&Node) -> bool) -> bool {
        is_such(self) || self.parts().into_iter().any(|part| part.has(is_such))
    }

    /// Whether a part of it is a call of an instance that is not to be found.
    pub(crate) fn calls_strangers(&self) -> bool {
        self.has(&|node| matches!(node, Node::Child(Child { id: ChildId::Stranger, .. })))
    }
}
