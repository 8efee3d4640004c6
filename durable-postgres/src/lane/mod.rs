//! A connection that commits: each group in one transaction, which is sent in one round trip.
//!
//! Most groups are a single statement. Some need several, because one must see what another has
//! written. All of them, from BEGIN to COMMIT, are sent before any answer is awaited. COMMIT
//! succeeds even if an earlier statement failed and the transaction was rolled back, so a group was
//! written only if all statements succeeded.
//!
//! Read next: `statements.rs`, `group.rs` (the arrays), `certain.rs` (what to do if the connection
//! breaks before the answers).

mod certain;
mod group;
mod statements;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use durable::store::StoreError;
use futures_util::future::{join_all, maybe_done};
use futures_util::poll;
use tokio_postgres::{Error, Statement as Prepared};

pub(crate) use self::certain::Committer;
use self::group::{Episodes, Replaced, Round, count};
pub(crate) use self::group::{Group, Numbers, micros, uuid};
use self::statements::{FORGET, FORGET_TAIL, Kind, Kinds, Parameters, Parts, TAIL_MAX};
use crate::connect::Connection;
use crate::error::{Meaning, failed, meaning};
use crate::sessions::Sessions;

/// A connection and the statements that are prepared on it.
pub(crate) struct Lane {
    client: Connection,
    /// The statements of [`Plain`], in its order.
    plain: Vec<Prepared>,
    /// The statements of parts that were needed so far.
    of_parts: BTreeMap<Kinds, Prepared>,
}

/// A statement that does not consist of parts.
#[derive(Clone, Copy, Debug)]
enum Plain {
    Begin,
    ForgetTail,
    Forget,
    Commit,
    Rollback,
}

const PLAIN: [&str; 5] = ["BEGIN", FORGET_TAIL, FORGET, "COMMIT", "ROLLBACK"];

/// A statement with its parameters.
enum Statement<'a> {
    Plain(Plain, Parameters<'a>),
    Parts(Parts<'a>),
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("is_closed", &self.client.is_closed()).finish_non_exhaustive()
    }
}

/// The error for a group that was not written, or whose outcome is unknown.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) meaning: Meaning,
    pub(crate) error: StoreError,
}

/// The number of a commit in a lane. The lane is identified by a random number, so no other process
/// and no earlier lane has used its marks, and no two groups ever have the same mark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) lane: i64,
    /// From 1.
    pub(crate) number: i64,
}

const COMMIT: &str = "cannot commit";

impl Lane {
    pub(crate) async fn new(client: Connection, sessions: &Sessions) -> Result<Self, StoreError> {
        let doing = "cannot prepare the statements of a commit";
        let plain = join_all(PLAIN.iter().map(|sql| client.prepare(sql)));
        let plain = sessions.answer(doing, plain).await?;
        let plain = plain.into_iter().collect::<Result<_, _>>().map_err(failed(doing))?;
        Ok(Self { client, plain, of_parts: BTreeMap::new() })
    }

    /// Writes a group.
    pub(crate) async fn commit(&mut self, group: &Group<'_>, mark: Mark) -> Result<(), Refused> {
        let counts = Counts::of(group);
        let mut statements = statements(group, &mark, &counts);
        self.prepare(&statements).await?;
        if statements.len() == 1
            && let Some(only) = statements.pop()
        {
            return self.run(only).await.map(drop).map_err(Refused::of);
        }
        // A future queues its statement when it is first polled. One that fails at once may have sent
        // nothing, because its parameters cannot be encoded; COMMIT would keep the others, so the
        // last statement is ROLLBACK then.
        statements.insert(0, Statement::Plain(Plain::Begin, Vec::new()));
        let (mut last, mut sent) = (Plain::Commit, Vec::new());
        for statement in statements {
            let mut answer = maybe_done(self.run(statement));
            let _sent = poll!(Pin::new(&mut answer));
            if Pin::new(&mut answer).output_mut().is_some_and(|answer| answer.is_err()) {
                last = Plain::Rollback;
            }
            sent.push(answer);
        }
        sent.push(maybe_done(self.run(Statement::Plain(last, Vec::new()))));
        // All answers are awaited, also after an error, so that the connection is idle again.
        join_all(sent.iter_mut().map(Pin::new)).await;
        let mut answers = sent.iter_mut().filter_map(|answer| Pin::new(answer).take_output());
        let first_error = answers.find_map(Result::err);
        first_error.map_or(Ok(()), |error| Err(Refused::of(error)))
    }

    /// Prepares the statements that are needed for the first time.
    async fn prepare(&mut self, statements: &[Statement<'_>]) -> Result<(), Refused> {
        for statement in statements {
            if let Statement::Parts(Parts { kinds, .. }) = statement
                && !self.of_parts.contains_key(kinds)
            {
                let prepared = self.client.prepare(&kinds.sql()).await.map_err(Refused::of)?;
                self.of_parts.insert(*kinds, prepared);
            }
        }
        Ok(())
    }

    /// Runs one statement and reads its answer to the end, because an error may follow the rows.
    fn run<'a>(
        &'a self,
        statement: Statement<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<u64, Error>> + Send + 'a>> {
        Box::pin(async move {
            let (prepared, parameters) = match &statement {
                Statement::Plain(plain, parameters) => (&self.plain[*plain as usize], parameters),
                Statement::Parts(parts) => (&self.of_parts[&parts.kinds], &parts.parameters),
            };
            self.client.execute(prepared, parameters).await
        })
    }
}

impl Refused {
    fn of(error: Error) -> Self {
        let meaning = meaning(&error);
        Self { meaning, error: failed(COMMIT)(error) }
    }
}

/// The numbers of rows that statements must write.
struct Counts {
    owners: i64,
    consumed: i64,
    received: i64,
    rounds: Vec<(i64, i64)>,
}

impl Counts {
    fn of(group: &Group<'_>) -> Self {
        let rounds = group.rounds.iter();
        Self {
            owners: count(group.partitions.len()),
            consumed: count(group.consumed.len()),
            received: count(group.received.len()),
            rounds: rounds.map(|round| (round.appended.count(), round.started.count())).collect(),
        }
    }
}

/// The statements of a group, without BEGIN and COMMIT. Statements that would write nothing are
/// left out.
fn statements<'a>(group: &'a Group<'_>, mark: &'a Mark, counts: &'a Counts) -> Vec<Statement<'a>> {
    let mut all = Vec::new();
    let mut parts = Parts::default();
    let fence: Parameters<'a> =
        vec![&group.partitions, &group.epochs, &counts.owners, &mark.lane, &mark.number];
    parts.add(Kind::Fence, fence);
    for (index, (round, counts)) in group.rounds.iter().zip(&counts.rounds).enumerate() {
        let Replaced { ids, executions, are_over } = &round.replaced;
        // These rows are written by the next statement again.
        if (index > 0 || !ids.is_empty()) && !parts.is_empty() {
            all.push(Statement::Parts(std::mem::take(&mut parts)));
        }
        if !ids.is_empty() {
            all.push(Statement::Plain(Plain::ForgetTail, vec![ids, executions]));
            all.push(Statement::Plain(Plain::Forget, vec![ids, executions, are_over]));
        }
        write_episodes(round, counts, &mut parts);
    }
    if !group.purged.is_empty() {
        parts.add(Kind::Purge, vec![&group.purged]);
    }
    if !group.consumed.is_empty() {
        parts.add(Kind::Consume, vec![&group.consumed, &counts.consumed]);
    }
    if !group.sent.keys.is_empty() {
        let sent = &group.sent;
        parts.add(Kind::Send, vec![&sent.keys, &sent.targets, &sent.records]);
    }
    exchange(group, counts, &mut parts);
    for (kind, keys) in [
        (Kind::ActiveDelete, &group.lists.active.deleted),
        (Kind::ActiveInsert, &group.lists.active.inserted),
        (Kind::DueDelete, &group.lists.due.deleted),
        (Kind::DueInsert, &group.lists.due.inserted),
    ] {
        if !keys.is_empty() {
            parts.add(kind, vec![keys]);
        }
    }
    if !parts.is_empty() {
        all.push(Statement::Parts(parts));
    }
    all
}

/// The parts that write the episodes of a round.
fn write_episodes<'a>(
    round: &'a Round<'_>,
    (appended, started): &'a (i64, i64),
    parts: &mut Parts<'a>,
) {
    if *appended > 0 {
        let Episodes { ids, executions, expected, lengths, created, records, events } =
            &round.appended;
        let columns: Parameters<'a> =
            vec![ids, executions, expected, lengths, created, records, events, appended, &TAIL_MAX];
        parts.add(Kind::Append, columns);
    }
    if *started > 0 {
        let Episodes { ids, executions, lengths, created, records, events, .. } = &round.started;
        let columns: Parameters<'a> =
            vec![ids, executions, lengths, created, records, events, started];
        parts.add(Kind::Start, columns);
    }
}

/// The parts for messages, requests and answers that go to other nodes or come from them.
fn exchange<'a>(group: &'a Group<'_>, counts: &'a Counts, parts: &mut Parts<'a>) {
    let Group { received, queued, taken, answers, ended, .. } = group;
    if !received.is_empty() {
        parts.add(Kind::Receive, vec![received, &counts.received]);
    }
    if !queued.keys.is_empty() {
        parts.add(Kind::Queue, vec![&queued.keys, &queued.sources, &queued.records]);
    }
    if !taken.is_empty() {
        parts.add(Kind::Take, vec![taken]);
    }
    if !answers.ids.is_empty() {
        let columns: Parameters<'a> =
            vec![&answers.ids, &answers.bodies, &answers.stream, &answers.number];
        parts.add(Kind::Answer, columns);
    }
    if !ended.is_empty() {
        parts.add(Kind::End, vec![ended]);
    }
}
