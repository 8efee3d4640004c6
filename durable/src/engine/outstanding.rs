//! The open tasks of an execution as the actions that start them again: needed after a replay, a
//! rewind and a termination.

use super::action::{Action, ScheduledTask};
use super::execution::Execution;
use super::translate;
use crate::orchestration::request::Ask;
use crate::protocol::{EventKind, ExecutionStarted, InstanceId};

impl Execution {
    /// The activities that are running according to the history.
    pub(crate) fn running_tasks(&self) -> Vec<ScheduledTask> {
        let running = self.open.iter().filter(|(_, open)| open.is_running_activity());
        let running = running.filter(|(id, _)| !self.scope.is_cancelled(*id));
        let task = |action| if let Action::ScheduleTask(task) = action { Some(task) } else { None };
        running.filter_map(|(id, _)| self.action_of(id).and_then(task)).collect()
    }

    /// The sub-orchestrations that have no result.
    pub(crate) fn open_children(&self) -> Vec<(i32, InstanceId)> {
        let Some(requester) = self.requester() else { return Vec::new() };
        let mut children = Vec::new();
        for (id, open) in self.open.iter() {
            if let Ask::SubOrchestration { instance_id, .. } = &open.request.ask {
                children.push((id, translate::child_id(instance_id.as_ref(), id, requester)));
            }
        }
        children
    }

    /// The sub-orchestrations that have no result, each with its task and the start of its current
    /// attempt.
    pub(crate) fn child_starts(&self) -> Vec<(i32, InstanceId, Box<ExecutionStarted>)> {
        let mut starts = Vec::new();
        for (id, _) in self.open.iter() {
            if let Some(Action::StartOrchestration { instance_id, started }) = self.action_of(id) {
                starts.push((id, instance_id, started));
            }
        }
        starts
    }

    /// The calls of entities that have no answer.
    pub(crate) fn open_calls(&self) -> Vec<Action> {
        let is_call = |ask: &Ask| matches!(ask, Ask::CallEntity { .. });
        let calls = self.open.iter().filter(|(_, open)| is_call(&open.request.ask));
        calls.filter_map(|(id, _)| self.action_of(id)).collect()
    }

    /// The action that ends the critical section of an execution that will not continue, if any.
    pub(crate) fn unlock(&self) -> Option<Action> {
        let (lock, lock_set, granted) = self.scope.take_section()?;
        Some(Action::UnlockEntities { lock, lock_set, granted })
    }

    /// The action that carries out the current attempt of an open task.
    pub(super) fn action_of(&self, id: i32) -> Option<Action> {
        let open = self.open.get(id)?;
        translate::action(&open.request, id, open.attempt(), self.requester()?)
    }

    /// The action to send out with the event of a failed attempt.
    pub(super) fn next_attempt(&self, kind: &EventKind) -> Option<Action> {
        let EventKind::TaskAttemptFailed { task_scheduled_id: id, retry_at, .. } = kind else {
            return None;
        };
        translate::next_attempt(self.open.get(*id)?, *id, *retry_at, self.requester()?)
    }
}
