//! A call as a value: made by an annotated function's constructor, then awaited, spawned or started.
//!
//! Read next: `options.rs` (which option has an effect where), `named.rs` (calls without types).

mod in_orchestrator;
mod named;
mod options;

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::time::Duration;

pub(crate) use self::named::CalledVersion;
pub use self::named::NamedCall;
pub(crate) use self::options::{CallOptions, CallUse, NoEffect};

use crate::definition::{Activity, Body, Definition, Orchestrator};
use crate::orchestration::request::{Ask, ChildOptions, FunctionCall, Request, TaskOptions};
use crate::orchestration::scope::{NextExecution, Scope};
use crate::orchestration::{Called, Durable, Task, When};
use crate::payload::{InputWriter, InvalidPayload};
use crate::protocol::{FailureDetails, InstanceId, Json, RuntimeStatus, Timestamp, TraceContext};
use crate::retry::RetryPolicy;

/// A call to the durable function `F` with its input, which has not been made yet.
///
/// Nothing happens until the call is used. In an orchestrator, await it or [spawn](Call::spawn) it:
/// an activity then runs, and an orchestrator becomes a sub-orchestration. A client passes a call
/// to an orchestrator to [`TaskHub::start`](crate::TaskHub::start).
///
/// ```
/// # use durable::prelude::*;
/// # use std::time::Duration;
/// #[activity]
/// async fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// #[orchestrator]
/// async fn squares(ctx: &OrchestrationContext, upto: u64) -> Result<Vec<u64>> {
///     let patient = RetryPolicy::new(5, Duration::from_secs(1)).backoff_coefficient(2.0);
///     let one = |n| square(n).retry(patient.clone()).timeout(Duration::from_secs(60));
///     Ok(durable::try_join_all((0..upto).map(one)).await?)
/// }
///
/// let call = squares(10).instance_id("ten-squares").tag("team", "maths");
/// ```
#[must_use = "a call does nothing until it is awaited in an orchestrator, or started by a client"]
pub struct Call<F> {
    pub(crate) input: Result<Json, Box<InvalidPayload>>,
    pub(crate) source: &'static Location<'static>,
    pub(crate) options: Option<Box<CallOptions>>,
    function: PhantomData<fn() -> F>,
}

// Not derived, because a derive would require `F: Clone`, and `F` is only a marker.
impl<F> Clone for Call<F> {
    fn clone(&self) -> Self {
        let Self { input, source, options, function } = self;
        Self { input: input.clone(), source, options: options.clone(), function: *function }
    }
}

impl<F> fmt::Debug for Call<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut call = f.debug_struct("Call");
        call.field("function", &format_args!("{}", type_name::<F>())).field("input", &self.input);
        if let Some(options) = &self.options {
            call.field("options", options);
        }
        call.finish_non_exhaustive()
    }
}

impl<F: Definition> Call<F> {
    pub(crate) fn new(input: InputWriter, source: &'static Location<'static>) -> Self {
        Self { input: input.finish(), source, options: None, function: PhantomData }
    }

    /// Retries the call if it fails. Overrides the policy of the attribute.
    ///
    /// The runtime retries: a failed attempt is one event in the history, and the orchestrator sees
    /// only the last result.
    ///
    /// This option applies to a call that an orchestrator awaits or spawns. The result of a call
    /// that is started, scheduled or passed to
    /// [`continue_as_new`](crate::OrchestrationContext::continue_as_new) is not awaited, so the
    /// option is refused there, and a policy of the attribute has no effect.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use std::time::Duration;
    /// # #[activity]
    /// # async fn charge(cents: u32) -> Result<u32> { Ok(cents) }
    /// #[orchestrator]
    /// async fn pay(ctx: &OrchestrationContext) -> Result<u32> {
    ///     Ok(charge(250).retry(RetryPolicy::new(5, Duration::from_secs(1))).await?)
    /// }
    /// ```
    pub fn retry(self, policy: RetryPolicy) -> Self {
        self.with(|options| options.retry = Some(policy))
    }

    /// Limits the time of the whole call, including all attempts and the waits between them. A
    /// running attempt is cancelled when the limit is reached.
    ///
    /// Like [`retry`](Self::retry), this option applies to a call that is awaited or spawned, and
    /// is refused elsewhere. To limit the time of a started instance, race against a
    /// [timer](crate::OrchestrationContext::create_timer) in its orchestrator, or terminate it.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use std::time::Duration;
    /// # #[activity]
    /// # async fn charge(cents: u32) -> Result<u32> { Ok(cents) }
    /// #[orchestrator]
    /// async fn pay(ctx: &OrchestrationContext) -> Result<u32> {
    ///     // A minute for all attempts together, 10 s for each.
    ///     let call = charge(250).timeout(Duration::from_secs(60));
    ///     Ok(call.attempt_timeout(Duration::from_secs(10)).await?)
    /// }
    /// ```
    pub fn timeout(self, limit: Duration) -> Self {
        self.with(|options| options.timeout = Some(limit))
    }

    /// Adds a tag; a sub-orchestration also has the tags of its parent. This option is refused by
    /// [`continue_as_new`](crate::OrchestrationContext::continue_as_new): an instance keeps its
    /// tags.
    pub fn tag(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(|options| drop(options.tags.insert(key.into(), value.into())))
    }

    /// Calls this version of the function instead of the one in the source. This option applies
    /// wherever the call is used.
    pub fn version(self, version: impl Into<String>) -> Self {
        self.with(|options| options.version = Some(version.into()))
    }

    /// Starts the call now, to be awaited later.
    ///
    /// Dropping the task cancels it.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[activity]
    /// # async fn square(n: u64) -> u64 { n * n }
    /// #[orchestrator]
    /// async fn sum(ctx: &OrchestrationContext) -> Result<u64> {
    ///     let slow = square(7).spawn();
    ///     let quick = square(2).await?; // both run meanwhile
    ///     Ok(slow.await? + quick)
    /// }
    /// ```
    pub fn spawn(self) -> Task<F::Output, F::Error> {
        let mut task = self.into_future();
        task.schedule();
        task
    }

    fn with(mut self, set: impl FnOnce(&mut CallOptions)) -> Self {
        set(self.options.get_or_insert_default());
        self
    }

    /// Fails if an option has no effect in this use. Executions started by release 0.1 ignored such
    /// options, so their replays do not check.
    pub(crate) fn check(&self, used: CallUse) -> Result<(), FailureDetails> {
        let Some(options) = &self.options else { return Ok(()) };
        options.check(used).map_err(|refused| refused.failure(F::ENTRY.name, used))
    }

    /// Converts the call into an orchestrator's request.
    pub(crate) fn into_request(self, now: Timestamp) -> Result<Request, FailureDetails> {
        let entry = F::ENTRY;
        let invalid = |message| FailureDetails::new(FailureDetails::INVALID_INPUT, message);
        let options = self.options.map_or_else(CallOptions::default, |options| *options);
        let declared = entry.options;
        let retry = options.retry.or_else(|| declared.retry.map(RetryPolicy::declared));
        if let Some(policy) = &retry {
            policy.check().map_err(|error| invalid(error.to_string()))?;
        }
        let call = FunctionCall {
            name: Cow::Borrowed(entry.name),
            version: options.version.or_else(|| entry.version.map(str::to_owned)),
            input: self.input.map_err(|input| invalid(input.recorded()))?,
            options: TaskOptions {
                retry,
                timeout: options.timeout.or(declared.timeout),
                attempt_timeout: options.attempt_timeout.or(declared.attempt_timeout),
                tags: options.tags,
            },
        };
        let ask = match entry.body {
            Body::Entity { .. } => {
                return Err(invalid(format!("`{}` is an entity and is not called", entry.name)));
            }
            Body::Activity { .. } => Ask::Activity(call),
            Body::Orchestrator { .. } => {
                let instance_id = options.instance_id.transpose();
                let instance_id = instance_id.map_err(|error| invalid(error.to_string()))?;
                let start_at = options.start_at.map(|due| due.from(now));
                let child = ChildOptions { detached: false, start_at };
                Ask::SubOrchestration { call, instance_id, child }
            }
        };
        Ok(Request { ask, source: self.source })
    }
}

#[diagnostic::do_not_recommend]
impl<F> Durable for Call<F> {}

impl<F: Definition> IntoFuture for Call<F> {
    type Output = <Task<F::Output, F::Error> as Future>::Output;
    type IntoFuture = Task<F::Output, F::Error>;

    fn into_future(self) -> Self::IntoFuture {
        let called = Called::Function(F::ENTRY.kind(), F::ENTRY.name.into());
        let request = match Scope::current() {
            Some(scope) if self.options.is_some() && scope.replay_version() >= 1 => {
                self.check(CallUse::Awaited).and_then(|()| self.into_request(scope.clock()))
            }
            Some(scope) => self.into_request(scope.clock()),
            // The task itself reports that it would not be recorded.
            None => self.into_request(Timestamp::default()),
        };
        Task::new(called, request, F::codecs())
    }
}

/// Options of activities only, or of orchestrations only. The bounds are on the methods and not on
/// the `impl`, so that the compiler says why a call of the other kind does not fit.
impl<F: Definition> Call<F> {
    /// Limits the time of one attempt. An attempt that exceeds the limit has failed, and a retry
    /// policy may retry it; the attempt is notified through its [cancellation
    /// token](crate::ActivityContext::cancellation_token). Only activities have attempts, and they
    /// can only be awaited or spawned.
    pub fn attempt_timeout(self, limit: Duration) -> Self
    where
        F: Activity,
    {
        self.with(|options| options.attempt_timeout = Some(limit))
    }

    /// Sets the instance id, which is otherwise generated; [`InstanceId`](crate::InstanceId) lists
    /// the rules for ids.
    ///
    /// This option applies to a call that is awaited or started. A schedule refuses it, because
    /// every run is an instance of its own
    /// ([`instance_id_prefix`](crate::schedule::Schedule::instance_id_prefix)), and so does
    /// [`continue_as_new`](crate::OrchestrationContext::continue_as_new).
    pub fn instance_id(self, id: impl AsRef<str>) -> Self
    where
        F: Orchestrator,
    {
        self.with(|options| options.instance_id = Some(InstanceId::new(id)))
    }

    /// Delays the start: by a duration, or to a point in time. Until then the instance is
    /// [`Pending`](RuntimeStatus::Pending).
    ///
    /// This option applies to a call that is awaited or started. A schedule refuses it, because a
    /// schedule has a [`start_at`](crate::schedule::Schedule::start_at) of its own, and so does
    /// [`continue_as_new`](crate::OrchestrationContext::continue_as_new), which begins at once.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use durable::client::StartError;
    /// # use std::time::Duration;
    /// # #[orchestrator]
    /// # async fn remind(ctx: &OrchestrationContext) -> Result<()> { Ok(()) }
    /// async fn remind_tomorrow(hub: &TaskHub) -> Result<(), StartError> {
    ///     hub.start(remind().start_at(Duration::from_secs(24 * 3_600))).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn start_at(self, when: impl When) -> Self
    where
        F: Orchestrator,
    {
        self.with(|options| options.start_at = Some(when.due()))
    }

    /// Replaces an existing instance with this id if it has one of these statuses. By default, no
    /// instance is replaced, so an id is used only once. A replaced instance that is still running
    /// is terminated.
    ///
    /// This option applies to a client's start and is refused elsewhere: an instance that an
    /// orchestrator or entity starts always replaces one that has ended, and never one that has
    /// not.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use durable::client::StartError;
    /// # #[orchestrator]
    /// # async fn import(ctx: &OrchestrationContext) -> Result<()> { Ok(()) }
    /// /// Starts the import again if the last one failed.
    /// async fn import_again(hub: &TaskHub) -> Result<(), StartError> {
    ///     hub.start(import().instance_id("import").replace_if([RuntimeStatus::Failed])).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn replace_if(self, statuses: impl IntoIterator<Item = RuntimeStatus>) -> Self
    where
        F: Orchestrator,
    {
        let statuses = statuses.into_iter().collect();
        self.with(|options| options.replaces = statuses)
    }

    /// Makes the instance part of a trace, which its activities find in their context. Each call
    /// has its own span id, shared by its attempts. [`TraceContext::parse`] reads a header.
    ///
    /// This option applies to a client's start and to the creation of a schedule, whose runs are
    /// part of the trace too. It is refused elsewhere: a sub-orchestration is part of its parent's
    /// trace.
    pub fn trace_context(self, context: TraceContext) -> Self
    where
        F: Orchestrator,
    {
        self.with(|options| options.trace_context = Some(context))
    }
}

impl<O: Orchestrator> Call<O> {
    /// Converts the call into the next execution's input. Executions started by release 0.1 ignored
    /// options here.
    pub(crate) fn into_next_execution(
        self,
        replay_version: u8,
    ) -> Result<NextExecution, FailureDetails> {
        let entry = O::ENTRY;
        if replay_version >= 1 {
            self.check(CallUse::ContinuedAsNew)?;
        }
        let version = self.options.and_then(|options| options.version);
        let input = self.input.map_err(|input| {
            FailureDetails::new(FailureDetails::INVALID_INPUT, input.recorded()).non_retriable()
        })?;
        Ok(NextExecution {
            name: entry.name,
            version: version.or_else(|| entry.version.map(str::to_owned)),
            input,
            keeps_events: true,
        })
    }
}
