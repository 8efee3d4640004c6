//! Reads.

use std::ops::Range;

use durable::InstanceId;
use durable::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceRecord, PartitionId, TaskMessage, Timestamp,
    codec,
};
use durable::store::{
    Creation, CreationOrder, InstanceFilter, InstancePage, PartitionState, StoreError,
};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use crate::{failed, number, unsigned};

/// All rows of a query.
fn rows<T>(
    connection: &Connection,
    doing: &'static str,
    sql: &str,
    values: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let rows = || -> rusqlite::Result<Vec<T>> {
        connection.prepare_cached(sql)?.query_map(values, read)?.collect()
    };
    rows().map_err(failed(doing))
}

/// The instance id in a column.
fn instance_id(id: String) -> Result<InstanceId, StoreError> {
    InstanceId::try_from(id).map_err(|error| StoreError::damaged(error.to_string()))
}

pub(crate) fn hub(connection: &Connection) -> Result<Option<HubRecord>, StoreError> {
    let select = "SELECT record FROM hub";
    let found = connection.query_row(select, [], |row| row.get::<_, Vec<u8>>(0)).optional();
    let found = found.map_err(failed("cannot read the record of the hub"))?;
    Ok(found.map(|record| codec::decode(&record)).transpose()?)
}

pub(crate) fn partition(
    connection: &Connection,
    partition: PartitionId,
) -> Result<PartitionState, StoreError> {
    let doing = "cannot load a partition";
    let select = "SELECT id FROM instance WHERE partition = ?1 AND active ORDER BY id";
    let active = rows(connection, doing, select, [partition.0], |row| row.get(0))?;
    let active = active.into_iter().map(instance_id).collect::<Result<_, _>>()?;
    let select = "SELECT messages_end FROM partition WHERE id = ?1";
    let end = connection.query_row(select, [partition.0], |row| row.get(0)).optional();
    let end = end.map_err(failed(doing))?.unwrap_or_default();
    Ok(PartitionState::new(active, unsigned(end)?))
}

pub(crate) fn messages(
    connection: &Connection,
    partition: PartitionId,
    to: Option<&InstanceId>,
    positions: &Range<u64>,
    limit: usize,
) -> Result<Vec<(u64, TaskMessage)>, StoreError> {
    let select = "SELECT position, record FROM message
                  WHERE partition = ?1 AND position >= ?2 AND position < ?3
                  AND (?4 IS NULL OR target = ?4) ORDER BY position LIMIT ?5";
    let to = to.map(InstanceId::as_str);
    let (start, end) = (number(positions.start), number(positions.end));
    let values = params![partition.0, start, end, to, number(limit as u64)];
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
    let found = rows(connection, "cannot read messages", select, values, read)?;
    let found = found.into_iter();
    found.map(|(position, record)| Ok((unsigned(position)?, codec::decode(&record)?))).collect()
}

pub(crate) fn instance(
    connection: &Connection,
    id: &InstanceId,
) -> Result<Option<InstanceRecord>, StoreError> {
    let select = "SELECT record FROM instance WHERE id = ?1";
    let read = |row: &Row<'_>| row.get::<_, Vec<u8>>(0);
    let found = rows(connection, "cannot read an instance", select, [id.as_str()], read)?;
    Ok(found.first().map(|record| codec::decode(record)).transpose()?)
}

pub(crate) fn due(
    connection: &Connection,
    partition: PartitionId,
    after: Option<&(Timestamp, InstanceId)>,
    until: Timestamp,
    limit: usize,
) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
    let select = "SELECT next_due, id FROM instance
                  WHERE partition = ?1 AND next_due <= ?2 AND (next_due, id) > (?3, ?4)
                  ORDER BY next_due, id LIMIT ?5";
    let micros = |at: Timestamp| at.to_datetime().timestamp_micros();
    let (at, id) = after.map_or((i64::MIN, ""), |(at, id)| (micros(*at), id.as_str()));
    let values = params![partition.0, micros(until), at, id, number(limit as u64)];
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found = rows(connection, "cannot read what is due", select, values, read)?;
    let read = |(at, id): (i64, String)| {
        let damaged = || StoreError::damaged(format!("instance `{id}` is due at {at}"));
        Ok((Timestamp::from_micros(at).ok_or_else(damaged)?, instance_id(id)?))
    };
    found.into_iter().map(read).collect()
}

pub(crate) fn instances(
    connection: &Connection,
    filter: &InstanceFilter,
    after: Option<&InstanceId>,
    limit: usize,
) -> Result<InstancePage, StoreError> {
    // No id is empty, so this comes before all of them.
    let select = "SELECT id, record FROM instance WHERE id > ?1 AND id >= ?2 ORDER BY id";
    let prefix = filter.ids_begin_with();
    let doing = "cannot read instances";
    let mut page = InstancePage::default();
    let mut statement = connection.prepare_cached(select).map_err(failed(doing))?;
    let after = after.map_or("", InstanceId::as_str);
    let mut found = statement.query(params![after, prefix]).map_err(failed(doing))?;
    while let Some(row) = found.next().map_err(failed(doing))? {
        let id: String = row.get(0).map_err(failed(doing))?;
        if !id.starts_with(prefix) {
            break;
        }
        let record: Vec<u8> = row.get(1).map_err(failed(doing))?;
        let record: InstanceRecord = codec::decode(&record)?;
        page.scanned += 1;
        if filter.matches(&record) {
            page.instances.push(record);
        }
        let most = filter.max_scanned.map(|most| most.max(1) as u64);
        if page.instances.len() == limit || Some(page.scanned) == most {
            page.next = Some(instance_id(id)?);
            break;
        }
    }
    Ok(page)
}

pub(crate) fn instances_by_creation(
    connection: &Connection,
    filter: &InstanceFilter,
    order: CreationOrder,
    after: Option<&Creation>,
    limit: usize,
) -> Result<InstancePage<Creation>, StoreError> {
    let select = match order {
        CreationOrder::NewestFirst => {
            "SELECT record FROM instance WHERE id NOT LIKE '@%'
             AND (?1 IS NULL OR (created_at, id) < (?1, ?2)) ORDER BY created_at DESC, id DESC"
        }
        _ => {
            "SELECT record FROM instance WHERE id NOT LIKE '@%'
             AND (?1 IS NULL OR (created_at, id) > (?1, ?2)) ORDER BY created_at, id"
        }
    };
    let doing = "cannot read instances by creation";
    let at = after.map(|(at, _)| at.to_datetime().timestamp_micros());
    let id = after.map(|(_, id)| id.as_str());
    let mut page = InstancePage::default();
    let mut statement = connection.prepare_cached(select).map_err(failed(doing))?;
    let mut found = statement.query(params![at, id]).map_err(failed(doing))?;
    while let Some(row) = found.next().map_err(failed(doing))? {
        let record: Vec<u8> = row.get(0).map_err(failed(doing))?;
        let record: InstanceRecord = codec::decode(&record)?;
        let creation = (record.created_at, record.instance_id.clone());
        page.scanned += 1;
        if filter.matches(&record) {
            page.instances.push(record);
        }
        let most = filter.max_scanned.map(|most| most.max(1) as u64);
        if page.instances.len() == limit || Some(page.scanned) == most {
            page.next = Some(creation);
            break;
        }
    }
    Ok(page)
}

pub(crate) fn history(
    connection: &Connection,
    instance: &InstanceId,
    execution: ExecutionId,
    from: u64,
) -> Result<Vec<HistoryEvent>, StoreError> {
    let select = "SELECT events FROM episode
                  WHERE instance = ?1 AND execution = ?2 AND first >= ?3 ORDER BY first";
    let values = params![instance.as_str(), execution.as_bytes(), number(from)];
    let read = |row: &Row<'_>| row.get::<_, Vec<u8>>(0);
    let mut events = Vec::new();
    for episode in rows(connection, "cannot read a history", select, values, read)? {
        events.extend(codec::decode::<Vec<HistoryEvent>>(&episode)?);
    }
    Ok(events)
}

pub(crate) fn history_page(
    connection: &Connection,
    instance: &InstanceId,
    execution: ExecutionId,
    indices: &Range<u64>,
) -> Result<Vec<HistoryEvent>, StoreError> {
    // Begins with the episode that contains the first event.
    let select = "SELECT first, events FROM episode
                  WHERE instance = ?1 AND execution = ?2 AND first < ?4 AND first >= coalesce(
                      (SELECT max(first) FROM episode
                       WHERE instance = ?1 AND execution = ?2 AND first <= ?3), 0)
                  ORDER BY first";
    let (start, end) = (number(indices.start), number(indices.end));
    let values = params![instance.as_str(), execution.as_bytes(), start, end];
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
    let mut events = Vec::new();
    for (first, episode) in rows(connection, "cannot read a history", select, values, read)? {
        let episode: Vec<HistoryEvent> = codec::decode(&episode)?;
        let numbered = (unsigned(first)?..).zip(episode);
        events.extend(numbered.filter(|(index, _)| indices.contains(index)).map(|(_, it)| it));
    }
    Ok(events)
}
