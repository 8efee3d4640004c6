//! What a client reads of an instance: its status, details and history.

use serde::Serialize;

use super::instance::InstanceHandle;
use super::status::InstanceStatus;
use crate::hub::error::HubError;
use crate::payload::Payload;
use crate::protocol::{EventKind, FailureDetails, HistoryEvent, InstanceRecord, Json};

/// The input, output and failure of an instance, beside its status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InstanceDetails {
    /// Everything that is known without reading the history. In JSON its fields stand beside the others.
    #[serde(flatten)]
    pub status: InstanceStatus,
    /// Its input; after a continue-as-new that of its present execution.
    pub input: Json,
    /// What it returned, if it has.
    pub output: Option<Json>,
    /// Why it failed or was terminated, if it has or was.
    pub failure: Option<FailureDetails>,
}

impl InstanceDetails {
    /// Its input, read as a `T`: the parameter of its orchestrator, or a tuple of several.
    ///
    /// ```standalone_crate
    /// # use durable::prelude::*;
    /// # #[orchestrator]
    /// # async fn double(ctx: &OrchestrationContext, n: u32) -> Result<u32> { Ok(2 * n) }
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// # let hub = TaskHub::builder().in_memory().open().await?;
    /// let run = hub.start(double(4)).await?;
    /// run.result().await?;
    /// let details = run.details().await?;
    /// assert_eq!(details.input_as::<u32>()?, 4);
    /// assert_eq!(details.output_as::<u32>()?, Some(8));
    /// # hub.shutdown().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// It is not a `T`.
    pub fn input_as<T: Payload>(&self) -> crate::Result<T> {
        self.input.read()
    }

    /// What it returned, read as a `T`; `None` if it has not.
    ///
    /// # Errors
    /// It is not a `T`.
    pub fn output_as<T: Payload>(&self) -> crate::Result<Option<T>> {
        self.output.as_ref().map(Json::read).transpose()
    }
}

impl InstanceHandle {
    /// The status of the instance.
    ///
    /// # Errors
    /// There is no such instance, the hub was shut down, or its store failed.
    pub async fn status(&self) -> Result<InstanceStatus, HubError> {
        Ok(self.record().await?.into())
    }

    /// The status of the instance as it is stored.
    async fn record(&self) -> Result<InstanceRecord, HubError> {
        let id = self.instance_id.clone();
        let record = self.hub.read(move |store| store.instance(&id)).await?;
        record.ok_or_else(|| HubError::NoSuchInstance(self.instance_id.clone()))
    }

    /// The status of the instance, its input, output and failure.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn details(&self) -> Result<InstanceDetails, HubError> {
        let (record, history) = self.record_and_history().await?;
        let mut details = InstanceDetails {
            status: record.into(),
            input: Json::null(),
            output: None,
            failure: None,
        };
        for event in history {
            match event.kind {
                EventKind::ExecutionStarted(started) => details.input = started.input,
                EventKind::ExecutionCompleted { result, failure, .. } => {
                    (details.output, details.failure) = (result, failure);
                }
                _ => {}
            }
        }
        Ok(details)
    }

    /// The custom status that the orchestrator set last, read as a `T`; `None` if it set none.
    ///
    /// # Errors
    /// As [`status`](Self::status); or [`HubError::Unreadable`] if it is not a `T`.
    #[doc(alias = "query")]
    #[doc(alias = "progress")]
    pub async fn custom_status<T: Payload>(&self) -> Result<Option<T>, HubError> {
        let status = self.status().await?.custom_status;
        status.map(|status| self.read_custom_status(&status)).transpose()
    }

    pub(crate) fn read_custom_status<T: Payload>(&self, status: &Json) -> Result<T, HubError> {
        serde_json::from_str(status.as_str()).map_err(|error| HubError::Unreadable {
            what: format!("the custom status of instance `{}`", self.instance_id),
            reason: error.to_string(),
        })
    }

    /// The history of the present execution, in order.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn history(&self) -> Result<Vec<HistoryEvent>, HubError> {
        Ok(self.record_and_history().await?.1)
    }

    /// The record of the instance, with the history of its present execution.
    pub(crate) async fn record_and_history(
        &self,
    ) -> Result<(InstanceRecord, Vec<HistoryEvent>), HubError> {
        loop {
            let record = self.record().await?;
            let (id, execution) = (record.instance_id.clone(), record.execution_id);
            let history = self.hub.read(move |store| store.history(&id, execution, 0)).await?;
            // If it continued as new between the two reads, the history read is shorter.
            if history.len() as u64 >= record.history_len {
                return Ok((record, history));
            }
        }
    }
}
