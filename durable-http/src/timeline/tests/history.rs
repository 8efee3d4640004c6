//! Writing histories for tests. Times are seconds after the beginning.

use durable::RuntimeStatus;
use durable::client::InstanceStatus;
use durable::protocol::{ExecutionId, HistoryEvent, InstanceId, InstanceRecord};
use serde_json::{Value, json};

use super::at;

/// Events as stored JSON, so a field that is added later needs no change here.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) id: &'static str,
    pub(super) status: RuntimeStatus,
    generation: u64,
    events: Vec<Value>,
    last: i64,
}

impl History {
    pub(super) fn new() -> Self {
        let status = RuntimeStatus::Running;
        Self { id: "order", status, generation: 0, events: Vec::new(), last: 0 }
    }

    pub(super) fn status(&self) -> InstanceStatus {
        let id = InstanceId::try_from(self.id.to_owned()).unwrap();
        let mut record =
            InstanceRecord::new(id, ExecutionId::from_u128(1), "checkout", None, at(0));
        record.runtime_status = self.status;
        record.last_updated_at = at(self.last);
        record.history_len = self.events.len() as u64;
        record.into()
    }

    pub(super) fn events(&self) -> Vec<HistoryEvent> {
        self.events.iter().map(|it| serde_json::from_value(it.clone()).unwrap()).collect()
    }

    pub(super) fn push(&mut self, id: i32, time: i64, kind: &Value) -> &mut Self {
        self.last = self.last.max(time);
        self.events.push(json!({ "event_id": id, "timestamp": at(time), "kind": kind }));
        self
    }

    fn outcome(&mut self, time: i64, kind: &Value) -> &mut Self {
        self.push(-1, time, &json!("OrchestratorStarted")).push(-1, time, kind)
    }

    pub(super) fn pending(mut self) -> Self {
        self.status = RuntimeStatus::Pending;
        self
    }

    pub(super) fn generation(&mut self, generation: u64) -> &mut Self {
        self.generation = generation;
        self
    }

    pub(super) fn start(&mut self, time: i64) -> &mut Self {
        let started = json!({
            "name": "checkout", "version": null, "input": 5, "generation": self.generation,
            "execution_id": ExecutionId::from_u128(1),
        });
        self.push(-1, time, &json!({ "ExecutionStarted": started }))
    }

    pub(super) fn task(&mut self, id: i32, time: i64, name: &str) -> &mut Self {
        let task = json!({ "name": name, "version": null, "input": [1], "source": "src/a.rs:3" });
        self.push(id, time, &json!({ "TaskScheduled": task }))
    }

    pub(super) fn done(&mut self, id: i32, time: i64) -> &mut Self {
        let done = json!({ "task_scheduled_id": id, "result": 7 });
        self.outcome(time, &json!({ "TaskCompleted": done }))
    }

    /// The activity ran from `began` on, after it had waited for a worker.
    pub(super) fn done_since(&mut self, id: i32, time: i64, began: i64) -> &mut Self {
        let done =
            json!({ "task_scheduled_id": id, "result": 7, "attempt": 1, "began": at(began) });
        self.outcome(time, &json!({ "TaskCompleted": done }))
    }

    pub(super) fn attempt_failed_since(
        &mut self,
        id: i32,
        time: i64,
        began: i64,
        retry_at: i64,
    ) -> &mut Self {
        let failed = json!({
            "task_scheduled_id": id, "attempt": 1, "failure": failure(),
            "retry_at": at(retry_at), "began": at(began),
        });
        self.outcome(time, &json!({ "TaskAttemptFailed": failed }))
    }

    pub(super) fn task_failed(&mut self, id: i32, time: i64) -> &mut Self {
        let failed = json!({ "task_scheduled_id": id, "failure": failure() });
        self.outcome(time, &json!({ "TaskFailed": failed }))
    }

    pub(super) fn attempt_failed(
        &mut self,
        id: i32,
        time: i64,
        attempt: u32,
        retry_at: i64,
    ) -> &mut Self {
        let failed = json!({
            "task_scheduled_id": id, "attempt": attempt, "failure": failure(),
            "retry_at": at(retry_at),
        });
        self.outcome(time, &json!({ "TaskAttemptFailed": failed }))
    }

    pub(super) fn child(&mut self, id: i32, time: i64, name: &str, child: &str) -> &mut Self {
        let child = json!({
            "instance_id": child, "name": name, "version": null, "input": 1, "source": null,
        });
        self.push(id, time, &json!({ "SubOrchestrationInstanceCreated": child }))
    }

    pub(super) fn child_done(&mut self, id: i32, time: i64) -> &mut Self {
        let done = json!({ "task_scheduled_id": id, "result": 7 });
        self.outcome(time, &json!({ "SubOrchestrationInstanceCompleted": done }))
    }

    pub(super) fn timer(&mut self, id: i32, time: i64, due: i64) -> &mut Self {
        self.push(id, time, &json!({ "TimerCreated": { "fire_at": at(due), "source": null } }))
    }

    pub(super) fn fired(&mut self, id: i32, time: i64) -> &mut Self {
        self.outcome(time, &json!({ "TimerFired": { "timer_id": id, "fire_at": at(time) } }))
    }

    pub(super) fn raise(&mut self, time: i64, name: &str) -> &mut Self {
        self.push(-1, time, &json!("OrchestratorStarted"));
        self.push(-1, time, &json!({ "EventRaised": { "name": name, "input": true } }))
    }

    pub(super) fn lock(&mut self, id: i32, time: i64, key: &str) -> &mut Self {
        let lock = json!({ "lock_set": [entity(key)], "source": null });
        self.push(id, time, &json!({ "EntityLockRequested": lock }))
    }

    pub(super) fn granted(&mut self, id: i32, time: i64) -> &mut Self {
        self.outcome(time, &json!({ "EntityLockGranted": { "task_scheduled_id": id } }))
    }

    pub(super) fn unlock(&mut self, id: i32, time: i64, lock: i32, key: &str) -> &mut Self {
        let unlock = json!({ "task_scheduled_id": lock, "lock_set": [entity(key)] });
        self.push(id, time, &json!({ "EntityUnlockSent": unlock }))
    }

    pub(super) fn call(&mut self, id: i32, time: i64, key: &str, operation: &str) -> &mut Self {
        let call = json!({
            "entity_id": entity(key), "operation": operation, "input": null, "source": null,
        });
        self.push(id, time, &json!({ "EntityOperationCalled": call }))
    }

    pub(super) fn called(&mut self, id: i32, time: i64) -> &mut Self {
        let done = json!({ "task_scheduled_id": id, "result": 7 });
        self.outcome(time, &json!({ "EntityOperationCompleted": done }))
    }

    pub(super) fn patch(&mut self, time: i64, id: &str) -> &mut Self {
        self.push(-1, time, &json!({ "GenericEvent": { "data": format!("patched:{id}") } }))
    }

    pub(super) fn suspend(&mut self, time: i64, reason: &str) -> &mut Self {
        self.push(-1, time, &json!({ "ExecutionSuspended": { "reason": reason } }))
    }

    pub(super) fn resume(&mut self, time: i64) -> &mut Self {
        self.push(-1, time, &json!({ "ExecutionResumed": { "reason": "" } }))
    }

    pub(super) fn terminate(&mut self, time: i64) -> &mut Self {
        let terminated = json!({ "reason": "enough", "recurse": false });
        self.push(-1, time, &json!({ "ExecutionTerminated": terminated }))
    }

    /// The end; the status is completed unless another one was set.
    pub(super) fn end(&mut self, time: i64) -> Self {
        if self.status == RuntimeStatus::Running {
            self.status = RuntimeStatus::Completed;
        }
        let end = json!({ "status": "Completed", "result": 1, "failure": null });
        self.push(-1, time, &json!({ "ExecutionCompleted": end }));
        self.clone()
    }
}

fn entity(key: &str) -> String {
    format!("@account@{key}")
}

fn failure() -> Value {
    json!({ "error_type": "Declined", "message": "broken", "inner": null, "non_retriable": false })
}
