//! An activity to run, and its key.

use crate::engine::ScheduledTask;
use crate::protocol::{ExecutionId, InstanceId};

/// An activity to run for an instance.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) instance_id: InstanceId,
    pub(crate) execution_id: ExecutionId,
    pub(crate) task: ScheduledTask,
}

/// Identifies a job: the execution, and the number of the task in it.
pub(crate) type JobKey = (ExecutionId, i32);

impl Job {
    pub(crate) fn key(&self) -> JobKey {
        (self.execution_id, self.task.event_id)
    }
}
