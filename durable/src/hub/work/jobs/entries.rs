//! The states of jobs, by execution and task.

use std::collections::HashMap;
use std::sync::Arc;

use lru::DefaultHasher;
use tokio_util::sync::CancellationToken;

use crate::engine::AttemptId;
use crate::hub::ownership::Ownership;
use crate::hub::telemetry::metrics::Stopwatch;
use crate::hub::work::job::{Job, JobKey};
use crate::hub::work::running::StartMoment;
use crate::protocol::ExecutionId;

/// The state of a job.
#[derive(Debug)]
pub(super) struct Entry {
    /// The owner of the instance's partition.
    pub(super) owner: Arc<Ownership>,
    pub(super) stage: Option<Stage>,
    /// The attempt that has ended and whose result the partition has not stored yet. The next
    /// attempt may already be queued or running.
    pub(super) reported: Option<AttemptId>,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// It has not begun: it is in the queue or set aside.
    Waiting(Waiting),
    Running(Running),
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) job: Arc<Job>,
    /// The number of its arrival.
    pub(super) number: u64,
    pub(super) at_most: Option<usize>,
    pub(super) since: Stopwatch,
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) number: u64,
    pub(super) token: CancellationToken,
    pub(super) job: Arc<Job>,
    pub(super) began: StartMoment,
}

/// The states of the jobs of one execution.
type Tasks = HashMap<i32, Entry, DefaultHasher>;

#[derive(Debug, Default)]
pub(super) struct Entries {
    executions: HashMap<ExecutionId, Tasks, DefaultHasher>,
    /// Empty tables that keep their memory for the next executions: a table that grows with each
    /// fan-out would be copied ten times.
    spare: Vec<Tasks>,
}

/// How many empty tables are kept, and how many jobs they may have room for.
const SPARE_MAX: usize = 16;
const SPARE_ROOM_MAX: usize = 4096;

impl Entries {
    pub(super) fn get_mut(&mut self, (execution, task): &JobKey) -> Option<&mut Entry> {
        self.executions.get_mut(execution)?.get_mut(task)
    }

    pub(super) fn get(&self, (execution, task): &JobKey) -> Option<&Entry> {
        self.executions.get(execution)?.get(task)
    }

    pub(super) fn get_or_insert(
        &mut self,
        (execution, task): JobKey,
        new: impl FnOnce() -> Entry,
    ) -> &mut Entry {
        let Self { executions, spare } = self;
        let tasks = executions.entry(execution).or_insert_with(|| spare.pop().unwrap_or_default());
        tasks.entry(task).or_insert_with(new)
    }

    /// Changes an entry, and removes it if it is empty afterwards.
    pub(super) fn update<T>(
        &mut self,
        (execution, task): &JobKey,
        change: impl FnOnce(&mut Entry) -> T,
    ) -> Option<T> {
        let tasks = self.executions.get_mut(execution)?;
        let entry = tasks.get_mut(task)?;
        let result = change(entry);
        if entry.is_empty() {
            tasks.remove(task);
            if tasks.is_empty() {
                let emptied = self.executions.remove(execution);
                if self.spare.len() < SPARE_MAX {
                    let is_small = |tasks: &Tasks| tasks.capacity() <= SPARE_ROOM_MAX;
                    self.spare.extend(emptied.filter(is_small));
                }
            }
        }
        Some(result)
    }

    /// The keys of an execution's jobs, in order.
    pub(super) fn keys_of(&self, execution: ExecutionId) -> Vec<JobKey> {
        let tasks = self.executions.get(&execution).into_iter().flat_map(Tasks::keys);
        let mut keys: Vec<_> = tasks.map(|task| (execution, *task)).collect();
        keys.sort_unstable();
        keys
    }

    /// The keys of the jobs that satisfy a condition, in order.
    pub(super) fn keys_where(&self, is_so: impl Fn(&Entry) -> bool) -> Vec<JobKey> {
        let found = self.iter().filter(|(_, entry)| is_so(entry));
        let mut keys: Vec<_> = found.map(|(key, _)| key).collect();
        keys.sort_unstable();
        keys
    }

    /// All jobs, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (JobKey, &Entry)> {
        self.executions.iter().flat_map(|(execution, tasks)| {
            tasks.iter().map(|(task, entry)| ((*execution, *task), entry))
        })
    }
}

impl Entry {
    pub(super) fn running(&self) -> Option<&Running> {
        match &self.stage {
            Some(Stage::Running(running)) => Some(running),
            Some(Stage::Waiting(_)) | None => None,
        }
    }

    pub(super) fn runs(&self, number: u64) -> bool {
        self.running().is_some_and(|running| running.number == number)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stage.is_none() && self.reported.is_none()
    }
}
