//! Starting instances, by a typed call or by name.

use std::borrow::Cow;
use std::rc::Rc;

use super::handle::OrchestrationHandle;
use super::instance::InstanceHandle;
use super::reply::Reply;
use super::start_request::StartRequest;
use crate::call::{Call, CallOptions, CallUse, CalledVersion, NamedCall, NoEffect};
use crate::definition::Orchestrator;
use crate::definition::display_name;
use crate::hub::error::{HubError, StartError};
use crate::hub::task_hub::TaskHub;
use crate::orchestration::OrchestrationContext;
use crate::orchestration::scope::Scope;
use crate::panics;
use crate::payload::InvalidPayload;
use crate::protocol::{ExecutionId, ExecutionStarted, InstanceId, Json};
use crate::registry::Runner;

impl TaskHub {
    /// Starts an instance. When the returned future completes, the start is durable.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[orchestrator]
    /// # async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<u32> { Ok(cents) }
    /// # async fn buy(hub: TaskHub) -> Result<()> {
    /// let run = hub.start(order(500).instance_id("order-17")).await?;
    /// let paid = run.result().await?;
    /// # Ok(())
    /// # }
    /// ```
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
        let instance_id = self.request_start(typed_request(call)?).await?;
        Ok(OrchestrationHandle::new(self.clone(), instance_id))
    }

    /// Starts an instance, or returns the handle of the existing one if the id is taken, whatever
    /// its status. Of several concurrent callers, exactly one starts it.
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
    /// The same as [`start`](Self::start), except [`StartError::AlreadyExists`]; and
    /// [`StartError::Hub`] with [`HubError::OtherOrchestration`] if the id is that of another
    /// orchestration's instance.
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

    /// Starts an instance by the name of its orchestration, with JSON; see [`NamedCall`]. When the
    /// returned future completes, the start is durable.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable::client::NamedCall;
    ///
    /// # #[orchestrator]
    /// # async fn greet(ctx: &OrchestrationContext, city: String) -> Result<String> {
    /// #     Ok(format!("Hello {city}!"))
    /// # }
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().open().await?;
    /// let run = hub.start_named(NamedCall::new("greet").input("Tokyo")).await?;
    /// assert_eq!(run.result_json().await?.as_str(), r#""Hello Tokyo!""#);
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The same as [`start`](Self::start). [`StartError::NotRegistered`] lists the registered
    /// orchestrations. Those of this crate itself, whose names begin with `durable.`, cannot be
    /// started by name.
    pub fn start_named(
        &self,
        call: impl Into<NamedCall>,
    ) -> Reply<Result<InstanceHandle, StartError>> {
        let (hub, call) = (self.clone(), call.into());
        Reply::new(async move { hub.start_named_now(call).await })
    }

    async fn start_named_now(&self, call: NamedCall) -> Result<InstanceHandle, StartError> {
        let NamedCall { name, version, input, options } = call;
        let version = self.version_called(&name, version)?;
        let request = request(name, version, input, options)?;
        let instance_id = self.request_start(request).await?;
        Ok(InstanceHandle { hub: self.clone(), instance_id })
    }

    /// Like [`start_if_absent`](Self::start_if_absent), but by the name of the orchestration.
    ///
    /// ```
    /// # use durable::TaskHub;
    /// use durable::client::{InstanceHandle, NamedCall, StartError};
    ///
    /// /// Starts the import of a file, unless it was started before.
    /// async fn import(hub: &TaskHub, file: &str) -> Result<InstanceHandle, StartError> {
    ///     let call = NamedCall::new("import").input(&(file,)).instance_id(format!("import-{file}"));
    ///     hub.start_named_if_absent(call).await
    /// }
    /// ```
    ///
    /// # Errors
    /// The same as [`start_named`](Self::start_named), except [`StartError::AlreadyExists`]; and
    /// [`StartError::Hub`] with [`HubError::OtherOrchestration`] if the id is that of another
    /// orchestration's instance.
    pub fn start_named_if_absent(
        &self,
        call: impl Into<NamedCall>,
    ) -> Reply<Result<InstanceHandle, StartError>> {
        let (hub, call) = (self.clone(), call.into());
        Reply::new(async move {
            let wanted = call.name.clone();
            let instance_id = match hub.start_named_now(call).await {
                Err(StartError::AlreadyExists { instance_id, .. }) => instance_id,
                started => return started,
            };
            let instance = InstanceHandle { hub, instance_id };
            let found = instance.status().await?.name;
            if found == wanted {
                return Ok(instance);
            }
            let (instance_id, wanted) = (instance.instance_id, wanted.into_owned());
            Err(HubError::OtherOrchestration { instance_id, found, wanted }.into())
        })
    }

    /// Checks whether the orchestration of a call can read the call's input. Nothing is started:
    /// only the orchestrator's parameters are read. A mock accepts every input.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable::client::{NamedCall, StartError};
    ///
    /// #[orchestrator(name = "order")]
    /// async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
    ///     Ok(cents)
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().open().await?;
    /// hub.check_input(&NamedCall::new("order").input(&500))?;
    /// let refused = hub.check_input(&NamedCall::new("order").input(&"500"));
    /// assert!(matches!(refused, Err(StartError::UnreadableInput { .. })));
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StartError::UnreadableInput`] if it cannot read the input, [`StartError::InvalidInput`] if
    /// the input cannot be stored, [`StartError::NotRegistered`] if this hub does not know the
    /// orchestration.
    pub fn check_input(&self, call: &NamedCall) -> Result<(), StartError> {
        let version = self.version_called(&call.name, call.version.clone())?;
        let name = || call.name.to_string();
        let input = call.input.clone();
        let input = input.map_err(|reason| StartError::InvalidInput { name: name(), reason })?;
        self.can_start(&call.name, version.as_deref(), &input)?;
        let registry = &self.inner.registry;
        let Some(entry) = registry.orchestrator_for(&call.name, version.as_deref()) else {
            return Ok(());
        };
        let Some(Runner::Function(run)) = registry.runner(entry) else { return Ok(()) };
        let (id, execution) = (InstanceId::generate(), ExecutionId::generate());
        let scope = Rc::new(Scope::new(id, execution, self.now(), self.inner.limits));
        let started = ExecutionStarted::new(entry.name, version, input.clone(), execution);
        let context = OrchestrationContext::new(entry.name, Rc::new(started), scope);
        // Reading the input runs user code, and so does dropping the result.
        let read = panics::catch(|| run(context, input).map(drop)).flatten();
        read.map_err(|failure| StartError::UnreadableInput {
            name: name(),
            failure: Box::new(failure),
        })
    }

    /// The version that a call by name resolves to.
    pub(crate) fn version_called(
        &self,
        name: &str,
        version: CalledVersion,
    ) -> Result<Option<String>, StartError> {
        let registry = &self.inner.registry;
        let newest = registry.newest_orchestrator(name);
        let not_registered = |version: Option<&str>| StartError::NotRegistered {
            name: display_name(name, version),
            registered: registry.orchestrator_names(),
        };
        match version {
            CalledVersion::Exactly(version) if newest.is_some() => Ok(version),
            CalledVersion::Exactly(version) => Err(not_registered(version.as_deref())),
            CalledVersion::Newest => match newest {
                Some(entry) => Ok(entry.version.map(str::to_owned)),
                None => Err(not_registered(None)),
            },
        }
    }
}

/// Builds the request for a typed call.
fn typed_request<O: Orchestrator>(call: Call<O>) -> Result<StartRequest, StartError> {
    let entry = O::ENTRY;
    let mut options = call.options.map_or_else(CallOptions::default, |options| *options);
    let version = options.version.take().or_else(|| entry.version.map(str::to_owned));
    request(Cow::Borrowed(entry.name), version, call.input, options)
}

/// Builds the request for a call.
fn request(
    name: Cow<'static, str>,
    version: Option<String>,
    input: Result<Json, Box<InvalidPayload>>,
    options: CallOptions,
) -> Result<StartRequest, StartError> {
    let name = name.into_owned();
    if let Err(NoEffect { option, instead }) = options.check(CallUse::Started) {
        return Err(StartError::CallOption { name, option, instead });
    }
    let input = match input {
        Ok(input) => input,
        Err(reason) => return Err(StartError::InvalidInput { name, reason }),
    };
    let is_new_id = options.instance_id.is_none();
    let instance_id = match options.instance_id {
        Some(id) => id?,
        None => InstanceId::generate(),
    };
    Ok(StartRequest {
        instance_id,
        is_new_id,
        name,
        version,
        input,
        tags: options.tags,
        trace_context: options.trace_context,
        start_at: options.start_at,
        replaces: options.replaces,
    })
}
