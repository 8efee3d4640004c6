//! A connection that commits: each group in one transaction, which is sent in one round trip.
//!
//! All statements from BEGIN to COMMIT are sent before any answer is awaited. COMMIT also answers
//! "done" if an earlier statement failed and it rolled back, so only the answers of all statements
//! together say that a group was written.
//!
//! Read next: `statements.rs`, `group.rs` (the arrays), `certain.rs` (what to do if the connection
//! breaks before the answers).

mod certain;
mod group;
mod statements;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use durable::store::StoreError;
use futures_util::future::{join_all, maybe_done};
use futures_util::poll;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Statement as Prepared};

pub(crate) use self::certain::Committer;
use self::group::{Episodes, Executions, count};
pub(crate) use self::group::{Group, micros, uuid};
use self::statements::{Statement, TAIL_MAX};
use crate::connect::Connection;
use crate::error::{Meaning, failed, meaning};
use crate::sessions::Sessions;

/// A connection with the statements prepared on it.
pub(crate) struct Lane {
    client: Connection,
    prepared: Vec<Prepared>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("is_closed", &self.client.is_closed()).finish_non_exhaustive()
    }
}

/// A group was not written, or perhaps was not.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) meaning: Meaning,
    pub(crate) error: StoreError,
}

/// The number of a commit of a lane. The lane is a random number of its own, so no other process and
/// no earlier lane has used its numbers, and no two groups ever have the same mark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) lane: i64,
    /// From 1.
    pub(crate) number: i64,
}

const COMMIT: &str = "cannot commit";

type Parameters<'a> = Vec<&'a (dyn ToSql + Sync)>;

impl Lane {
    pub(crate) async fn new(client: Connection, sessions: &Sessions) -> Result<Self, StoreError> {
        let doing = "cannot prepare the statements of a commit";
        let prepared = join_all(Statement::ALL.iter().map(|sql| client.prepare(sql)));
        let prepared = sessions.answer(doing, prepared).await?;
        let prepared = prepared.into_iter().collect::<Result<_, _>>().map_err(failed(doing))?;
        Ok(Self { client, prepared })
    }

    /// Writes a group.
    pub(crate) async fn commit(&self, group: &Group<'_>, mark: Mark) -> Result<(), Refused> {
        let counts = Counts::of(group);
        // A future queues its statement when it is first polled. One that fails at once may have sent
        // nothing, because its parameters cannot be encoded; COMMIT would keep the others, so the
        // last statement is ROLLBACK then.
        let mut last = Statement::Commit;
        let mut sent = Vec::new();
        for (statement, parameters) in statements(group, &mark, &counts) {
            let mut answer = maybe_done(self.run(statement, parameters));
            let _sent = poll!(Pin::new(&mut answer));
            if Pin::new(&mut answer).output_mut().is_some_and(|answer| answer.is_err()) {
                last = Statement::Rollback;
            }
            sent.push(answer);
        }
        sent.push(maybe_done(self.run(last, Vec::new())));
        // All answers are awaited, also after an error, so that the connection is idle again.
        join_all(sent.iter_mut().map(Pin::new)).await;
        let mut answers = sent.iter_mut().filter_map(|answer| Pin::new(answer).take_output());
        let first_error = answers.find_map(Result::err);
        first_error.map_or(Ok(()), |error| Err(Refused::of(error)))
    }

    /// Runs one statement to the end of its answer: an error behind rows that are not read would go
    /// unnoticed.
    fn run<'a>(
        &'a self,
        statement: Statement,
        parameters: Parameters<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<u64, Error>> + Send + 'a>> {
        let prepared = &self.prepared[statement as usize];
        Box::pin(async move { self.client.execute(prepared, &parameters).await })
    }
}

impl Refused {
    fn of(error: Error) -> Self {
        let meaning = meaning(&error);
        Self { meaning, error: failed(COMMIT)(error) }
    }
}

/// The numbers of rows that statements must touch.
struct Counts {
    owners: i64,
    consumed: i64,
    rounds: Vec<(i64, i64)>,
}

impl Counts {
    fn of(group: &Group<'_>) -> Self {
        let rounds = group.rounds.iter();
        Self {
            owners: count(group.partitions.len()),
            consumed: count(group.consumed.len()),
            rounds: rounds.map(|round| (round.appended.count(), round.started.count())).collect(),
        }
    }
}

/// The statements from BEGIN on, without COMMIT. Those that have nothing to do are left out.
fn statements<'a>(
    group: &'a Group<'_>,
    mark: &'a Mark,
    counts: &'a Counts,
) -> Vec<(Statement, Parameters<'a>)> {
    let mut all: Vec<(Statement, Parameters<'a>)> = vec![
        (Statement::Begin, vec![]),
        (Statement::Fence, vec![&group.partitions, &group.epochs, &counts.owners]),
        (Statement::Mark, vec![&mark.lane, &mark.number]),
        (Statement::Unmark, vec![&mark.lane, &mark.number]),
    ];
    for (round, (appended, started)) in group.rounds.iter().zip(&counts.rounds) {
        let Executions { ids, executions } = &round.replaced;
        if !ids.is_empty() {
            all.push((Statement::ForgetTail, vec![ids, executions]));
            all.push((Statement::Forget, vec![ids, executions]));
        }
        if *appended > 0 {
            let Episodes { ids, executions, expected, lengths, created, records, events } =
                &round.appended;
            let columns: Parameters<'a> = vec![
                ids, executions, expected, lengths, created, records, events, appended, &TAIL_MAX,
            ];
            all.push((Statement::Append, columns));
        }
        if *started > 0 {
            let Episodes { ids, executions, lengths, created, records, events, .. } =
                &round.started;
            let columns: Parameters<'a> =
                vec![ids, executions, lengths, created, records, events, started];
            all.push((Statement::Start, columns));
        }
    }
    if !group.purged.is_empty() {
        all.push((Statement::Purge, vec![&group.purged]));
        all.push((Statement::PurgeHistory, vec![&group.purged]));
    }
    if !group.consumed.is_empty() {
        all.push((Statement::Consume, vec![&group.consumed, &counts.consumed]));
    }
    if !group.sent.keys.is_empty() {
        let sent = &group.sent;
        all.push((Statement::Send, vec![&sent.keys, &sent.targets, &sent.records]));
    }
    let lists = [
        (Statement::ActiveDelete, &group.lists.active.deleted),
        (Statement::ActiveInsert, &group.lists.active.inserted),
        (Statement::DueDelete, &group.lists.due.deleted),
        (Statement::DueInsert, &group.lists.due.inserted),
    ];
    let changed = lists.into_iter().filter(|(_, keys)| !keys.is_empty());
    all.extend(changed.map(|(statement, keys)| (statement, vec![keys as &(dyn ToSql + Sync)])));
    all
}
