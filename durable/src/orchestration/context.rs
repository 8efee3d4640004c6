//! The context of an orchestrator: its first parameter.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Display;
use std::panic::Location;
use std::rc::Rc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::external_event::ExternalEventWait;
use super::request::{Ask, ChildOptions, FunctionCall, Request, TaskOptions};
use super::scope::{CustomStatus, Scope};
use super::serialize::written;
use super::timer::{Timer, When};
use crate::chance;
use crate::error::{Error, Result};
use crate::event::{ExternalEvent, check_name};
use crate::payload::{InvalidPayload, Payload, payload};
use crate::protocol::{
    ExecutionId, ExecutionStarted, InstanceId, Json, ParentInstance, Tags, TraceContext,
    compare_versions,
};

/// The context of an orchestrator: its first parameter. It describes the instance and makes
/// requests for it.
///
/// All its methods return the same values in every replay.
///
/// ```
/// # use durable::prelude::*;
/// # #[activity]
/// # async fn remind(deadline: String) -> Result<()> { Ok(()) }
/// #[orchestrator]
/// async fn order(ctx: &OrchestrationContext, days: i64) -> Result<String> {
///     // Not the machine's clock, which shows another time in every replay.
///     let deadline = ctx.current_utc_datetime() + chrono::Duration::days(days);
///     remind(deadline.to_rfc3339()).await?;
///     Ok(format!("reminded for {}", ctx.instance_id()))
/// }
/// ```
#[derive(Debug)]
pub struct OrchestrationContext {
    name: &'static str,
    started: Rc<ExecutionStarted>,
    scope: Rc<Scope>,
}

impl OrchestrationContext {
    pub(crate) fn new(name: &'static str, started: Rc<ExecutionStarted>, scope: Rc<Scope>) -> Self {
        Self { name, started, scope }
    }

    pub(crate) fn scope(&self) -> &Rc<Scope> {
        &self.scope
    }

    /// Returns the name of the orchestration.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Returns the version with which the instance was started.
    pub fn version(&self) -> Option<&str> {
        self.started.version.as_deref()
    }

    /// Compares the version with which the instance was started to `version`: as numbers separated
    /// by dots if both have this form, and otherwise as text without regard to case. An instance
    /// without a version comes before all others.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[activity]
    /// # async fn ship(parcel: &str) -> Result<()> { Ok(()) }
    /// # #[activity]
    /// # async fn ship_insured(parcel: &str) -> Result<()> { Ok(()) }
    /// #[orchestrator(version = "1.10")]
    /// async fn order(ctx: &OrchestrationContext, parcel: String) -> Result<()> {
    ///     if ctx.compare_version_to("1.9").is_gt() {
    ///         ship_insured(&parcel).await?;
    ///     } else {
    ///         ship(&parcel).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn compare_version_to(&self, version: &str) -> Ordering {
        compare_versions(self.version(), Some(version))
    }

    /// Returns the id of the instance.
    pub fn instance_id(&self) -> &InstanceId {
        &self.scope.instance_id
    }

    /// Returns the instance that waits for the result, if this is a sub-orchestration.
    pub fn parent(&self) -> Option<&ParentInstance> {
        self.started.parent.as_ref()
    }

    /// Returns the tags of the instance, including those of its parent.
    pub fn tags(&self) -> &Tags {
        &self.started.tags
    }

    /// Returns a property that the hub had when this execution began; see
    /// [`TaskHubBuilder::property`](crate::client::TaskHubBuilder::property).
    pub fn property(&self, key: &str) -> Option<&str> {
        self.started.properties.get(key).map(String::as_str)
    }

    /// Returns the trace that the instance is part of, if it was started with one.
    pub fn trace_context(&self) -> Option<&TraceContext> {
        self.started.trace_context.as_ref()
    }

    /// Returns the number of the current execution of the instance, counted from 0. Each
    /// [`continue_as_new`](Self::continue_as_new) increments it.
    pub fn generation(&self) -> u64 {
        self.started.generation
    }

    /// Returns the id of the current execution.
    pub fn execution_id(&self) -> ExecutionId {
        self.scope.execution_id
    }

    /// Returns the time at which the current episode began. It does not change between two awaits.
    #[doc(alias = "now")]
    pub fn current_utc_datetime(&self) -> DateTime<Utc> {
        self.scope.clock().to_datetime()
    }

    /// Returns `true` while the orchestrator is being replayed.
    ///
    /// Use this for logging. An orchestrator whose decisions depend on it is not deterministic.
    pub fn is_replaying(&self) -> bool {
        self.scope.is_replaying()
    }

    /// Returns a unique GUID that is the same in every replay.
    ///
    /// It is derived as in Durable Functions: version 5, from the instance id, the time of the
    /// episode and a counter. After a continue-as-new the execution id replaces the instance id,
    /// because two executions of an instance may begin at the same time.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[activity]
    /// # async fn reserve(order: String) -> Result<()> { let _ = order; Ok(()) }
    /// #[orchestrator]
    /// async fn order(ctx: &OrchestrationContext) -> Result<()> {
    ///     Ok(reserve(ctx.new_guid().to_string()).await?) // the same in every replay
    /// }
    /// ```
    #[doc(alias = "uuid")]
    pub fn new_guid(&self) -> Uuid {
        const NAMESPACE: Uuid = Uuid::from_u128(0x9e95_2958_5e33_4daf_827f_2fa1_2937_b875);
        let time = self.current_utc_datetime().format("%Y-%m-%dT%H:%M:%S%.6f");
        // Generations that begin at the same time need different names.
        let of: &dyn Display = match self.generation() {
            1.. if self.scope.replay_version() >= 1 => &self.scope.execution_id,
            _ => self.instance_id(),
        };
        let name = format!("{of}_{time}0Z_{}", self.scope.next_guid());
        Uuid::new_v5(&NAMESPACE, name.as_bytes())
    }

    /// Returns a random number that is the same in every replay.
    ///
    /// Use it for a choice, a delay or a sample, but not for secrets: it is derived from ids, which
    /// are not secret.
    #[doc(alias = "rand")]
    pub fn random_u64(&self) -> u64 {
        let (high, low) = Uuid::from_bytes(*self.execution_id().as_bytes()).as_u64_pair();
        chance::number(high ^ low, self.scope.next_random())
    }

    /// Returns a random number in `0.0..1.0` that is the same in every replay.
    pub fn random_f64(&self) -> f64 {
        chance::fraction(self.random_u64())
    }

    /// Sets the custom status, which clients can read: any serializable value of up to 16 KiB as
    /// JSON. A new status replaces the previous one, also across
    /// [`continue_as_new`](Self::continue_as_new).
    ///
    /// # Errors
    /// If the value cannot be serialized or is too large; the previous status then remains.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[activity]
    /// # async fn convert(page: u32) -> Result<()> { Ok(()) }
    /// #[orchestrator]
    /// async fn convert_all(ctx: &OrchestrationContext, pages: u32) -> Result<()> {
    ///     for page in 0..pages {
    ///         ctx.set_custom_status(&format!("page {page} of {pages}"))?;
    ///         convert(page).await?;
    ///     }
    ///     ctx.clear_custom_status();
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias = "query")]
    #[doc(alias = "progress")]
    pub fn set_custom_status(&self, status: &(impl Serialize + ?Sized)) -> Result<()> {
        let json = written("the custom status", status).map_err(recorded)?;
        let max = self.scope.limits().custom_status;
        if json.len() > max {
            return Err(Error::msg(format!(
                "the custom status has {} bytes, and it may have {max}: say less, or raise \
                 `TaskHub::builder().max_custom_status(..)`",
                json.len()
            )));
        }
        self.set_status_unchecked(Json::trusted(json));
        Ok(())
    }

    /// Sets the custom status regardless of the limit: for the orchestrators of this crate.
    pub(crate) fn set_status_unchecked(&self, status: Json) {
        self.scope.set_custom_status(CustomStatus::Set(status));
    }

    /// Removes the custom status; see [`set_custom_status`](Self::set_custom_status).
    pub fn clear_custom_status(&self) {
        self.scope.set_custom_status(CustomStatus::Cleared);
    }

    /// Creates a durable timer that is due after a duration, or at a point in time. It survives
    /// restarts and may run for years. An instance that only waits for a timer needs no memory.
    /// Dropping the timer cancels it.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use std::time::Duration;
    /// # #[activity]
    /// # async fn remind(whom: &str) -> Result<()> { Ok(()) }
    /// #[orchestrator]
    /// async fn reminder(ctx: &OrchestrationContext, whom: String) -> Result<()> {
    ///     for _day in 0..3 {
    ///         ctx.create_timer(Duration::from_hours(24)).await;
    ///         remind(&whom).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[track_caller]
    #[doc(alias = "sleep")]
    #[doc(alias = "delay")]
    pub fn create_timer(&self, when: impl When) -> Timer {
        Timer::new(Rc::clone(&self.scope), when, Location::caller())
    }

    /// Waits for the next external event of this name, and reads its payload as a `T`. Clients and
    /// other instances [raise](crate::InstanceHandle::raise_event) events.
    ///
    /// Names are compared ignoring case. Events that arrive before a wait are buffered in order.
    /// Dropping a wait loses no event. If the payload cannot be read as a `T`, the wait fails and
    /// the event is consumed.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use durable::task::Race2;
    /// # use std::time::Duration;
    /// #[orchestrator]
    /// async fn approval(ctx: &OrchestrationContext) -> Result<bool> {
    ///     let three_days = ctx.create_timer(Duration::from_hours(72));
    ///     let answer = ctx.wait_for_external_event::<bool>("Approval");
    ///     match durable::race((answer, three_days)).await {
    ///         Race2::First(approved) => Ok(approved?),
    ///         Race2::Second(()) => Ok(false),
    ///     }
    /// }
    /// ```
    #[doc(alias = "signal")]
    #[doc(alias = "wait_signal")]
    #[track_caller]
    pub fn wait_for_external_event<T: Payload>(&self, name: &str) -> ExternalEventWait<T> {
        ExternalEventWait::new(Rc::clone(&self.scope), name, payload(), Location::caller())
    }

    /// Waits for the next event of the declared type `T`; see [`event`](macro@crate::event).
    ///
    /// ```
    /// # use durable::prelude::*;
    /// #[durable::event]
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Approval {
    ///     by: String,
    /// }
    ///
    /// #[orchestrator]
    /// async fn order(ctx: &OrchestrationContext) -> Result<String> {
    ///     let approval: Approval = ctx.wait_for_event().await?;
    ///     Ok(approval.by)
    /// }
    /// ```
    #[track_caller]
    pub fn wait_for_event<T: ExternalEvent>(&self) -> ExternalEventWait<T> {
        ExternalEventWait::new(Rc::clone(&self.scope), T::NAME, T::codec(), Location::caller())
    }

    /// Raises an external event in another instance, without confirmation: an event for an instance
    /// that does not exist or has ended is dropped with a warning in the log.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// #[orchestrator]
    /// async fn finish(ctx: &OrchestrationContext, waiting: Vec<String>) -> Result<()> {
    ///     for instance in waiting {
    ///         ctx.send_event(instance, "finished", &ctx.instance_id())?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// If the id is invalid, the payload cannot be serialized or is too large, or the execution has
    /// reached its limit of requests ([`max_actions`](crate::client::TaskHubBuilder::max_actions)).
    /// Nothing is sent then.
    #[track_caller]
    #[doc(alias = "signal_external_workflow")]
    pub fn send_event(
        &self,
        instance_id: impl AsRef<str>,
        name: &str,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<()> {
        let source = Location::caller();
        let instance_id = InstanceId::new(instance_id)?;
        check_name(name).map_err(Error::msg)?;
        let input = Json::trusted(written("the event", payload).map_err(recorded)?);
        if let Some(refused) = self.scope.refuses_one_way("the event", &input) {
            return Err(refused.into());
        }
        let ask = Ask::SendEvent { instance_id, name: name.to_owned(), input };
        self.scope.request(Box::new(Request { ask, source }));
        Ok(())
    }

    /// Starts an orchestration by name. The name and the input come from a record, and were checked
    /// when the record was made.
    #[cfg_attr(not(feature = "schedules"), allow(dead_code, reason = "for schedules"))]
    #[track_caller]
    pub(crate) fn start_named(&self, start: NamedStart) {
        let NamedStart { instance_id, name, version, input, tags } = start;
        let options = TaskOptions { tags, ..TaskOptions::default() };
        let call = FunctionCall { name: Cow::Owned(name), version, input, options };
        let child = ChildOptions { detached: true, start_at: None };
        let ask = Ask::SubOrchestration { call, instance_id: Some(instance_id), child };
        self.scope.request(Box::new(Request { ask, source: Location::caller() }));
    }

    /// Decides whether to run the new version of code that was changed while instances were
    /// running.
    ///
    /// Returns `true` and records this decision if an instance reaches this point for the first
    /// time. Returns `false` if the execution passed this point before the change: it must run the
    /// old code, to match its history. The condition can be removed when no instance from before
    /// the change is left.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[activity]
    /// # async fn charge(cents: u32) -> Result<()> { Ok(()) }
    /// # #[activity]
    /// # async fn reserve_and_charge(cents: u32) -> Result<()> { Ok(()) }
    /// #[orchestrator]
    /// async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<()> {
    ///     if ctx.patched("reserve-first") {
    ///         reserve_and_charge(cents).await?;
    ///     } else {
    ///         charge(cents).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias = "get_version")]
    pub fn patched(&self, id: &str) -> bool {
        self.scope.patched(id)
    }
}

/// The error of an orchestrator whose value cannot be stored.
#[expect(clippy::boxed_local, clippy::needless_pass_by_value, reason = "for `map_err`")]
fn recorded(invalid: Box<InvalidPayload>) -> Error {
    Error::msg(invalid.recorded())
}

/// An orchestration to start by name, and its instance id.
#[cfg_attr(not(feature = "schedules"), allow(dead_code, reason = "for schedules"))]
#[derive(Clone, Debug)]
pub(crate) struct NamedStart {
    pub(crate) instance_id: InstanceId,
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) input: Json,
    pub(crate) tags: Tags,
}
