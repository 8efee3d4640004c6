//! Receives what other nodes have queued for this one.
//!
//! One statement reads the rows for all targets of the node, so that a node that sees a message
//! also sees everything that was committed before it. Messages are sorted by their numbers: a
//! message has a greater number than its causes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::PoisonError;
use std::time::Duration;

use durable::protocol::{MessageId, PartitionId, TaskMessage, codec};
use durable::store::{ClusterRequest, Epoch, Received, ReceivedMessage, RequestId, StoreError};
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{Identity, inbox};
use crate::error::{chain, in_row};
use crate::owned::Owned;
use crate::{PostgresStore, keys};

/// The maximum number of rows of a stream that are read at once for a target.
const AT_ONCE: i64 = 500;

/// The first and the longest pause between two reads, with and without wake-ups.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX_LISTENING: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// The maximum number of answers that are kept until they are deleted.
const ANSWERED_MAX: usize = 1_000;

/// The state of this node as a receiver.
#[derive(Debug)]
pub(super) struct Incoming {
    /// The streams that are known.
    pub(super) streams: BTreeSet<u64>,
    /// The last number of each stream that was received for this node, not for a partition.
    marks: HashMap<u64, u64>,
    /// Answers that were received and are still stored.
    answered: Vec<(Vec<u8>, Uuid)>,
    /// When to read again.
    look_at: Instant,
    pause: Duration,
    /// The partitions of the last read.
    listed: Vec<(PartitionId, Epoch)>,
}

/// A row of the outbox.
struct Queued {
    key: Vec<u8>,
    /// The partition; `None` for this node.
    target: Option<PartitionId>,
    stream: u64,
    number: u64,
    content: Content,
}

enum Content {
    Message { source: PartitionId, message: Box<TaskMessage> },
    Request { id: RequestId, from: Option<Uuid>, body: Option<String>, answer: Option<String> },
    Unreadable(StoreError),
}

/// For each stream, all rows of a target that come after a mark. Streams that this node does not
/// know yet are read from the start.
const READ: &str = "
    WITH known AS (SELECT * FROM unnest($1::bytea[], $2::bytea[]) k(low, high)),
        unknown AS (
            SELECT t.target || int8send(s.id) AS prefix FROM unnest($3::bytea[]) t(target)
            CROSS JOIN (SELECT id FROM stream WHERE id <> ALL($4::int8[])) s),
        ranges AS (
            SELECT low, high FROM known
            UNION ALL SELECT prefix, prefix || '\\xffffffffffffffff'::bytea FROM unknown)
    SELECT o.key, o.source, o.record, r.id, r.node, r.body, r.answer FROM ranges
        CROSS JOIN LATERAL (SELECT key, source, record, id FROM outbox
            WHERE key > low AND key < high ORDER BY key LIMIT $5) o
        LEFT JOIN request r ON r.id = o.id";

impl Default for Incoming {
    fn default() -> Self {
        Self {
            streams: BTreeSet::new(),
            marks: HashMap::new(),
            answered: Vec::new(),
            look_at: Instant::now(),
            pause: PAUSE_MIN,
            listed: Vec::new(),
        }
    }
}

impl Incoming {
    /// Takes a row that is addressed to this node. Such a row is an answer.
    fn take_answer(&mut self, row: Queued) -> Option<(RequestId, String)> {
        let Queued { key, stream, number, content, .. } = row;
        self.marks.insert(stream, number);
        match content {
            Content::Request { id, answer: Some(answer), .. } => {
                self.answered.push((key, Uuid::from_bytes(*id.0.as_bytes())));
                Some((id, answer))
            }
            Content::Unreadable(_) => {
                self.answered.push((key, Uuid::nil()));
                None
            }
            Content::Request { .. } | Content::Message { .. } => None,
        }
    }

    /// Reads frequently for a while.
    pub(super) fn hurry(&mut self) {
        self.pause = PAUSE_MIN;
        self.look_at = Instant::now();
    }
}

impl PostgresStore {
    pub(super) async fn receive_within(
        &self,
        listed: &[(PartitionId, Epoch)],
        wait: Duration,
    ) -> Result<Received, StoreError> {
        let me = self.nodes.joined()?;
        if wait.is_zero() {
            let mut incoming = self.nodes.incoming.lock().await;
            return self.look(&me, &mut incoming, listed).await;
        }
        let wake = self.nodes.wake();
        let deadline = Instant::now() + wait;
        loop {
            let signals = wake.take();
            if signals.interrupted {
                wake.signal(|again| {
                    again.arrived = true;
                    again.free |= signals.free;
                });
                return Ok(Received::default());
            }
            let mut incoming = self.nodes.incoming.lock().await;
            let is_other = incoming.listed != listed;
            if signals.arrived || is_other || incoming.look_at <= Instant::now() {
                let mut received = self.look(&me, &mut incoming, listed).await?;
                let is_empty = received == Received::default();
                let pause_max = if wake.is_listening() { PAUSE_MAX_LISTENING } else { PAUSE_MAX };
                incoming.pause = if is_empty && !signals.arrived {
                    (incoming.pause * 2).min(pause_max)
                } else {
                    PAUSE_MIN
                };
                let is_later = incoming.look_at > Instant::now();
                if is_later {
                    incoming.look_at = Instant::now() + incoming.pause;
                }
                received.has_changed = signals.free;
                if !is_empty || received.has_changed {
                    return Ok(received);
                }
            }
            let until = incoming.look_at.min(deadline);
            drop(incoming);
            if Instant::now() >= deadline {
                return Ok(Received::default());
            }
            wake.wait_until(until).await;
        }
    }

    /// Reads once.
    async fn look(
        &self,
        me: &Identity,
        incoming: &mut Incoming,
        listed: &[(PartitionId, Epoch)],
    ) -> Result<Received, StoreError> {
        if incoming.answered.len() >= ANSWERED_MAX {
            self.delete_answered(incoming).await?;
        }
        listed.clone_into(&mut incoming.listed);
        // Any time in the future, unless the rows say otherwise.
        incoming.look_at = Instant::now() + PAUSE_MAX_LISTENING;
        let listed: BTreeMap<_, _> = listed.iter().copied().collect();
        let is_listed = |partition, epoch| listed.get(&partition) == Some(&epoch);
        let targets = self.targets(is_listed);
        let rows = self.read_outbox(incoming, &targets, me).await?;
        let (horizon, has_more) = horizon(&rows);
        if has_more {
            incoming.look_at = Instant::now();
        }
        let mut received = Received::default();
        received.has_more = has_more;
        let mut messages = Vec::new();
        let mut askers = Vec::new();
        let mut owned = self.owned_mut();
        for row in rows {
            let Some(target) = row.target else {
                received.answers.extend(incoming.take_answer(row));
                continue;
            };
            let Queued { key, stream, number, content, .. } = row;
            let owned = owned.get_mut(&target);
            let is_same = |owned: &&mut Owned| targets.get(&target) == Some(&owned.epoch);
            let Some(owned) = owned.filter(is_same) else { continue };
            match content {
                // No later row may overtake a row that cannot be read.
                _ if owned.damage.is_some() => continue,
                Content::Message { .. } if number > horizon => continue,
                Content::Message { source, message } => {
                    owned.arrived.insert((source, number), stream);
                    self.nodes.clock.raise(number);
                    messages.push(ReceivedMessage::new(target, (source, number), *message));
                }
                Content::Request { id, from, body, .. } => {
                    askers.extend(from.map(|from| (id, from)));
                    match body {
                        Some(body) => {
                            received.requests.push(ClusterRequest::new(id, target, body));
                        }
                        // It was taken or answered while the request was being made.
                        None => incoming.answered.push((key, Uuid::nil())),
                    }
                }
                Content::Unreadable(why) => {
                    owned.damage = Some(why);
                    continue;
                }
            }
            owned.marks.insert(stream, number);
        }
        let damaged = targets
            .keys()
            .filter_map(|target| Some((*target, chain(owned.get(target)?.damage.as_ref()?))));
        received.unreadable = damaged.collect();
        drop(owned);
        self.nodes.remember_askers(askers);
        messages.sort_by_key(|message| (message.sequence, message.source));
        received.messages = messages;
        Ok(received)
    }

    /// The partitions of this store.
    pub(super) fn targets(
        &self,
        select: impl Fn(PartitionId, Epoch) -> bool,
    ) -> BTreeMap<PartitionId, Epoch> {
        let owned = self.owned_mut();
        let claimed = owned.iter().filter(|(_, owned)| owned.is_claimed());
        let claimed = claimed.map(|(partition, owned)| (*partition, owned.epoch));
        claimed.filter(|(partition, epoch)| select(*partition, *epoch)).collect()
    }

    /// Reads what is queued for partitions, and for this node.
    async fn read_outbox(
        &self,
        incoming: &mut Incoming,
        targets: &BTreeMap<PartitionId, Epoch>,
        me: &Identity,
    ) -> Result<Vec<Queued>, StoreError> {
        let (mut low, mut high) = (Vec::new(), Vec::new());
        let mut range = |target: &[u8], stream: u64, mark: u64| {
            low.push(keys::queued(target, stream, mark));
            high.push(keys::queued(target, stream, u64::MAX));
        };
        let mut prefixes = Vec::new();
        {
            let owned = self.owned_mut();
            for partition in targets.keys() {
                let target = keys::partition(*partition);
                let marks = owned.get(partition).map(|owned| &owned.marks);
                for stream in &incoming.streams {
                    let mark = marks.and_then(|marks| marks.get(stream));
                    range(&target, *stream, mark.copied().unwrap_or_default());
                }
                prefixes.push(target);
            }
        }
        let target = inbox(me);
        for stream in &incoming.streams {
            let mark = incoming.marks.get(stream).copied().unwrap_or_default();
            range(&target, *stream, mark);
        }
        prefixes.push(target);
        let known: Vec<_> = incoming.streams.iter().map(|stream| stream.cast_signed()).collect();
        let doing = "cannot read what other processes have sent";
        let parameters: [&(dyn ToSql + Sync); 5] = [&low, &high, &prefixes, &known, &AT_ONCE];
        let rows = self.sessions.query(doing, READ, &parameters).await?;
        let rows: Vec<_> = rows.iter().map(Queued::read).collect();
        // From now on they are read from their marks.
        let is_known = |row: &&Queued| row.number > 0;
        incoming.streams.extend(rows.iter().filter(is_known).map(|row| row.stream));
        Ok(rows)
    }

    /// Deletes the answers that were received.
    pub(super) async fn delete_answered(&self, incoming: &mut Incoming) -> Result<(), StoreError> {
        if incoming.answered.is_empty() {
            return Ok(());
        }
        let (mut keys, mut ids): (Vec<_>, Vec<_>) = incoming.answered.iter().cloned().unzip();
        keys.sort_unstable();
        ids.sort_unstable();
        let delete = "
            WITH answers AS (DELETE FROM outbox WHERE key = ANY($1::bytea[]))
            DELETE FROM request WHERE id = ANY($2::uuid[])";
        self.sessions.query("cannot delete answers", delete, &[&keys, &ids]).await?;
        incoming.answered.clear();
        Ok(())
    }
}

/// Returns the highest number up to which messages are delivered. If not all rows of a stream were
/// read, messages with greater numbers wait for the next read. Also returns whether there is more
/// to read.
fn horizon(rows: &[Queued]) -> (u64, bool) {
    let mut streams: HashMap<(Option<PartitionId>, u64), (i64, u64)> = HashMap::new();
    for row in rows {
        let (count, last) = streams.entry((row.target, row.stream)).or_default();
        *count += 1;
        if row.target.is_some() && matches!(row.content, Content::Message { .. }) {
            *last = row.number;
        }
    }
    let full = streams.into_values().filter(|(count, _)| *count >= AT_ONCE);
    full.fold((u64::MAX, false), |(horizon, _), (_, last)| {
        (if last > 0 { horizon.min(last) } else { horizon }, true)
    })
}

impl super::Nodes {
    fn remember_askers(&self, received: Vec<(RequestId, Uuid)>) {
        let mut askers = self.askers.lock().unwrap_or_else(PoisonError::into_inner);
        // It only decides which nodes are woken.
        if askers.len() > 100_000 {
            askers.clear();
        }
        askers.extend(received);
    }
}

impl Queued {
    /// Reads a row. A row that cannot be read must not hold up the rows of other partitions.
    fn read(row: &Row) -> Self {
        let key: &[u8] = row.get(0);
        let (place, content) = match (keys::read_queued(key), Content::read(row)) {
            (Ok(place), Ok(content)) => (place, content),
            (Ok(place), Err(error)) => (place, Content::Unreadable(in_row("outbox", key, error))),
            (Err(error), _) => ((key, 0, 0), Content::Unreadable(in_row("outbox", key, error))),
        };
        let (target, stream, number) = place;
        // Keys of nodes have a prefix that keys of partitions do not have.
        let target = keys::read_partition(target).ok().filter(|it| *it != PartitionId(u16::MAX));
        Self { key: key.to_vec(), target, stream, number, content }
    }
}

impl Content {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let Some(source) = row.get::<_, Option<i32>>(1) else {
            // The request may have been deleted since.
            let id = row.get::<_, Option<Uuid>>(3).unwrap_or_default();
            let id = RequestId(MessageId::from_u128(id.as_u128()));
            return Ok(Self::Request {
                id,
                from: row.get(4),
                body: row.get(5),
                answer: row.get(6),
            });
        };
        let source = u16::try_from(source);
        let source = source.map_err(|_| StoreError::damaged("a message has no source"))?;
        let message = codec::decode(row.get::<_, Option<&[u8]>>(2).unwrap_or_default())?;
        Ok(Self::Message { source: PartitionId(source), message: Box::new(message) })
    }
}
