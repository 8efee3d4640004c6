//! Identifies the execution that runs.

use crate::limits::Limits;
use crate::protocol::{ExecutionId, InstanceId, InstanceRecord, Timestamp};

/// The parameters of a new execution: its ids, the name of its code, and the limits of the hub.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: Option<&'a str>,
    pub(crate) instance_id: &'a InstanceId,
    pub(crate) execution_id: ExecutionId,
    pub(crate) created_at: Timestamp,
    pub(crate) limits: Limits,
}

impl<'a> Identity<'a> {
    /// Identifies the current execution of an instance.
    pub(crate) fn of(record: &'a InstanceRecord, limits: Limits) -> Self {
        Self {
            name: &record.name,
            version: record.version.as_deref(),
            instance_id: &record.instance_id,
            execution_id: record.execution_id,
            created_at: record.created_at,
            limits,
        }
    }
}
