//! I9: statuses move along permitted edges.
//!
//! "Between two executions an instance is Running" (parity.md); "only failed instances can be
//! rewound" (`ManageError`).

use std::collections::BTreeMap;

use durable::protocol::{EventKind, ExecutionId, InstanceId, InstanceRecord, RuntimeStatus};
use durable::store::{Commit, EpisodeWrite};

#[derive(Debug, Default)]
pub(super) struct Statuses {
    last: BTreeMap<String, (ExecutionId, u64, RuntimeStatus)>,
}

impl Statuses {
    pub(super) fn episode(
        &mut self,
        episode: &EpisodeWrite,
        may_end: impl Fn(&InstanceId) -> bool,
    ) -> Result<(), String> {
        let record = &episode.record;
        let id = record.instance_id.to_string();
        if id.starts_with('@') {
            return Ok(());
        }
        let status = record.runtime_status;
        let known = (record.execution_id, record.generation, status);
        let before = self.last.insert(id.clone(), known);
        if let Some(before) = before
            && !is_permitted(before, record, episode, may_end)
        {
            return Err(format!("I9 {id} goes from {} to {status}", before.2));
        }
        if status == RuntimeStatus::Pending && record.generation > 0 {
            return Err(format!("I9 {id} is Pending between two executions"));
        }
        Ok(())
    }

    pub(super) fn purges(&mut self, commit: &Commit) {
        for (_, id) in &commit.purged {
            self.last.remove(id.as_str());
        }
    }
}

fn is_permitted(
    (execution, generation, before): (ExecutionId, u64, RuntimeStatus),
    record: &InstanceRecord,
    episode: &EpisodeWrite,
    may_end: impl Fn(&InstanceId) -> bool,
) -> bool {
    if execution != record.execution_id {
        // It continues as new, or a new instance takes the id of one that has ended.
        return record.generation > 0 || before.is_finished() || may_end(&record.instance_id);
    }
    let after = record.runtime_status;
    if before.is_finished() && before != after {
        let rewound = |kind: &EventKind| matches!(kind, EventKind::ExecutionRewound { .. });
        let is_rewound = episode.events.iter().any(|event| rewound(&event.kind));
        return before == RuntimeStatus::Failed && is_rewound;
    }
    match (before, after) {
        (RuntimeStatus::Running, RuntimeStatus::Pending) => false,
        (_, _) => record.generation == generation,
    }
}
