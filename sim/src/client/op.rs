//! The operations of clients.

use durable::testing::sim::{Choices, Stream};
use serde::{Deserialize, Serialize};

use crate::program::{self, Focus, Program, When, Writer};

/// One operation of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Op {
    Start(u8, Box<Program>, Option<When>),
    /// Starts an instance in place of one that has ended or, if the last field is true, of any
    /// instance.
    Replace(u8, Box<Program>, bool),
    StartIfAbsent(u8, Box<Program>),
    /// Raises an event with a unique number.
    Raise(u8, u8, u64),
    RaiseIfRunning(u8, u8, u64),
    Suspend(u8),
    Resume(u8),
    Terminate(u8, bool),
    Rewind(u8),
    Restart(u8),
    RestartAs(u8, u8),
    Purge(u8),
    PurgeTree(u8),
    /// Purges all instances that have ended.
    PurgeEnded,
    Details(u8),
    History(u8),
    Pending(u8),
    WaitForStart(u8),
    WaitForEnd(u8),
    Signal(program::Op, Option<When>, u64),
    Call(program::Op, u64),
    EntityState(u8),
    Clean,
    /// Queries page by page, and counts.
    Query(Query),
    Schedule(u8, Schedule),
    Pause(When),
    /// Drops the reply after this many polls.
    Abandon(u8, Box<Op>),
    /// Follows the history of an instance until its end.
    Follow(u8),
    /// Watches the custom status of an instance until its end.
    WatchStatus(u8),
    /// Cancels the first scheduled signal to an entity.
    CancelSignal(u8),
}

impl Op {
    /// The number of an event or of an operation of an entity.
    pub(crate) fn number(&self) -> Option<u64> {
        match self {
            Self::Raise(.., number)
            | Self::RaiseIfRunning(.., number)
            | Self::Signal(.., number)
            | Self::Call(_, number) => Some(*number),
            Self::Abandon(_, op) => op.number(),
            _ => None,
        }
    }
}

/// The parameters of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Query {
    pub(crate) page: usize,
    pub(crate) is_newest_first: bool,
    pub(crate) only_running: bool,
    pub(crate) prefix: Option<u8>,
}

/// An operation on a schedule. Every schedule ends after some ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Schedule {
    Create(When),
    Update(When),
    Pause,
    Resume,
    Delete,
    Describe,
    List,
}

/// The usual weight of each kind of operation, in the order of [`Op`].
const WEIGHTS: [u32; 30] =
    [30, 4, 4, 20, 4, 6, 6, 4, 4, 3, 2, 4, 3, 1, 2, 2, 2, 2, 2, 6, 6, 2, 1, 3, 4, 12, 4, 2, 2, 2];

/// The maximum number of clients that the numbers of events can distinguish.
pub(crate) const CLIENTS_MAX: u32 = 3;

/// The operations that a seed with a focus prefers, with their weights, by their index in
/// [`WEIGHTS`]. The other operations are rare.
fn preferred(focus: Focus) -> &'static [(usize, u32)] {
    match focus {
        Focus::Anything | Focus::Timers => &[],
        Focus::Entities => {
            &[(0, 20), (7, 4), (19, 50), (20, 40), (21, 2), (22, 4), (25, 6), (29, 6)]
        }
        Focus::Rewinds => &[(0, 15), (7, 3), (8, 40), (12, 2), (18, 4), (25, 25)],
        Focus::Suspensions => {
            &[(0, 15), (3, 20), (5, 20), (6, 20), (7, 3), (8, 4), (18, 3), (25, 20)]
        }
        Focus::Trees => {
            &[(0, 25), (1, 8), (7, 12), (8, 6), (10, 3), (11, 6), (12, 20), (18, 3), (25, 20)]
        }
        Focus::Events => {
            &[(0, 15), (3, 50), (4, 10), (5, 4), (6, 4), (9, 3), (17, 2), (18, 3), (25, 10)]
        }
        Focus::Activities => &[(0, 30), (5, 3), (6, 3), (7, 6), (8, 6), (18, 6), (25, 15)],
        Focus::Schedules => &[(0, 4), (24, 40), (25, 20)],
    }
}

/// Draws the scripts of all clients.
pub(crate) fn draw_scripts(choices: &mut Choices) -> Vec<Vec<Op>> {
    let mut writer = Writer::new(choices);
    let count = 1 + choices.below(Stream::Swarm, CLIENTS_MAX);
    let mut drawn = Script::new(choices, writer.focus);
    let longest = if writer.focus == Focus::Anything { 30 } else { 60 };
    let mut script = |client: u32| {
        drawn.stream = Stream::Client(u8::try_from(client).unwrap_or(u8::MAX));
        drawn.client = u64::from(client);
        let length = 3 + choices.below(drawn.stream, longest);
        let first = Op::Start(0, Box::new(writer.program(choices)), None);
        let rest = (0..length).map(|_| drawn.draw(choices, &mut writer));
        std::iter::once(first).chain(rest).collect()
    };
    (0..count).map(&mut script).collect()
}

/// Draws operations.
#[derive(Debug)]
struct Script {
    /// The choices of this client.
    stream: Stream,
    weights: [u32; WEIGHTS.len()],
    /// The number of the client.
    client: u64,
    /// The number of the last event or operation of an entity.
    number: u64,
}

impl Script {
    fn new(choices: &mut Choices, focus: Focus) -> Self {
        let mut weights =
            WEIGHTS.map(|usual| if choices.one_in(Stream::Swarm, 3) { 0 } else { usual });
        for (place, weight) in preferred(focus) {
            weights[*place] = weight * 10;
        }
        Self { stream: Stream::Client(0), weights, client: 0, number: 0 }
    }

    fn draw(&mut self, choices: &mut Choices, writer: &mut Writer) -> Op {
        let stream = self.stream;
        let id = below(choices, stream, writer.ids);
        let mut drawn = choices.below(stream, self.weights.iter().sum::<u32>().max(1));
        let index = self.weights.iter().position(|weight| {
            let is_it = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            is_it
        });
        let mut program = |choices: &mut Choices| Box::new(writer.program(choices));
        match index.unwrap_or(0) {
            0 => {
                let at = choices.one_in(stream, 6).then(|| when(choices, stream));
                Op::Start(id, program(choices), at)
            }
            1 => Op::Replace(id, program(choices), choices.one_in(stream, 2)),
            2 => Op::StartIfAbsent(id, program(choices)),
            3 => Op::Raise(id, below(choices, stream, 2), self.next()),
            4 => Op::RaiseIfRunning(id, below(choices, stream, 2), self.next()),
            5 => Op::Suspend(id),
            6 => Op::Resume(id),
            7 => Op::Terminate(id, choices.one_in(stream, 2)),
            8 => Op::Rewind(id),
            9 => Op::Restart(id),
            10 => Op::RestartAs(id, below(choices, stream, writer.ids)),
            11 => Op::Purge(id),
            12 => Op::PurgeTree(id),
            13 => Op::PurgeEnded,
            14 => Op::Details(id),
            15 => Op::History(id),
            16 => Op::Pending(id),
            17 => Op::WaitForStart(id),
            18 => Op::WaitForEnd(id),
            19 => {
                let at = choices.one_in(stream, 2).then(|| when(choices, stream));
                Op::Signal(writer.op(choices), at, self.next())
            }
            20 => Op::Call(writer.op(choices), self.next()),
            21 => Op::EntityState(below(choices, stream, writer.keys)),
            22 => Op::Clean,
            23 => Op::Query(query(choices, stream, writer.ids)),
            24 => Op::Schedule(below(choices, stream, 2), schedule(choices, stream)),
            25 => Op::Pause(when(choices, stream)),
            26 => {
                let polls = choices.one_of(stream, &[1, 1, 2, 3]);
                Op::Abandon(polls, Box::new(self.draw_plain(choices, writer)))
            }
            27 => Op::Follow(id),
            28 => Op::WatchStatus(id),
            _ => Op::CancelSignal(below(choices, stream, writer.keys)),
        }
    }

    /// An operation that is not abandoned.
    fn draw_plain(&mut self, choices: &mut Choices, writer: &mut Writer) -> Op {
        match self.draw(choices, writer) {
            Op::Abandon(_, op) => *op,
            Op::Pause(_) => Op::Start(0, Box::new(writer.program(choices)), None),
            op => op,
        }
    }

    /// A new number. It increases with each operation of a client, and identifies the client.
    fn next(&mut self) -> u64 {
        self.number += 1;
        self.number * u64::from(CLIENTS_MAX) + self.client
    }
}

fn below(choices: &mut Choices, stream: Stream, end: u8) -> u8 {
    u8::try_from(choices.below(stream, u32::from(end))).unwrap_or(0)
}

fn when(choices: &mut Choices, stream: Stream) -> When {
    use When::{Hour, Micro, Min, Minute, Second, Year};
    choices.one_of(stream, &[Micro, Second, Second, Minute, Hour, Year, Min])
}

fn query(choices: &mut Choices, stream: Stream, ids: u8) -> Query {
    Query {
        page: choices.one_of(stream, &[1, 2, 3, 100]),
        is_newest_first: choices.one_in(stream, 3),
        only_running: choices.one_in(stream, 3),
        prefix: choices.one_in(stream, 3).then(|| below(choices, stream, ids)),
    }
}

fn schedule(choices: &mut Choices, stream: Stream) -> Schedule {
    let every = |choices: &mut Choices| choices.one_of(stream, &[When::Second, When::Minute]);
    match choices.below(stream, 12) {
        0..6 => Schedule::Create(every(choices)),
        6 => Schedule::Update(every(choices)),
        7 => Schedule::Pause,
        8 => Schedule::Resume,
        9 => Schedule::Delete,
        10 => Schedule::Describe,
        _ => Schedule::List,
    }
}
