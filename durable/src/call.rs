//! A call as a value: made by an annotated function's constructor, then awaited, spawned or started.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::time::Duration;

use serde::Serialize;

use crate::activity::Activity;
use crate::definition::{Body, Definition};
use crate::orchestration::request::{Ask, ChildOptions, FunctionCall, Request, TaskOptions};
use crate::orchestration::scope::{NextExecution, Scope};
use crate::orchestration::{Called, Due, Orchestrator, Task, When};
use crate::payload::InputWriter;
use crate::protocol::{
    FailureDetails, InstanceId, Json, RuntimeStatus, Tags, Timestamp, TraceContext,
};
use crate::retry::RetryPolicy;

/// A call of the durable function `F` with its input, which has not happened yet.
///
/// In an orchestrator it is awaited (or [spawned](Call::spawn)): an activity's then runs, an
/// orchestrator's becomes a sub-orchestration. A client gives an orchestrator's to
/// [`TaskHub::start`](crate::TaskHub::start). Nothing happens before.
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
    pub(crate) input: Result<Json, String>,
    pub(crate) source: &'static Location<'static>,
    pub(crate) options: Option<Box<CallOptions>>,
    function: PhantomData<fn() -> F>,
}

// By hand, because a derive would ask the same of `F`, the type of the function, which has no value.
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

/// The options of a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallOptions {
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) tags: Tags,
    pub(crate) version: Option<String>,
    pub(crate) instance_id: Option<String>,
    pub(crate) start: StartOptions,
}

/// What was said of the instance that a call starts.
#[derive(Clone, Debug, Default)]
pub(crate) struct StartOptions {
    pub(crate) start_at: Option<Due>,
    pub(crate) replaces: Vec<RuntimeStatus>,
    pub(crate) trace_context: Option<TraceContext>,
}

impl CallOptions {
    /// An option that counts only for a call whose result is waited for, by the name of its method.
    pub(crate) fn of_waiting(&self) -> Option<&'static str> {
        match (&self.retry, self.timeout) {
            (Some(_), _) => Some("retry"),
            (None, Some(_)) => Some("timeout"),
            (None, None) => None,
        }
    }

    /// An option that counts only for an instance that is started, by the name of its method.
    fn of_start(&self) -> Option<&'static str> {
        let StartOptions { start_at, replaces, trace_context } = &self.start;
        let given = [
            ("instance_id", self.instance_id.is_some()),
            ("start_at", start_at.is_some()),
            ("replace_if", !replaces.is_empty()),
            ("trace_context", trace_context.is_some()),
            ("tag", !self.tags.is_empty()),
        ];
        given.into_iter().find_map(|(name, given)| given.then_some(name))
    }
}

/// What to do instead of starting a call with an option that counts only where it is awaited.
pub(crate) const AWAIT_INSTEAD: &str = "it counts for a call whose result is waited for: await the \
    call in an orchestrator instead of starting it, or leave the option out";

impl<F: Definition> Call<F> {
    pub(crate) fn new(input: InputWriter, source: &'static Location<'static>) -> Self {
        Self { input: input.finish(), source, options: None, function: PhantomData }
    }

    /// Tries again when it fails, as the policy says; instead of what the attribute says.
    ///
    /// The runtime retries: a failed attempt is one event in the history, and the orchestrator sees
    /// the last one's result only.
    ///
    /// It counts for a call that an orchestrator awaits or spawns. Where the call is started, no one
    /// waits for its result, so a start with it is refused; a policy of the attribute has no effect
    /// there.
    pub fn retry(self, policy: RetryPolicy) -> Self {
        self.with(|options| options.retry = Some(policy))
    }

    /// Gives up after this time, all attempts and waits between them included. A running attempt is
    /// cancelled then.
    ///
    /// As with [`retry`](Self::retry), it counts for a call that is awaited or spawned, and a start
    /// with it is refused. To limit the time of a started instance, race inside of it against a
    /// [timer](crate::OrchestrationContext::create_timer), or terminate it.
    pub fn timeout(self, limit: Duration) -> Self {
        self.with(|options| options.timeout = Some(limit))
    }

    /// Marks the call; a sub-orchestration also has the tags of its parent.
    pub fn tag(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(|options| drop(options.tags.insert(key.into(), value.into())))
    }

    /// Asks for this version of the function, instead of the one that was written here.
    pub fn version(self, version: impl Into<String>) -> Self {
        self.with(|options| options.version = Some(version.into()))
    }

    /// Starts it now, to be awaited later.
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

    /// What is wrong with this call where it is started and no one waits for its result.
    pub(crate) fn check_start(&self) -> Result<(), FailureDetails> {
        let option = self.options.as_ref().and_then(|options| options.of_waiting());
        option.map_or(Ok(()), |option| {
            let name = F::ENTRY.name;
            let message =
                format!("a call of `{name}` with `{option}` cannot be started; {AWAIT_INSTEAD}");
            Err(FailureDetails::new(FailureDetails::INVALID_INPUT, message).non_retriable())
        })
    }

    /// What an orchestrator asks for with this call.
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
            input: self.input.map_err(invalid)?,
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
                let id = options.instance_id.map(InstanceId::new).transpose();
                let instance_id = id.map_err(|error| invalid(error.to_string()))?;
                let start_at = options.start.start_at.map(|due| due.from(now));
                let child = ChildOptions { detached: false, start_at };
                Ask::SubOrchestration { call, instance_id, child }
            }
        };
        Ok(Request { ask, source: self.source })
    }
}

impl<F: Definition> IntoFuture for Call<F> {
    type Output = <Task<F::Output, F::Error> as Future>::Output;
    type IntoFuture = Task<F::Output, F::Error>;

    fn into_future(self) -> Self::IntoFuture {
        let now = Scope::current().map_or_else(Timestamp::default, |scope| scope.clock());
        Task::new(Called::function(&F::ENTRY), self.into_request(now), F::codecs())
    }
}

/// What can be said of an activity only, or of an orchestration only. The bounds stand on the methods
/// and not on the `impl`, so that a call of the other kind is told what it is not.
impl<F: Definition> Call<F> {
    /// Gives up an attempt after this time, which is a failure that a retry policy may retry. The
    /// attempt sees its [cancellation token](crate::ActivityContext::cancellation_token).
    pub fn attempt_timeout(self, limit: Duration) -> Self
    where
        F: Activity,
    {
        self.with(|options| options.attempt_timeout = Some(limit))
    }

    /// Gives the instance an id, instead of a generated one; for the rules see
    /// [`InstanceId`](crate::InstanceId).
    pub fn instance_id(self, id: impl Into<String>) -> Self
    where
        F: Orchestrator,
    {
        self.with(|options| options.instance_id = Some(id.into()))
    }

    /// Begins later: after a time, or at a time. Until then the instance is
    /// [`Pending`](RuntimeStatus::Pending).
    pub fn start_at(self, when: impl When) -> Self
    where
        F: Orchestrator,
    {
        self.with(|options| options.start.start_at = Some(when.due()))
    }

    /// Replaces an instance that has the id and one of these statuses, by default none: an id is
    /// used once. A replaced instance that is still running is terminated. Counts for a client's
    /// start; a sub-orchestration replaces whatever has finished.
    pub fn replace_if(self, statuses: impl IntoIterator<Item = RuntimeStatus>) -> Self
    where
        F: Orchestrator,
    {
        let statuses = statuses.into_iter().collect();
        self.with(|options| options.start.replaces = statuses)
    }

    /// Makes the instance part of a trace, which its activities see in their context. Counts for a
    /// client's start; a sub-orchestration is part of its parent's.
    ///
    /// Each call has a span id of its own, which its attempts share. [`TraceContext::parse`] reads a
    /// header; a start with what is none is refused.
    pub fn trace_context(self, context: TraceContext) -> Self
    where
        F: Orchestrator,
    {
        self.with(|options| options.start.trace_context = Some(context))
    }
}

impl<O: Orchestrator> Call<O> {
    /// What the instance continues with. What release 0.1 has started ignores options here.
    pub(crate) fn into_next_execution(
        self,
        replay_version: u8,
    ) -> Result<NextExecution, FailureDetails> {
        let entry = O::ENTRY;
        let invalid =
            |reason| FailureDetails::new(FailureDetails::INVALID_INPUT, reason).non_retriable();
        let options = self.options.unwrap_or_default();
        let ignored = options.of_waiting().or_else(|| options.of_start());
        if let Some(option) = ignored.filter(|_| replay_version >= 1) {
            return Err(invalid(format!(
                "`continue_as_new` was given a call with `{option}`, which has no effect there: the \
                 instance keeps its id, its tags and who waits for it; leave the option out"
            )));
        }
        Ok(NextExecution {
            name: entry.name,
            version: options.version.or_else(|| entry.version.map(str::to_owned)),
            input: self.input.map_err(invalid)?,
            keeps_events: true,
        })
    }
}

/// A call of an orchestration by its name, with its input as JSON: for callers that have no types, such
/// as an HTTP server. It can do what a [`Call`] can do, and a `Call` of an orchestration converts into
/// it.
///
/// [`TaskHub::start_named`](crate::TaskHub::start_named) starts it, and
/// [`Schedule::of_named`](crate::schedule::Schedule::of_named) schedules it.
/// [`TaskHub::registered`](crate::TaskHub::registered) lists what can be called, with parameters: the
/// input is one parameter as itself, several as an array, none as `null`.
///
/// ```
/// # use durable::prelude::*;
/// use durable::client::NamedCall;
/// use durable::protocol::Json;
///
/// #[orchestrator]
/// async fn greet(ctx: &OrchestrationContext, city: String, times: u32) -> Result<String> {
///     Ok(format!("Hello {city}! ").repeat(times as usize))
/// }
///
/// let by_name = NamedCall::new("greet")
///     .input_json(Json::parse(r#"["Tokyo", 2]"#)?)
///     .instance_id("greet-tokyo")
///     .tag("team", "sales");
/// let the_same = NamedCall::new("greet").input(&("Tokyo", 2));
/// let typed: NamedCall = greet("Tokyo".into(), 2).into();
/// # Ok::<(), serde_json::Error>(())
/// ```
#[must_use = "a call does nothing until it is started by a client or given to a schedule"]
#[derive(Clone, Debug)]
pub struct NamedCall {
    pub(crate) name: Cow<'static, str>,
    pub(crate) version: CalledVersion,
    pub(crate) input: Result<Json, String>,
    pub(crate) options: CallOptions,
}

/// Which version of an orchestration a [`NamedCall`] is for.
#[derive(Clone, Debug)]
pub(crate) enum CalledVersion {
    /// The newest that is registered where it is started.
    Newest,
    Exactly(Option<String>),
}

impl NamedCall {
    /// A call of the newest registered version of this orchestration, with the input `null`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: Cow::Owned(name.into()),
            version: CalledVersion::Newest,
            input: Ok(Json::null()),
            options: CallOptions::default(),
        }
    }

    /// Gives the input as a value with a JSON form. One without is an error of the start.
    pub fn input(self, value: &(impl Serialize + ?Sized)) -> Self {
        let json = serde_json::to_string(value).map(Json::trusted);
        let json = json.map_err(|error| format!("it has no JSON form: {error}"));
        Self { input: json.and_then(Json::checked), ..self }
    }

    /// Gives the input as JSON. Whether the orchestrator can read it is found when it begins.
    pub fn input_json(self, input: Json) -> Self {
        Self { input: input.checked(), ..self }
    }

    /// Asks for this version, instead of the newest.
    pub fn version(self, version: impl Into<String>) -> Self {
        Self { version: CalledVersion::Exactly(Some(version.into())), ..self }
    }

    /// Asks for the code that has no version, instead of the newest.
    pub fn unversioned(self) -> Self {
        Self { version: CalledVersion::Exactly(None), ..self }
    }

    /// As [`Call::tag`].
    pub fn tag(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(|options| drop(options.tags.insert(key.into(), value.into())))
    }

    /// As [`Call::instance_id`].
    pub fn instance_id(self, id: impl AsRef<str>) -> Self {
        self.with(|options| options.instance_id = Some(id.as_ref().to_owned()))
    }

    /// As [`Call::start_at`].
    pub fn start_at(self, when: impl When) -> Self {
        self.with(|options| options.start.start_at = Some(when.due()))
    }

    /// As [`Call::replace_if`].
    pub fn replace_if(self, statuses: impl IntoIterator<Item = RuntimeStatus>) -> Self {
        self.with(|options| options.start.replaces = statuses.into_iter().collect())
    }

    /// As [`Call::trace_context`].
    pub fn trace_context(self, context: TraceContext) -> Self {
        self.with(|options| options.start.trace_context = Some(context))
    }

    fn with(mut self, set: impl FnOnce(&mut CallOptions)) -> Self {
        set(&mut self.options);
        self
    }
}

impl<O: Orchestrator> From<Call<O>> for NamedCall {
    fn from(call: Call<O>) -> Self {
        let entry = O::ENTRY;
        let mut options = call.options.map_or_else(CallOptions::default, |options| *options);
        let version = options.version.take().or_else(|| entry.version.map(str::to_owned));
        Self {
            name: Cow::Borrowed(entry.name),
            version: CalledVersion::Exactly(version),
            input: call.input,
            options,
        }
    }
}
