//! Reading the status, details and history of an instance.

use serde::Serialize;

use super::instance::InstanceHandle;
use super::status::InstanceStatus;
use super::values;
use crate::hub::error::{HubError, Unreadable};
use crate::payload::Payload;
use crate::protocol::{FailureDetails, HistoryEvent, InstanceRecord, Json};

/// The status of an instance with its input, output and failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InstanceDetails {
    /// The status. Serialized to JSON, its fields are inlined.
    #[serde(flatten)]
    pub status: InstanceStatus,
    /// Its input; after a continue-as-new, that of the current execution.
    pub input: Json,
    /// Its result, if it has completed.
    pub output: Option<Json>,
    /// Why it failed or was terminated, if it has or was.
    pub failure: Option<FailureDetails>,
    /// The reason given by whoever terminated it, if it was terminated.
    pub termination_reason: Option<String>,
}

impl InstanceDetails {
    /// Deserializes the input into a `T`: the parameter of the orchestrator, or a tuple if it has
    /// several.
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
    /// # Ok(hub.shutdown().await?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the input is not a `T`.
    pub fn input_as<T: Payload>(&self) -> Result<T, Unreadable> {
        self.read("input", &self.input)
    }

    /// Deserializes the output into a `T`; `None` if the instance has not completed.
    ///
    /// # Errors
    /// If the output is not a `T`.
    pub fn output_as<T: Payload>(&self) -> Result<Option<T>, Unreadable> {
        self.output.as_ref().map(|output| self.read("result", output)).transpose()
    }

    fn read<T: Payload>(&self, what: &str, json: &Json) -> Result<T, Unreadable> {
        json.read().map_err(|error| {
            let id = &self.status.instance_id;
            Unreadable::new::<T>(format!("the {what} of instance `{id}`"), error)
        })
    }
}

impl InstanceHandle {
    /// Returns the status of the instance.
    ///
    /// # Errors
    /// If the instance does not exist, the hub was shut down, or its store failed.
    pub async fn status(&self) -> Result<InstanceStatus, HubError> {
        Ok(self.record().await?.into())
    }

    /// Reads the record of the instance.
    async fn record(&self) -> Result<InstanceRecord, HubError> {
        let id = self.instance_id.clone();
        let record = self.hub.read(move |store| store.instance(&id)).await?;
        record.ok_or_else(|| HubError::NoSuchInstance(self.instance_id.clone()))
    }

    /// Returns the status of the instance with its input, output and failure.
    /// [`InstanceQuery::with_values`](crate::client::InstanceQuery::with_values) returns those of many
    /// instances.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn details(&self) -> Result<InstanceDetails, HubError> {
        let id = self.instance_id.clone();
        let read = self.hub.read(move |store| {
            let Some(record) = store.instance(&id)? else { return Ok(None) };
            values::read(store, record, |_| true)
        });
        read.await?.ok_or_else(|| HubError::NoSuchInstance(self.instance_id.clone()))
    }

    /// Returns the custom status that was set last, deserialized into a `T`; `None` if none was
    /// set.
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
        status.read().map_err(|error| {
            let what = format!("the custom status of instance `{}`", self.instance_id);
            HubError::Unreadable(Unreadable::new::<T>(what, error))
        })
    }

    /// Returns the history of the current execution, in order.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn history(&self) -> Result<Vec<HistoryEvent>, HubError> {
        Ok(self.record_and_history().await?.1)
    }

    /// The status of the instance and the history of its present execution, of the same moment: one
    /// read instead of two.
    ///
    /// The history may have a few events more than
    /// [`history_len`](crate::client::InstanceStatus::history_len) says.
    ///
    /// ```standalone_crate
    /// # use durable::prelude::*;
    /// # #[orchestrator]
    /// # async fn order(ctx: &OrchestrationContext) -> Result<()> { Ok(()) }
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().open().await?;
    /// let run = hub.start(order()).await?;
    /// run.result().await?;
    /// let (status, history) = run.status_and_history().await?;
    /// assert_eq!(status.history_len, history.len() as u64);
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn status_and_history(
        &self,
    ) -> Result<(InstanceStatus, Vec<HistoryEvent>), HubError> {
        let (record, history) = self.record_and_history().await?;
        Ok((record.into(), history))
    }

    /// Reads the record of the instance and the history of its current execution.
    pub(crate) async fn record_and_history(
        &self,
    ) -> Result<(InstanceRecord, Vec<HistoryEvent>), HubError> {
        loop {
            let id = self.instance_id.clone();
            let read = self.hub.read(move |store| {
                let Some(record) = store.instance(&id)? else { return Ok(None) };
                let history = store.history(&id, record.execution_id, 0)?;
                Ok(Some((record, history)))
            });
            let no_such_instance = || HubError::NoSuchInstance(self.instance_id.clone());
            let (record, history) = read.await?.ok_or_else(no_such_instance)?;
            // If it continued as new between the two reads, the history read is shorter.
            if history.len() as u64 >= record.history_len {
                return Ok((record, history));
            }
        }
    }
}
