//! Starting instances.

use super::handle::OrchestrationHandle;
use super::reply::Reply;
use super::start_request::StartRequest;
use crate::call::{Call, CallOptions};
use crate::hub::error::{HubError, StartError};
use crate::hub::task_hub::TaskHub;
use crate::orchestration::Orchestrator;
use crate::protocol::InstanceId;

impl TaskHub {
    /// Starts an instance. When what this returns is awaited and done, the start is durable.
    ///
    /// # Errors
    /// [`StartError::AlreadyExists`] if the id is taken (see [`Call::replace_if`]),
    /// [`StartError::NotRegistered`] if this hub does not know the orchestration,
    /// [`StartError::InvalidInstanceId`], [`StartError::InvalidInput`], [`StartError::CallOption`],
    /// [`StartError::InvalidTraceContext`]; [`StartError::NoRoom`] while the disk is nearly full.
    pub fn start<O: Orchestrator>(
        &self,
        call: Call<O>,
    ) -> Reply<Result<OrchestrationHandle<O>, StartError>> {
        let hub = self.clone();
        Reply::new(async move { hub.start_now(call).await })
    }

    async fn start_now<O: Orchestrator>(
        &self,
        call: Call<O>,
    ) -> Result<OrchestrationHandle<O>, StartError> {
        let request = request(call)?;
        let instance_id = request.instance_id.clone();
        self.request_start(request).await?;
        Ok(OrchestrationHandle::new(self.clone(), instance_id))
    }

    /// Starts an instance, unless there is one with its id already: then that one's handle is
    /// given, however far it is. Of several who do this at the same time, one starts.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[orchestrator]
    /// # async fn nightly(ctx: &OrchestrationContext) -> Result<()> { Ok(()) }
    /// # async fn go_on(hub: TaskHub) -> Result<()> {
    /// let run = hub.start_if_absent(nightly().instance_id("nightly-2026-01-04")).await?;
    /// run.result().await?; // of this start or an earlier one
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`start`](Self::start), but for [`StartError::AlreadyExists`]; and [`StartError::Hub`]
    /// with [`HubError::OtherOrchestration`] if the id is that of another orchestration's instance.
    pub fn start_if_absent<O: Orchestrator>(
        &self,
        call: Call<O>,
    ) -> Reply<Result<OrchestrationHandle<O>, StartError>> {
        let hub = self.clone();
        Reply::new(async move {
            match hub.start_now(call).await {
                Err(StartError::AlreadyExists { instance_id, .. }) => {
                    let found = hub.find_instance::<O>(instance_id.as_str()).await?;
                    found.ok_or_else(|| HubError::NoSuchInstance(instance_id).into())
                }
                started => started,
            }
        })
    }
}

/// What a call asks for.
fn request<O: Orchestrator>(call: Call<O>) -> Result<StartRequest, StartError> {
    let entry = O::ENTRY;
    let invalid = |reason| StartError::InvalidInput { name: entry.name.to_owned(), reason };
    let input = call.input.map_err(invalid)?;
    let options = call.options.map_or_else(CallOptions::default, |options| *options);
    if let Some(option) = options.of_waiting() {
        return Err(StartError::CallOption { name: entry.name.to_owned(), option });
    }
    let instance_id = match options.instance_id {
        Some(id) => InstanceId::new(id)?,
        None => InstanceId::generate(),
    };
    Ok(StartRequest {
        instance_id,
        name: entry.name.to_owned(),
        version: options.version.or_else(|| entry.version.map(str::to_owned)),
        input,
        tags: options.tags,
        trace_context: options.start.trace_context,
        start_at: options.start.start_at,
        replaces: options.start.replaces,
    })
}
