//! Reading the status, details and history of an instance.

use super::instance::InstanceHandle;
use super::status::InstanceStatus;
use super::values::{self, InstanceDetails};
use crate::hub::error::{HubError, Unreadable};
use crate::payload::Payload;
use crate::protocol::{HistoryEvent, InstanceRecord, Json};

impl InstanceHandle {
    /// Returns the status of the instance.
    ///
    /// ```
    /// use durable::RuntimeStatus;
    /// use durable::client::{HubError, InstanceHandle};
    ///
    /// async fn is_suspended(instance: &InstanceHandle) -> Result<bool, HubError> {
    ///     Ok(instance.status().await?.runtime_status == RuntimeStatus::Suspended)
    /// }
    /// ```
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
    /// [`InstanceQuery::with_values`](crate::client::InstanceQuery::with_values) returns the same
    /// for many instances.
    ///
    /// ```
    /// use durable::client::InstanceHandle;
    ///
    /// async fn input(instance: &InstanceHandle) -> durable::Result<Vec<String>> {
    ///     Ok(instance.details().await?.input_as()?)
    /// }
    /// ```
    ///
    /// # Errors
    /// The same as [`status`](Self::status).
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
    /// ```
    /// use durable::client::{HubError, InstanceHandle};
    ///
    /// /// The progress in percent that the orchestrator set with `ctx.set_custom_status(&percent)`.
    /// async fn progress(instance: &InstanceHandle) -> Result<u32, HubError> {
    ///     Ok(instance.custom_status().await?.unwrap_or_default())
    /// }
    /// ```
    ///
    /// # Errors
    /// The same as [`status`](Self::status); or [`HubError::Unreadable`] if the custom status is
    /// not a `T`.
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
    /// ```
    /// use durable::client::{HubError, InstanceHandle};
    ///
    /// async fn print(instance: &InstanceHandle) -> Result<(), HubError> {
    ///     for event in instance.history().await? {
    ///         println!("{} {:?}", event.timestamp, event.kind);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// The same as [`status`](Self::status).
    pub async fn history(&self) -> Result<Vec<HistoryEvent>, HubError> {
        Ok(self.record_and_history().await?.1)
    }

    /// Returns the status of the instance and the history of its current execution as of the same
    /// moment, with one read instead of two.
    ///
    /// The history may have a few events more than
    /// [`history_len`](crate::client::InstanceStatus::history_len) says.
    ///
    /// ```
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
    /// The same as [`status`](Self::status).
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
