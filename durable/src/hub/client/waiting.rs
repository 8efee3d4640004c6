//! Waiting until an instance has started or ended. The request is mail, and the partition replies when
//! the instance gets there.

use tokio::sync::oneshot;

use super::instance::InstanceHandle;
use super::status::InstanceStatus;
use crate::hub::error::HubError;
use crate::hub::mail::{Ended, Mail};

impl InstanceHandle {
    /// Waits until the instance has begun: returns at once, unless its [start is
    /// delayed](crate::Call::start_at).
    ///
    /// ```
    /// # use durable::TaskHub;
    /// use durable::client::NamedCall;
    /// use std::time::Duration;
    ///
    /// async fn start_later(hub: &TaskHub) -> durable::Result<()> {
    ///     let call = NamedCall::new("report").start_at(Duration::from_secs(60));
    ///     let report = hub.start_named(call).await?;
    ///     report.wait_for_start().await?; // returns after a minute
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// If the instance does not exist, or the hub stops first.
    pub async fn wait_for_start(&self) -> Result<(), HubError> {
        self.hub.check()?;
        let (reply, begun) = oneshot::channel();
        let instance_id = self.instance_id.clone();
        let mail = Mail::WaitForStart { instance_id, reply: reply.into() };
        self.hub.request(&self.instance_id, mail).await?;
        let exists = self.hub.replied(begun).await?;
        exists.then_some(()).ok_or_else(|| HubError::NoSuchInstance(self.instance_id.clone()))
    }

    /// Waits until the instance has ended, or is suspended because of its code, and returns its
    /// status at that time, even if the hub's [retention](crate::client::TaskHubBuilder::retention)
    /// purges it at once.
    ///
    /// ```
    /// use durable::RuntimeStatus;
    /// use durable::client::{HubError, InstanceHandle};
    ///
    /// /// Waits for an instance of any orchestration, whatever its outcome.
    /// async fn has_succeeded(instance: &InstanceHandle) -> Result<bool, HubError> {
    ///     let status = instance.wait_for_completion().await?;
    ///     Ok(status.runtime_status == RuntimeStatus::Completed)
    /// }
    /// ```
    ///
    /// # Errors
    /// If the instance does not exist, or the hub stops first.
    pub async fn wait_for_completion(&self) -> Result<InstanceStatus, HubError> {
        Ok(self.ended().await?.record.into())
    }

    pub(crate) async fn ended(&self) -> Result<Box<Ended>, HubError> {
        self.hub.check()?;
        let (reply, ended) = oneshot::channel();
        let instance_id = self.instance_id.clone();
        self.hub
            .request(&self.instance_id, Mail::Wait { instance_id, reply: reply.into() })
            .await?;
        let ended = self.hub.passing_time(ended).await;
        let ended = ended.unwrap_or_else(|| Err(self.hub.error()))?;
        ended.ok_or_else(|| HubError::NoSuchInstance(self.instance_id.clone()))
    }
}
