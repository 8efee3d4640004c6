//! A partition's reads of the store.
//!
//! A failed read is recorded as the failure of the hub before any reply is dropped, so that waiting
//! clients receive the reason. If processes share the hub and the data is damaged, only the
//! partition is parked, because another process would fail on the same data.

use std::ops::Range;
use std::sync::Arc;

use super::due::Entry;
use crate::hub::health::Health;
use crate::hub::mail::End;
use crate::hub::nodes::parking::Parking;
use crate::hub::ownership::Ownership;
use crate::hub::recovery::held::is_reported;
use crate::protocol::{
    HistoryEvent, InstanceId, InstanceRecord, PartitionId, TaskMessage, Timestamp,
};
use crate::store::{Store, StoreError, chain};

/// The store has failed, or the partition was parked. That is noted, so the partition stops.
#[derive(Debug)]
pub(crate) struct Stopped;

#[derive(Debug)]
pub(crate) struct Reader {
    partition: PartitionId,
    store: Arc<dyn Store>,
    health: Arc<Health>,
    /// What parks the partition, if processes share the hub.
    parking: Option<(Parking, Arc<Ownership>)>,
}

impl Reader {
    pub(crate) fn new(partition: PartitionId, store: Arc<dyn Store>, health: Arc<Health>) -> Self {
        Self { partition, store, health, parking: None }
    }

    /// The reader of a partition that can be parked.
    pub(crate) fn with_parking(self, parking: Parking, owner: Arc<Ownership>) -> Self {
        Self { parking: Some((parking, owner)), ..self }
    }

    /// Notes the error of a read.
    pub(super) fn check<T>(&self, read: Result<T, StoreError>) -> Result<T, Stopped> {
        read.map_err(|error| {
            match &self.parking {
                Some((parking, owner)) if error.is_unreadable() => {
                    parking.park(owner, &chain(&error));
                }
                _ => self.health.fail(error.into()),
            }
            Stopped
        })
    }

    /// Whether the hub has failed, so that no further write becomes durable.
    pub(super) fn has_failed(&self) -> bool {
        self.health.has_failed()
    }

    /// Whether the store was opened for reading only, so that no write of this partition succeeds.
    pub(super) fn is_read_only(&self) -> bool {
        matches!(self.store.check_room(), Err(StoreError::ReadOnly))
    }

    pub(super) fn instance(&self, id: &InstanceId) -> Result<Option<InstanceRecord>, Stopped> {
        self.check(self.store.instance(id))
    }

    /// The whole history of an instance, as far as it is durable.
    pub(super) fn history(&self, record: &InstanceRecord) -> Result<Vec<HistoryEvent>, Stopped> {
        self.check(self.store.history(&record.instance_id, record.execution_id, 0))
    }

    /// How an instance came to a stop, if it has.
    pub(super) fn end_of(&self, record: &InstanceRecord) -> Result<Option<End>, Stopped> {
        match &record.suspension {
            Some(suspension) if is_reported(suspension) => {
                return Ok(Some(End::Suspended(suspension.clone())));
            }
            _ => {}
        }
        if !record.runtime_status.is_finished() {
            return Ok(None);
        }
        let id = &record.instance_id;
        let last = self.store.history(id, record.execution_id, record.last_episode);
        Ok(self.check(last)?.iter().rev().find_map(|event| End::of(&event.kind)))
    }

    /// The first messages at these places that were not consumed: to one instance, or to all.
    pub(super) fn messages(
        &self,
        to: Option<&InstanceId>,
        places: Range<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, TaskMessage)>, Stopped> {
        self.check(self.store.messages(self.partition, to, places, limit))
    }

    /// The first due times after the given one.
    pub(super) fn due(&self, after: Option<&Entry>, limit: usize) -> Result<Vec<Entry>, Stopped> {
        self.check(self.store.due(self.partition, after, Timestamp::MAX, limit))
    }
}
