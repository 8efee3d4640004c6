//! Reads.

use std::ops::Range;

use durable::InstanceId;
use durable::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceRecord, MessageId, PartitionId, TaskMessage,
    Timestamp, codec,
};
use durable::store::{Creation, CreationOrder, InstanceFilter, InstancePage, StoreError};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::error::in_row;
use crate::lane::{micros, uuid};
use crate::sessions::Sessions;
use crate::{blocks, keys};

/// The number of instances that are read together for a page.
const AT_ONCE: usize = 500;

pub(crate) async fn hub(sessions: &Sessions) -> Result<Option<HubRecord>, StoreError> {
    let rows =
        sessions.query("cannot read the record of the hub", "SELECT record FROM hub", &[]).await?;
    Ok(rows.first().map(|row| codec::decode(row.get(0))).transpose()?)
}

/// The active instances of a partition.
pub(crate) async fn active(
    sessions: &Sessions,
    partition: PartitionId,
) -> Result<Vec<InstanceId>, StoreError> {
    let select = "SELECT key FROM active WHERE key >= $1 AND key < $2 ORDER BY key";
    let (start, end) = (keys::partition(partition), keys::end(partition));
    let rows = sessions.query("cannot load a partition", select, &[&start, &end]).await?;
    rows.iter().map(|row| keys::read_active(row.get(0))).collect()
}

/// The active instances of partitions.
pub(crate) async fn all_active(
    sessions: &Sessions,
    partitions: &[PartitionId],
) -> Result<OfPartitions<InstanceId>, StoreError> {
    let select =
        "SELECT a.key FROM unnest($1::bytea[], $2::bytea[]) p(low, high) CROSS JOIN LATERAL
        (SELECT key FROM active WHERE key >= low AND key < high ORDER BY key) a";
    of_partitions(sessions, select, partitions, |row| keys::read_active(row.get(0))).await
}

/// All due times of partitions.
pub(crate) async fn all_due(
    sessions: &Sessions,
    partitions: &[PartitionId],
) -> Result<OfPartitions<(Timestamp, InstanceId)>, StoreError> {
    let select =
        "SELECT d.key FROM unnest($1::bytea[], $2::bytea[]) p(low, high) CROSS JOIN LATERAL
        (SELECT key FROM due WHERE key >= low AND key < high ORDER BY key) d";
    of_partitions(sessions, select, partitions, |row| keys::read_due(row.get(0))).await
}

/// The ids and positions of all messages of partitions.
pub(crate) async fn positions(
    sessions: &Sessions,
    partitions: &[PartitionId],
) -> Result<OfPartitions<(MessageId, u64)>, StoreError> {
    let select = "SELECT m.key, m.record FROM unnest($1::bytea[], $2::bytea[]) p(low, high)
        CROSS JOIN LATERAL
        (SELECT key, record FROM message WHERE key >= low AND key < high ORDER BY key) m";
    let read = |row: &Row| {
        let in_row = |error| in_row("message", row.get(0), error);
        let message = codec::decode::<TaskMessage>(row.get(1)).map_err(|it| in_row(it.into()))?;
        Ok((message.id, keys::read_position(row.get(0)).map_err(in_row)?))
    };
    of_partitions(sessions, select, partitions, read).await
}

/// The rows that are found in partitions. An entry is an error if its row cannot be read.
pub(crate) type OfPartitions<T> = Vec<(PartitionId, Result<T, StoreError>)>;

/// Reads the rows of a table that belong to partitions.
async fn of_partitions<T>(
    sessions: &Sessions,
    select: &'static str,
    partitions: &[PartitionId],
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<OfPartitions<T>, StoreError> {
    let low: Vec<_> = partitions.iter().map(|partition| keys::partition(*partition)).collect();
    let high: Vec<_> = partitions.iter().map(|partition| keys::end(*partition)).collect();
    let rows = sessions.query("cannot load partitions", select, &[&low, &high]).await?;
    rows.iter().map(|row| Ok((keys::read_partition(row.get(0))?, read(row)))).collect()
}

/// One past the position of a partition's last unconsumed message.
pub(crate) async fn messages_end(
    sessions: &Sessions,
    partition: PartitionId,
) -> Result<u64, StoreError> {
    let select = "SELECT key FROM message WHERE key >= $1 AND key < $2 ORDER BY key DESC LIMIT 1";
    let (start, end) = (keys::partition(partition), keys::end(partition));
    let rows = sessions.query("cannot load a partition", select, &[&start, &end]).await?;
    rows.first().map_or(Ok(0), |row| Ok(keys::read_position(row.get(0))? + 1))
}

pub(crate) async fn messages(
    sessions: &Sessions,
    partition: PartitionId,
    to: Option<&InstanceId>,
    positions: &Range<u64>,
    limit: usize,
) -> Result<Vec<(u64, TaskMessage)>, StoreError> {
    let select = "SELECT key, record FROM message WHERE key >= $1 AND key < $2
                  AND ($3::text IS NULL OR target = $3) ORDER BY key LIMIT $4";
    let start = keys::message(partition, positions.start);
    let end = keys::message(partition, positions.end);
    let (to, limit) = (to.map(InstanceId::as_str), number(limit));
    let doing = "cannot read messages";
    let rows = sessions.query(doing, select, &[&start, &end, &to, &limit]).await?;
    let read = |row: &Row| Ok((keys::read_position(row.get(0))?, codec::decode(row.get(1))?));
    rows.iter().map(read).collect()
}

pub(crate) async fn instance(
    sessions: &Sessions,
    id: &InstanceId,
) -> Result<Option<InstanceRecord>, StoreError> {
    let select = "SELECT record FROM instance WHERE id = $1";
    let rows = sessions.query("cannot read an instance", select, &[&id.as_str()]).await?;
    Ok(rows.first().map(|row| codec::decode(row.get(0))).transpose()?)
}

pub(crate) async fn due(
    sessions: &Sessions,
    partition: PartitionId,
    after: Option<&(Timestamp, InstanceId)>,
    until: Timestamp,
    limit: usize,
) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
    let select = "SELECT key FROM due WHERE key > $1 AND key < $2 ORDER BY key LIMIT $3";
    let start = after.map(|(at, id)| keys::due(partition, *at, id));
    let start = start.unwrap_or_else(|| keys::partition(partition));
    // No id begins with this byte, so this is behind all of that time.
    let mut end = keys::due_until(partition, until);
    end.push(0xff);
    let doing = "cannot read what is due";
    let rows = sessions.query(doing, select, &[&start, &end, &number(limit)]).await?;
    rows.iter().map(|row| keys::read_due(row.get(0))).collect()
}

/// The events of an execution whose index is in `indices`.
pub(crate) async fn history(
    sessions: &Sessions,
    id: &InstanceId,
    execution: ExecutionId,
    indices: &Range<u64>,
) -> Result<Vec<HistoryEvent>, StoreError> {
    // Begins with the part that contains the first event. One statement, because a part may move
    // between two.
    let select = "
        SELECT first, events FROM history WHERE id = $1 AND execution = $2 AND first < $4
            AND first >= coalesce((SELECT max(first) FROM history
                WHERE id = $1 AND execution = $2 AND first <= $3), 0)
        UNION ALL
        SELECT tail_first, tail FROM instance
            WHERE id = $1 AND execution = $2 AND tail <> '' AND tail_first < $4
        ORDER BY 1";
    let (start, end) = (signed(indices.start), signed(indices.end));
    let (id, execution) = (id.as_str(), uuid(execution));
    let parameters: [&(dyn ToSql + Sync); 4] = [&id, &execution, &start, &end];
    let rows = sessions.query("cannot read a history", select, &parameters).await?;
    let mut events = Vec::new();
    for row in rows {
        let first = row.get::<_, i64>(0).cast_unsigned();
        let numbered = (first..).zip(blocks::decode(row.get(1))?);
        events.extend(numbered.filter(|(index, _)| indices.contains(index)).map(|(_, it)| it));
    }
    Ok(events)
}

/// The number of events of an execution.
pub(crate) async fn history_len(
    sessions: &Sessions,
    id: &InstanceId,
    execution: ExecutionId,
) -> Result<u64, StoreError> {
    let doing = "cannot read the length of a history";
    let (id, execution) = (id.as_str(), uuid(execution));
    let parameters: [&(dyn ToSql + Sync); 2] = [&id, &execution];
    let select = "SELECT history_len FROM instance WHERE id = $1 AND execution = $2";
    let present = sessions.query(doing, select, &parameters).await?;
    if let Some(row) = present.first() {
        return Ok(row.get::<_, i64>(0).cast_unsigned());
    }
    let select = "SELECT first, events FROM history WHERE id = $1 AND execution = $2
                  ORDER BY first DESC LIMIT 1";
    let past = sessions.query(doing, select, &parameters).await?;
    let Some(row) = past.first() else { return Ok(0) };
    let events = blocks::decode(row.get(1))?.len() as u64;
    Ok(row.get::<_, i64>(0).cast_unsigned() + events)
}

pub(crate) async fn instances(
    sessions: &Sessions,
    filter: &InstanceFilter,
    after: Option<&InstanceId>,
    limit: usize,
) -> Result<InstancePage, StoreError> {
    let select =
        "SELECT record FROM instance WHERE id > $1 AND id >= $2 AND ($3::text IS NULL OR id < $3)
                  ORDER BY id LIMIT $4";
    let prefix = filter.ids_begin_with();
    if prefix.contains('\0') {
        // No id contains it, and the database would refuse it.
        return Ok(InstancePage::default());
    }
    let behind = successor(prefix);
    let mut scan = Scan::new(filter, limit);
    let mut last = after.map_or(String::new(), |id| id.as_str().to_owned());
    loop {
        let at_once = scan.at_once();
        let parameters: [&(dyn ToSql + Sync); 4] = [&last, &prefix, &behind, &number(at_once)];
        let rows = sessions.query("cannot read instances", select, &parameters).await?;
        for row in &rows {
            let record: InstanceRecord = codec::decode(row.get(0))?;
            let id = record.instance_id.clone();
            id.as_str().clone_into(&mut last);
            if scan.is_full_with(record, id) {
                return Ok(scan.page);
            }
        }
        if rows.len() < at_once {
            return Ok(scan.page);
        }
    }
}

pub(crate) async fn instances_by_creation(
    sessions: &Sessions,
    filter: &InstanceFilter,
    order: CreationOrder,
    after: Option<&Creation>,
    limit: usize,
) -> Result<InstancePage<Creation>, StoreError> {
    let newest_first = order == CreationOrder::NewestFirst;
    let select = if newest_first {
        "SELECT record FROM instance WHERE id NOT LIKE '@%' AND (created_at, id) < ($1, $2)
         AND created_at >= $3 AND created_at < $4 ORDER BY created_at DESC, id DESC LIMIT $5"
    } else {
        "SELECT record FROM instance WHERE id NOT LIKE '@%' AND (created_at, id) > ($1, $2)
         AND created_at >= $3 AND created_at < $4 ORDER BY created_at, id LIMIT $5"
    };
    let from = filter.created_from.map_or(i64::MIN, micros);
    let to = filter.created_to.map_or(i64::MAX, micros);
    let mut scan = Scan::new(filter, limit);
    // No id is empty, so these come before and behind all others.
    let edge = if newest_first { i64::MAX } else { i64::MIN };
    let mut last =
        after.map_or((edge, String::new()), |(at, id)| (micros(*at), id.as_str().to_owned()));
    loop {
        let at_once = scan.at_once();
        let parameters: [&(dyn ToSql + Sync); 5] = [&last.0, &last.1, &from, &to, &number(at_once)];
        let doing = "cannot read instances by creation";
        let rows = sessions.query(doing, select, &parameters).await?;
        for row in &rows {
            let record: InstanceRecord = codec::decode(row.get(0))?;
            let creation = (record.created_at, record.instance_id.clone());
            last = (micros(creation.0), creation.1.as_str().to_owned());
            if scan.is_full_with(record, creation) {
                return Ok(scan.page);
            }
        }
        if rows.len() < at_once {
            return Ok(scan.page);
        }
    }
}

/// A page that is being read.
struct Scan<'a, P> {
    filter: &'a InstanceFilter,
    limit: usize,
    page: InstancePage<P>,
}

impl<'a, P> Scan<'a, P> {
    fn new(filter: &'a InstanceFilter, limit: usize) -> Self {
        Self { filter, limit: limit.max(1), page: InstancePage::default() }
    }

    /// The number of records to read next.
    fn at_once(&self) -> usize {
        let scanned = usize::try_from(self.page.scanned).unwrap_or(usize::MAX);
        let allowed = self.filter.max_scanned.map(|most| most.max(1).saturating_sub(scanned));
        allowed.unwrap_or(AT_ONCE).clamp(1, AT_ONCE)
    }

    /// Adds a record at a position, if it matches. Returns whether the page is now full.
    fn is_full_with(&mut self, record: InstanceRecord, position: P) -> bool {
        self.page.scanned += 1;
        if self.filter.matches(&record) {
            self.page.instances.push(record);
        }
        let most = self.filter.max_scanned.map(|most| most.max(1) as u64);
        let is_full = self.page.instances.len() == self.limit || Some(self.page.scanned) == most;
        self.page.next = is_full.then_some(position);
        is_full
    }
}

/// The least text that is greater than all texts with this prefix.
fn successor(prefix: &str) -> Option<String> {
    let mut rest = prefix.to_owned();
    while let Some(last) = rest.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            rest.push(next);
            return Some(rest);
        }
    }
    None
}

fn number(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn signed(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_is_behind_all_texts_with_the_prefix() {
        assert_eq!(successor("order-"), Some("order.".to_owned()));
        assert_eq!(successor("a\u{d7ff}"), Some("a\u{e000}".to_owned()));
        assert_eq!(successor("a\u{10ffff}"), Some("b".to_owned()));
        assert_eq!(successor(""), None);
    }
}
