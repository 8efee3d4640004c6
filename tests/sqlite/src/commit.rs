//! Commits, each in a transaction.

use std::collections::BTreeMap;

use durable::InstanceId;
use durable::protocol::{ExecutionId, HubRecord, PartitionId, TaskMessage, Timestamp, codec};
use durable::store::{Commit, EpisodeWrite, Epoch, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{failed, number, read, unsigned};

pub(crate) fn create(connection: &Connection, hub: &HubRecord) -> Result<HubRecord, StoreError> {
    if let Some(found) = read::hub(connection)? {
        return Ok(found);
    }
    let insert = "INSERT INTO hub (id, record) VALUES (1, ?1)";
    let inserted = connection.execute(insert, params![codec::encode(hub)?]);
    inserted.map_err(failed("cannot create the hub"))?;
    Ok(hub.clone())
}

pub(crate) fn claim(connection: &Connection, partition: PartitionId) -> Result<Epoch, StoreError> {
    let claim = "INSERT INTO partition (id, epoch) VALUES (?1, 1)
                 ON CONFLICT (id) DO UPDATE SET epoch = epoch + 1 RETURNING epoch";
    let epoch = connection.query_row(claim, [partition.0], |row| row.get(0));
    Ok(Epoch(unsigned(epoch.map_err(failed("cannot claim a partition"))?)?))
}

pub(crate) fn commit(connection: &Connection, commit: &Commit) -> Result<(), StoreError> {
    let epochs = epochs(connection, commit)?;
    commit.check(
        |partition| epochs.get(&partition).copied(),
        |instance, execution| history_len(connection, instance, execution),
    )?;
    commit.episodes.iter().try_for_each(|write| episode(connection, write))?;
    commit.purged.iter().try_for_each(|(_, id)| purge(connection, id))?;
    for (partition, id) in &commit.consumed {
        let delete = "DELETE FROM message WHERE partition = ?1 AND id = ?2";
        run(connection, delete, params![partition.0, id.to_string()])?;
    }
    commit.messages.iter().try_for_each(|(partition, it)| message(connection, *partition, it))
}

/// The epochs of the partitions that a commit names.
fn epochs(
    connection: &Connection,
    commit: &Commit,
) -> Result<BTreeMap<PartitionId, Epoch>, StoreError> {
    let select = "SELECT epoch FROM partition WHERE id = ?1 AND epoch > 0";
    let mut epochs = BTreeMap::new();
    for (partition, _) in &commit.owners {
        let epoch = connection.query_row(select, [partition.0], |row| row.get(0)).optional();
        if let Some(epoch) = epoch.map_err(failed("cannot read an epoch"))? {
            epochs.insert(*partition, Epoch(unsigned(epoch)?));
        }
    }
    Ok(epochs)
}

fn history_len(
    connection: &Connection,
    instance: &InstanceId,
    execution: ExecutionId,
) -> Result<u64, StoreError> {
    let select = "SELECT coalesce(max(first + count), 0) FROM episode
                  WHERE instance = ?1 AND execution = ?2";
    let values = params![instance.as_str(), execution.as_bytes()];
    let length = connection.query_row(select, values, |row| row.get(0));
    unsigned(length.map_err(failed("cannot read the length of a history"))?)
}

fn episode(connection: &Connection, write: &EpisodeWrite) -> Result<(), StoreError> {
    let record = &write.record;
    let id = record.instance_id.as_str();
    if let Some(replaced) = &write.replaces {
        let delete = "DELETE FROM episode WHERE instance = ?1 AND execution = ?2";
        run(connection, delete, params![id, replaced.as_bytes()])?;
    }
    let micros = |at: Timestamp| at.to_datetime().timestamp_micros();
    let (due, created_at) = (record.next_due.map(micros), micros(record.created_at));
    let insert = "INSERT OR REPLACE INTO instance
                  (id, partition, active, next_due, created_at, record)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (partition, encoded) = (write.partition.0, codec::encode(record)?);
    run(connection, insert, params![id, partition, record.active, due, created_at, encoded])?;
    if write.events.is_empty() {
        return Ok(());
    }
    let insert = "INSERT INTO episode (instance, execution, first, count, events)
                  VALUES (?1, ?2, ?3, ?4, ?5)";
    let (first, count) = (number(record.last_episode), number(write.events.len() as u64));
    let events = codec::encode(&write.events)?;
    run(connection, insert, params![id, record.execution_id.as_bytes(), first, count, events])
}

fn purge(connection: &Connection, id: &InstanceId) -> Result<(), StoreError> {
    run(connection, "DELETE FROM instance WHERE id = ?1", params![id.as_str()])?;
    run(connection, "DELETE FROM episode WHERE instance = ?1", params![id.as_str()])
}

fn message(
    connection: &Connection,
    partition: PartitionId,
    message: &TaskMessage,
) -> Result<(), StoreError> {
    let position = "INSERT INTO partition (id, messages_end) VALUES (?1, 1)
                    ON CONFLICT (id) DO UPDATE SET messages_end = messages_end + 1
                    RETURNING messages_end - 1";
    let position = connection.query_row(position, [partition.0], |row| row.get::<_, i64>(0));
    let position = position.map_err(failed("cannot give a message its position"))?;
    let insert = "INSERT INTO message (partition, position, id, target, record)
                  VALUES (?1, ?2, ?3, ?4, ?5)";
    let (id, target) = (message.id.to_string(), message.instance_id.as_str());
    run(connection, insert, params![partition.0, position, id, target, codec::encode(message)?])
}

fn run(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<(), StoreError> {
    let run = || connection.prepare_cached(sql)?.execute(values);
    run().map(drop).map_err(failed("cannot write a part of a commit"))
}
