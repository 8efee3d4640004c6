//! Calls of an orchestration by name, for programs without its type.

use std::borrow::Cow;

use serde::Serialize;

use super::Call;
use super::options::CallOptions;
use crate::definition::Orchestrator;
use crate::orchestration::When;
use crate::payload::InvalidPayload;
use crate::protocol::{InstanceId, Json, RuntimeStatus, TraceContext};

/// The name of the input in errors.
const INPUT: &str = "the input";

/// A call to an orchestration by name, with its input as JSON, for callers that do not have its
/// types, such as an HTTP server. It has the options of calls that are started or scheduled, and a
/// [`Call`] to an orchestration converts into it.
///
/// [`TaskHub::start_named`](crate::TaskHub::start_named) starts it, and
/// [`Schedule::of_named`](crate::schedule::Schedule::of_named) schedules it.
/// [`TaskHub::registered`](crate::TaskHub::registered) lists the orchestrations and their
/// parameters. As JSON, a single parameter is passed as itself, several as an array, and none as
/// `null`.
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
    pub(crate) input: Result<Json, Box<InvalidPayload>>,
    pub(crate) options: CallOptions,
}

/// The version that a [`NamedCall`] calls.
#[derive(Clone, Debug)]
pub(crate) enum CalledVersion {
    /// The newest version registered where it is started.
    Newest,
    Exactly(Option<String>),
}

impl NamedCall {
    /// Creates a call to the newest registered version of this orchestration, with the input
    /// `null`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: Cow::Owned(name.into()),
            version: CalledVersion::Newest,
            input: Ok(Json::null()),
            options: CallOptions::default(),
        }
    }

    /// Sets the input to a value, which is serialized. If that fails, the start returns the error.
    pub fn input(self, value: &(impl Serialize + ?Sized)) -> Self {
        let json = serde_json::to_string(value).map(Json::trusted);
        let json = json.map_err(|error| InvalidPayload::no_json(INPUT, error));
        Self { input: json.and_then(|json| json.checked(INPUT)), ..self }
    }

    /// Sets the input to JSON. Whether the orchestrator can read it is checked when it begins.
    pub fn input_json(self, input: Json) -> Self {
        Self { input: input.checked(INPUT), ..self }
    }

    /// Calls this version instead of the newest.
    pub fn version(self, version: impl Into<String>) -> Self {
        Self { version: CalledVersion::Exactly(Some(version.into())), ..self }
    }

    /// Calls the function without a version instead of the newest.
    pub fn unversioned(self) -> Self {
        Self { version: CalledVersion::Exactly(None), ..self }
    }

    /// Adds a tag; see [`Call::tag`].
    pub fn tag(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(|options| drop(options.tags.insert(key.into(), value.into())))
    }

    /// Sets the instance id; see [`Call::instance_id`].
    pub fn instance_id(self, id: impl AsRef<str>) -> Self {
        self.with(|options| options.instance_id = Some(InstanceId::new(id)))
    }

    /// Delays the start; see [`Call::start_at`].
    pub fn start_at(self, when: impl When) -> Self {
        self.with(|options| options.start_at = Some(when.due()))
    }

    /// Replaces an existing instance; see [`Call::replace_if`].
    pub fn replace_if(self, statuses: impl IntoIterator<Item = RuntimeStatus>) -> Self {
        self.with(|options| options.replaces = statuses.into_iter().collect())
    }

    /// Makes the instance part of a trace; see [`Call::trace_context`].
    pub fn trace_context(self, context: TraceContext) -> Self {
        self.with(|options| options.trace_context = Some(context))
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
