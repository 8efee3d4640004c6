//! Durable functions as values: the facts that the attributes record, before a hub registers any.
//!
//! Calls, contexts and the registry build on this. It names the contexts only in the types of the
//! functions.

use std::any::TypeId;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

use crate::activity::{ActivityContext, ActivityRun};
use crate::entity::batch::{Batch, BatchDone};
use crate::error::ErrorCodec;
use crate::orchestration::OrchestrationContext;
use crate::payload::Codec;
use crate::protocol::{FailureDetails, Json};
use crate::retry::RetrySettings;

/// A durable function. The attributes implement this trait for the type that has the function's
/// name.
///
/// The types in `TaskHub::builder().register::<my_function>()` implement it.
///
/// ```
/// use durable::task::{Call, Definition};
///
/// /// Tags a call of an activity or of an orchestration.
/// fn urgent<F: Definition>(call: Call<F>) -> Call<F> {
///     call.tag("priority", "high")
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a durable function",
    label = "expected the name of a function with `#[activity]` or `#[orchestrator]`",
    note = "an entity is registered with `register_entity`"
)]
pub trait Definition: Sized + 'static {
    #[doc(hidden)]
    const ENTRY: Entry;
    /// The owned parameters of a call: a single parameter as itself (a `&str` as `String`), several
    /// as a tuple, none as `()`. A context and shared state are not part of a call.
    type Input: 'static;
    /// The type of its result.
    type Output: 'static;
    /// The type of its error.
    type Error: 'static;

    #[doc(hidden)]
    fn codecs() -> (Codec<Self::Output>, ErrorCodec<Self::Error>);
}

/// A function annotated with [`#[activity]`](macro@crate::activity). The attribute implements it.
///
/// ```
/// use std::time::Duration;
///
/// use durable::Activity;
/// use durable::prelude::*;
/// use durable::task::Call;
///
/// /// How this program calls services that are sometimes down.
/// fn patiently<A: Activity>(call: Call<A>) -> Call<A> {
///     let policy = RetryPolicy::new(10, Duration::from_secs(1)).backoff_coefficient(2.0);
///     call.attempt_timeout(Duration::from_secs(30)).retry(policy)
/// }
///
/// #[activity]
/// async fn charge(cents: u32) -> Result<String> { Ok(format!("charged {cents}")) }
///
/// #[orchestrator]
/// async fn pay(ctx: &OrchestrationContext, cents: u32) -> Result<String> {
///     Ok(patiently(charge(cents)).await?)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an activity",
    label = "only an activity runs in attempts that can each time out",
    note = "annotate the function with `#[activity]`"
)]
pub trait Activity: Definition {}

/// A function annotated with [`#[orchestrator]`](macro@crate::orchestrator). The attribute
/// implements it.
///
/// ```
/// use durable::Orchestrator;
/// use durable::prelude::*;
/// use durable::task::Call;
///
/// /// Starts an orchestration whose instances this program finds by a tag.
/// async fn start_for<O: Orchestrator>(hub: &TaskHub, customer: &str, call: Call<O>) -> Result<String> {
///     let run = hub.start(call.tag("customer", customer)).await?;
///     Ok(run.instance_id().to_string())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an orchestrator",
    label = "only orchestrations have instances that can be started",
    note = "annotate the function with `#[orchestrator]`; an activity is called by an \
            orchestrator"
)]
pub trait Orchestrator: Definition {
    /// The return type of the function, as written.
    type Return;
}

/// The static description of a durable function.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub name: &'static str,
    pub version: Option<&'static str>,
    pub module: &'static str,
    pub file: &'static str,
    pub line: u32,
    pub code_hash: u64,
    pub parameters: Parameters,
    pub options: CallDefaults,
    pub body: Body,
}

/// The default options of a function's calls.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct CallDefaults {
    pub retry: Option<RetrySettings>,
    /// The time limit of the whole call, over all attempts.
    pub timeout: Option<Duration>,
    /// The time limit of each attempt of an activity.
    pub attempt_timeout: Option<Duration>,
    /// The limit of concurrent runs of an activity in a hub.
    pub max_concurrent: Option<usize>,
}

impl CallDefaults {
    pub const NONE: Self =
        Self { retry: None, timeout: None, attempt_timeout: None, max_concurrent: None };
}

/// The function itself, as the runtime calls it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Body {
    Activity {
        run: RunActivity,
        states: &'static [StateType],
        /// The type of the transactions in which it runs, if it is transactional.
        transactions: Option<StateType>,
    },
    Orchestrator {
        run: RunOrchestrator,
    },
    Entity {
        run: RunEntity,
        states: &'static [StateType],
        /// Empty for an entity that is a function.
        operations: &'static [OperationEntry],
    },
}

/// The parameters of a function: name and type of each, as written.
#[doc(hidden)]
pub type Parameters = &'static [(&'static str, &'static str)];

/// An operation of an entity.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct OperationEntry {
    pub name: &'static str,
    /// Whether it cannot change the state.
    pub reads: bool,
    pub parameters: Parameters,
}

/// A shared state that an activity wants, or its transactions.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct StateType {
    pub id: fn() -> TypeId,
    pub name: fn() -> &'static str,
}

#[doc(hidden)]
pub type RunActivity = fn(ActivityContext, Json) -> Result<ActivityRun, FailureDetails>;
#[doc(hidden)]
pub type RunOrchestrator =
    fn(OrchestrationContext, Json) -> Result<OrchestratorFuture, FailureDetails>;
#[doc(hidden)]
pub type RunEntity = fn(Batch) -> Pin<Box<dyn Future<Output = BatchDone> + Send>>;
#[doc(hidden)]
pub type OrchestratorFuture = Pin<Box<dyn Future<Output = Result<Json, FailureDetails>>>>;

impl Entry {
    /// Creates the entry of a function without options. Its source location is that of this call.
    #[track_caller]
    pub const fn new(
        name: &'static str,
        module: &'static str,
        code_hash: u64,
        parameters: Parameters,
        body: Body,
    ) -> Self {
        let (place, version, options) = (Location::caller(), None, CallDefaults::NONE);
        let (file, line) = (place.file(), place.line());
        Self { name, version, module, file, line, code_hash, parameters, options, body }
    }

    #[must_use]
    pub const fn version(self, version: &'static str) -> Self {
        Self { version: Some(version), ..self }
    }

    #[must_use]
    pub const fn options(self, options: CallDefaults) -> Self {
        Self { options, ..self }
    }

    /// Its description for humans.
    pub(crate) fn kind(&self) -> &'static str {
        match self.body {
            Body::Activity { .. } => "activity",
            Body::Orchestrator { .. } => "orchestration",
            Body::Entity { .. } => "entity",
        }
    }

    /// The type of the transactions in which it runs, if it is a transactional activity.
    pub(crate) fn transactions(&self) -> Option<StateType> {
        match self.body {
            Body::Activity { transactions, .. } => transactions,
            Body::Orchestrator { .. } | Body::Entity { .. } => None,
        }
    }

    pub(crate) fn location(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&display_name(self.name, self.version))
    }
}

/// A name for people: `order`, or `order` version 2.
pub(crate) fn display_name(name: &str, version: Option<&str>) -> String {
    match version {
        Some(version) => format!("`{name}` (version {version})"),
        None => format!("`{name}`"),
    }
}
