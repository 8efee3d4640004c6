//! Of which instance an execution is.

use crate::limits::Limits;
use crate::protocol::{ExecutionId, InstanceId, InstanceRecord, Timestamp};

/// Of which instance an execution is, and by what rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: Option<&'a str>,
    pub(crate) instance_id: &'a InstanceId,
    pub(crate) execution_id: ExecutionId,
    pub(crate) created_at: Timestamp,
    pub(crate) limits: Limits,
}

impl<'a> Origin<'a> {
    /// That of an instance in its present execution.
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
