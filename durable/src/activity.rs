//! Activities: functions that may do I/O, and run at least once.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::panics::Guarded;
use crate::protocol::{
    ExecutionId, FailureDetails, InstanceId, Json, Tags, Timestamp, TraceContext,
};
use crate::transaction::ActivityEffect;

/// One run of an activity: its body, applied to its stored input.
pub enum ActivityRun {
    /// A body that is awaited.
    Async(Pin<Box<dyn Future<Output = Result<Json, FailureDetails>> + Send>>),
    /// A body that blocks its thread.
    Blocking(Box<dyn FnOnce() -> Result<Json, FailureDetails> + Send>),
    /// No body: it waits until it is cancelled. For tests.
    Never(CancellationToken),
    /// No body: it sleeps for this long by the hub's clock, and then answers. For tests.
    After(Duration, Pin<Box<dyn Future<Output = Result<Json, FailureDetails>> + Send>>),
}

impl ActivityRun {
    /// How long it sleeps before it begins.
    pub(crate) fn sleeps(&self) -> Option<Duration> {
        match self {
            Self::After(time, _) => Some(*time),
            Self::Async(_) | Self::Blocking(_) | Self::Never(_) => None,
        }
    }
}

impl fmt::Debug for ActivityRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Async(_) => "ActivityRun::Async",
            Self::Blocking(_) => "ActivityRun::Blocking",
            Self::Never(_) => "ActivityRun::Never",
            Self::After(..) => "ActivityRun::After",
        })
    }
}

/// The identity of a running activity, available to its body.
///
/// Take it as the first parameter, `ctx: &ActivityContext`, if the activity needs it.
///
/// ```
/// # use durable::prelude::*;
/// #[activity]
/// async fn charge(ctx: &ActivityContext, cents: u32) -> Result<String> {
///     let key = ctx.idempotency_key(); // the payment service charges once per key
///     Ok(format!("charged {cents} under {key}"))
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// // A unit test calls the body directly.
/// let ctx = ActivityContext::for_test("charge");
/// assert!(charge::run(&ctx, 5).await?.starts_with("charged 5"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ActivityContext {
    pub(crate) instance_id: InstanceId,
    pub(crate) execution_id: ExecutionId,
    pub(crate) task_id: i32,
    pub(crate) name: &'static str,
    pub(crate) version: Option<&'static str>,
    pub(crate) attempt: u32,
    pub(crate) tags: Tags,
    pub(crate) trace_context: Option<TraceContext>,
    pub(crate) cancellation: CancellationToken,
    pub(crate) states: States,
    /// What a transactional activity does and returns once.
    pub(crate) effect: Option<ActivityEffect>,
}

impl ActivityContext {
    /// Creates a context for a unit test of the body of activity `name`.
    pub fn for_test(name: &'static str) -> Self {
        Self {
            instance_id: InstanceId::generate(),
            execution_id: ExecutionId::generate(),
            task_id: 0,
            name,
            version: None,
            attempt: 1,
            tags: Tags::new(),
            trace_context: None,
            cancellation: CancellationToken::new(),
            states: States::default(),
            effect: None,
        }
    }

    /// Returns the instance for which the activity runs.
    pub fn instance_id(&self) -> &InstanceId {
        &self.instance_id
    }

    /// Returns the activity's name.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Returns the activity's version, if its attribute gives one.
    pub fn version(&self) -> Option<&str> {
        self.version
    }

    /// Returns the execution of the instance.
    pub fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    /// Returns the number of the call in its execution: the `event_id` of its `TaskScheduled`.
    pub fn task_id(&self) -> i32 {
        self.task_id
    }

    /// Returns the tags of the call.
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// Returns the trace of the call, if its instance was started with one: pass it on in the
    /// headers of a request.
    pub fn trace_context(&self) -> Option<&TraceContext> {
        self.trace_context.as_ref()
    }

    /// Returns the number of this attempt, counted from 1: one more than the number of failed
    /// attempts in the history.
    ///
    /// A run that a crash interrupted left nothing in the history, so its repetition has the same
    /// number.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns a key that is the same in every run of this call, and different in every other call.
    ///
    /// An activity runs *at least* once: after a crash between its work and the record of its
    /// result, it runs again. Pass the key to the service that does the work, so that it recognizes
    /// a repetition. For work in the database of the hub, a transactional activity needs no key.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # async fn send_payment(key: &str, cents: u32) -> Result<()> { let _ = (key, cents); Ok(()) }
    /// #[activity]
    /// async fn charge(ctx: &ActivityContext, cents: u32) -> Result<()> {
    ///     // If the process dies before the result is recorded, the bank sees the same key again.
    ///     send_payment(&ctx.idempotency_key(), cents).await
    /// }
    /// ```
    pub fn idempotency_key(&self) -> String {
        format!("{}-{}", self.execution_id, self.task_id)
    }

    /// Returns a token that is cancelled when the result is no longer needed, or when the hub is
    /// shut down.
    ///
    /// The activity may then end early with an error. During a shutdown this error is not recorded,
    /// and the activity runs again when the hub is next opened. A success is recorded as usual.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # async fn copy_next() -> Result<bool> { Ok(false) }
    /// #[activity]
    /// async fn copy_all(ctx: &ActivityContext) -> Result<()> {
    ///     while copy_next().await? {
    ///         if ctx.cancellation_token().is_cancelled() {
    ///             return Err(Error::msg("nobody waits for the copy any more"));
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn cancellation_token(&self) -> &CancellationToken {
        &self.cancellation
    }

    /// Returns the current time of the hub, which is virtual on a `TestHub`. A context [for a unit
    /// test](Self::for_test) belongs to no hub, and its time is the beginning of 1970.
    ///
    /// Unlike the time of an orchestration, this time is different in every attempt.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// #[activity]
    /// async fn sign(ctx: &ActivityContext, text: &str) -> String {
    ///     format!("{} {text}", ctx.current_utc_datetime().timestamp())
    /// }
    /// ```
    pub fn current_utc_datetime(&self) -> DateTime<Utc> {
        let now = self.states.get::<Now>().map(|now| (now.0.0)());
        now.map_or(DateTime::UNIX_EPOCH, Timestamp::to_datetime)
    }

    /// Returns the shared state of type `T`, or `None` if the hub was not given one.
    ///
    /// In a program, prefer a parameter [`State<T>`](State), because a hub without that state fails to
    /// open. In a library, use this method, so that a hub that does not use the library's activity opens
    /// without the library's state.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// struct Mailer { from: String }
    ///
    /// #[activity]
    /// async fn mail(ctx: &ActivityContext, text: &str) -> Result<()> {
    ///     let Some(mailer) = ctx.state::<Mailer>() else {
    ///         return Err(Error::msg("no mailer; pass one to `TaskHub::builder().state(..)`"));
    ///     };
    ///     println!("{}: {text}", mailer.from);
    ///     Ok(())
    /// }
    /// ```
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<State<T>> {
        self.states.get()
    }

    #[doc(hidden)]
    pub fn states(&self) -> &States {
        &self.states
    }
}

/// Shared state of activities, such as a connection pool: a parameter that the hub fills in.
///
/// ```
/// # use durable::prelude::*;
/// struct Prices { per_item: u32 }
///
/// #[activity]
/// async fn price(prices: durable::State<Prices>, items: u32) -> u32 {
///     prices.per_item * items
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let hub = TaskHub::builder().in_memory().state(Prices { per_item: 5 }).open().await?;
/// # hub.shutdown().await?;
/// assert_eq!(price::run(State::new(Prices { per_item: 5 }), 3).await, 15);
/// # Ok(())
/// # }
/// ```
pub struct State<T: ?Sized>(Arc<T>);

impl<T> State<T> {
    /// Wraps `value`, to call a body in a unit test.
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T: ?Sized> Clone for State<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: ?Sized> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State<{}>", std::any::type_name::<T>())
    }
}

/// The clock of the hub, as a shared state.
pub(crate) struct Now(pub(crate) Box<dyn Fn() -> Timestamp + Send + Sync>);

/// The shared states that a hub was given, by type.
#[derive(Clone, Default)]
#[doc(hidden)]
pub struct States(Arc<HashMap<TypeId, Guarded<Shared>>>);

type Shared = Arc<dyn Any + Send + Sync>;

impl States {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        let value: Shared = Arc::new(value);
        Arc::make_mut(&mut self.0).insert(TypeId::of::<T>(), Guarded::new(value));
    }

    pub(crate) fn contains(&self, id: TypeId) -> bool {
        self.0.contains_key(&id)
    }

    pub(crate) fn find<T: Send + Sync + 'static>(&self) -> Result<State<T>, FailureDetails> {
        self.get().ok_or_else(|| {
            let wanted = std::any::type_name::<T>();
            FailureDetails::new(
                FailureDetails::MISSING_STATE,
                format!("the hub was not given a `{wanted}`; use `TaskHub::builder().state(..)`"),
            )
        })
    }

    fn get<T: Send + Sync + 'static>(&self) -> Option<State<T>> {
        let value = Arc::clone(self.0.get(&TypeId::of::<T>())?.get());
        value.downcast().ok().map(State)
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} shared states", self.0.len())
    }
}
