//! The action of a batch on one instance.

use durable::client::{HubError, InstanceHandle, InstanceStatus, ManageError};
use durable::protocol::Json;
use durable::{Error, InstanceId, Result, RuntimeStatus, TaskHub};
use serde::{Deserialize, Serialize};

use super::Selected;
use crate::problem::{Code, Problem};

/// The maximum number of characters of an error in a report.
const DETAIL_MAX: usize = 160;

/// What a batch does with each instance, such as `{"terminate": {"reason": "closed"}}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum Action {
    Suspend {
        #[serde(default)]
        reason: String,
    },
    Resume {
        #[serde(default)]
        reason: String,
    },
    Terminate {
        #[serde(default)]
        reason: String,
        #[serde(default)]
        recursive: bool,
    },
    Rewind {
        #[serde(default)]
        reason: String,
    },
    Restart {},
    Purge {
        #[serde(default)]
        recursive: bool,
    },
    Raise {
        event: String,
        #[serde(default = "Json::null")]
        payload: Json,
    },
}

/// The outcome of the action on an instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Done,
    Skipped,
    Failed(Failure),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failure {
    pub(super) instance_id: InstanceId,
    code: String,
    detail: String,
}

impl Action {
    /// Acts on an instance. An error means that the hub cannot do it now.
    pub(super) async fn run(&self, hub: &TaskHub, selected: &Selected) -> Result<Outcome> {
        let instance = hub.instance(selected.id.as_str()).map_err(Error::from)?;
        let now = match instance.status().await {
            Ok(now) => now,
            Err(HubError::NoSuchInstance(_)) => {
                let is_purge = matches!(self, Self::Purge { .. });
                return Ok(if is_purge { Outcome::Done } else { Outcome::Skipped });
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(outcome) = self.settled(selected, &now) {
            return Ok(outcome);
        }
        match self.act(&instance).await {
            Ok(()) => Ok(Outcome::Done),
            Err(error) => outcome(&selected.id, error),
        }
    }

    /// The outcome if there is nothing to do: the action had its effect before a crash, or the
    /// instance has changed since it was selected.
    fn settled(&self, selected: &Selected, now: &InstanceStatus) -> Option<Outcome> {
        let is_same_execution = now.execution_id == selected.execution;
        let has_changed = !is_same_execution
            || now.last_updated_at != selected.updated
            || now.history_len != selected.length;
        let is_reached = match self {
            Self::Suspend { .. } => now.runtime_status == RuntimeStatus::Suspended,
            Self::Resume { .. } => now.runtime_status != RuntimeStatus::Suspended,
            Self::Terminate { .. } => now.runtime_status == RuntimeStatus::Terminated,
            Self::Rewind { .. } => now.runtime_status != RuntimeStatus::Failed,
            Self::Restart {} => !is_same_execution,
            Self::Purge { .. } | Self::Raise { .. } => false,
        };
        let is_once = match self {
            Self::Suspend { .. } | Self::Resume { .. } | Self::Terminate { .. } => false,
            Self::Rewind { .. } | Self::Restart {} | Self::Purge { .. } | Self::Raise { .. } => {
                true
            }
        };
        match (is_reached, has_changed) {
            (true, true) => Some(Outcome::Done),
            (true, false) => Some(Outcome::Skipped),
            (false, true) if is_once => Some(Outcome::Skipped),
            (false, _) => None,
        }
    }

    async fn act(&self, instance: &InstanceHandle) -> Result<(), ManageError> {
        match self {
            Self::Suspend { reason } => instance.suspend(reason).await,
            Self::Resume { reason } => instance.resume(reason).await,
            Self::Terminate { reason, recursive: false } => instance.terminate(reason).await,
            Self::Terminate { reason, recursive: true } => {
                instance.terminate_recursively(reason).await
            }
            Self::Rewind { reason } => instance.rewind(reason).await,
            Self::Restart {} => instance.restart().await,
            Self::Purge { recursive: false } => instance.purge().await,
            Self::Purge { recursive: true } => instance.purge_recursively().await.map(drop),
            Self::Raise { event, payload } => {
                instance.raise_event_json(event, payload.clone()).await
            }
        }
    }
}

fn outcome(id: &InstanceId, error: ManageError) -> Result<Outcome> {
    let Problem { code, detail, .. } = Problem::from(error);
    match code {
        // The same request may succeed later.
        code if code.retry_after().is_some() => Err(Error::msg(detail)),
        Code::Finished | Code::NotFinished | Code::NotFailed | Code::NoSuchInstance => {
            Ok(Outcome::Skipped)
        }
        code => {
            // The report has to fit into a custom status. A mismatch has several lines, and the first
            // one says what is wrong.
            let first = detail.lines().next().unwrap_or_default();
            let detail = first.chars().take(DETAIL_MAX).collect();
            let code = code.describe().0.to_owned();
            Ok(Outcome::Failed(Failure { instance_id: id.clone(), code, detail }))
        }
    }
}

#[cfg(test)]
mod tests {
    use durable::OrchestrationContext;
    use durable::testing::TestHub;

    use super::*;

    #[durable::orchestrator(name = "batch.counts")]
    async fn counts(ctx: &OrchestrationContext) -> Result<u32> {
        let _: bool = ctx.wait_for_external_event("Next").await?;
        let _: bool = ctx.wait_for_external_event("Next").await?;
        Ok(2)
    }

    async fn selected(instance: &InstanceHandle) -> Selected {
        instance.status().await.unwrap().into()
    }

    /// As after a crash between an action and its record.
    #[tokio::test]
    async fn an_action_that_runs_twice_has_its_effect_once() {
        let hub = TestHub::open().await.unwrap();
        let run = hub.start(counts().instance_id("a")).await.unwrap();
        hub.settle().await;
        let raise =
            Action::Raise { event: "Next".to_owned(), payload: Json::parse("true").unwrap() };
        let before = selected(&run).await;
        assert!(matches!(raise.run(&hub, &before).await, Ok(Outcome::Done)));
        hub.settle().await;
        assert!(matches!(raise.run(&hub, &before).await, Ok(Outcome::Skipped)));
        hub.settle().await;
        assert_eq!(run.status().await.unwrap().runtime_status, RuntimeStatus::Running);

        let terminate = Action::Terminate { reason: String::new(), recursive: false };
        let before = selected(&run).await;
        for _ in 0..2 {
            assert!(matches!(terminate.run(&hub, &before).await, Ok(Outcome::Done)));
        }
        let restart = Action::Restart {};
        let before = selected(&run).await;
        assert!(matches!(restart.run(&hub, &before).await, Ok(Outcome::Done)));
        let execution = run.status().await.unwrap().execution_id;
        assert!(matches!(restart.run(&hub, &before).await, Ok(Outcome::Done)));
        assert_eq!(run.status().await.unwrap().execution_id, execution);
        hub.shutdown().await.unwrap();
    }
}
