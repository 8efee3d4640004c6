//! A hub with virtual time.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::builder::TestHubBuilder;
use crate::client::{HubError, InvalidEvent, ManageError, OpenError};
use crate::protocol::{InstanceId, Json, Timestamp};
use crate::task::Definition;
use crate::{ExternalEvent, InstanceHandle, TaskHub};

/// A task hub for tests. It runs the code that runs in production, with virtual time: when all work
/// is done and a test waits for an instance, time jumps to the next timer. A timer that runs for
/// days takes no real time.
///
/// Every episode is replayed from scratch and compared
/// ([`verify_replay`](crate::client::TaskHubBuilder::verify_replay)), which finds non-determinism.
///
/// ```
/// # use std::time::Duration;
/// # use durable::prelude::*;
/// # use durable::testing::TestHub;
/// #[orchestrator]
/// async fn reminder(ctx: &OrchestrationContext, days: u64) -> Result<String> {
///     ctx.create_timer(Duration::from_hours(24 * days)).await;
///     Ok("remember!".into())
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let hub = TestHub::open().await?;
/// let began = hub.now();
/// assert_eq!(hub.start(reminder(30)).await?.result().await?, "remember!");
/// assert_eq!((hub.now() - began).num_days(), 30);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TestHub {
    hub: TaskHub,
    builder: Arc<TestHubBuilder>,
    injected: Arc<Injected>,
}

/// Events to be raised later.
#[derive(Debug, Default)]
pub(super) struct Injected(Mutex<BTreeMap<u64, Event>>);

#[derive(Clone, Debug)]
struct Event {
    at: Timestamp,
    instance_id: InstanceId,
    name: String,
    input: Json,
}

/// The error of reopening a [`TestHub`].
///
/// ```
/// use durable::testing::{ReopenError, TestHub};
///
/// /// Restarts the process, as far as the hub can tell.
/// async fn restart(hub: TestHub) -> Result<TestHub, ReopenError> {
///     hub.crash().await
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReopenError {
    /// The hub had failed before it was closed.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The hub cannot be opened again.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl TestHubBuilder {
    /// Opens the hub.
    ///
    /// # Errors
    /// See [`TaskHubBuilder::open`](crate::client::TaskHubBuilder::open).
    ///
    /// # Panics
    /// The environment names a store that is not registered, or the store cannot be opened.
    pub async fn open(self) -> Result<TestHub, OpenError> {
        let beginning = self.beginning;
        TestHub::open_at(Arc::new(self.with_store()), beginning, Arc::default()).await
    }
}

impl TestHub {
    /// Opens a hub with all annotated functions of this program. Its data is kept in memory, or in
    /// the store that `DURABLE_TEST_STORE` names or [`test_store!`](super::test_store) has
    /// registered as the default.
    ///
    /// Unlike a [`TaskHub`], it opens without the shared [state](crate::State) of its activities.
    /// An activity that runs without its state fails and names the missing type.
    ///
    /// # Errors
    /// See [`TaskHubBuilder::open`](crate::client::TaskHubBuilder::open).
    pub async fn open() -> Result<Self, OpenError> {
        Self::builder().open().await
    }

    /// Returns a builder that configures a hub before it is opened.
    pub fn builder() -> TestHubBuilder {
        TestHubBuilder::new()
    }

    /// How the hub was opened.
    #[cfg(feature = "http")]
    pub(super) fn opened_with(&self) -> &TestHubBuilder {
        &self.builder
    }

    /// Returns the hub's virtual time.
    pub fn now(&self) -> DateTime<Utc> {
        self.hub.now().to_datetime()
    }

    /// Waits until the hub is idle, that is, until it only waits for time to pass or for input from
    /// outside.
    pub async fn settle(&self) {
        self.hub.settle().await;
    }

    /// Stops the hub, as [`TaskHub::shutdown`](crate::TaskHub::shutdown) does.
    ///
    /// # Errors
    /// The hub's store had failed.
    pub async fn shutdown(self) -> Result<(), HubError> {
        self.hub.clone().shutdown().await
    }

    /// Advances the time by this duration, and runs all work that becomes due within it.
    ///
    /// ```
    /// use durable::testing::TestHub;
    /// use std::time::Duration;
    ///
    /// /// Timers that become due on the way fire in order.
    /// async fn skip_a_day(hub: &TestHub) {
    ///     hub.advance(Duration::from_secs(24 * 3_600)).await;
    /// }
    /// ```
    pub async fn advance(&self, time: Duration) {
        self.hub.pass_time(time).await;
    }

    /// Returns the inputs of an activity's runs, in the order in which the runs began. Each attempt
    /// is a run. For an orchestrator, only the calls of its
    /// [mock](TestHubBuilder::mock_orchestrator) are known.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use durable::testing::TestHub;
    /// #[activity]
    /// async fn send_mail(to: &str, text: &str) -> Result<()> {
    ///     panic!("a test sends no mail")
    /// }
    ///
    /// #[orchestrator]
    /// async fn invite(ctx: &OrchestrationContext, guest: String) -> Result<()> {
    ///     Ok(send_mail(&guest, "Come!").await?)
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TestHub::builder().mock::<send_mail>(|_| Ok(())).open().await?;
    /// hub.start(invite("ada@example.org".into())).await?.result().await?;
    /// assert_eq!(hub.calls::<send_mail>(), [("ada@example.org".into(), "Come!".into())]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// A recorded input does not fit the function's parameters, because it comes from a call of
    /// another [version](crate::Call::version) with different parameters.
    pub fn calls<F: Definition>(&self) -> Vec<F::Input>
    where
        F::Input: DeserializeOwned,
    {
        let read = |input: Json| match serde_json::from_str(input.as_str()) {
            Ok(input) => input,
            Err(error) => panic!("`{}` was called with {input}: {error}", F::ENTRY.name),
        };
        self.builder.mocks.calls(&F::ENTRY).into_iter().map(read).collect()
    }

    /// Raises an external event after this much virtual time. The test has to let that time pass,
    /// by waiting for a result or with [`advance`](Self::advance).
    ///
    /// If the instance does not exist by then, or has ended, the event is lost.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use durable::prelude::*;
    /// # use durable::testing::TestHub;
    /// #[orchestrator]
    /// async fn approval(ctx: &OrchestrationContext) -> Result<bool> {
    ///     let answer = ctx.wait_for_external_event::<bool>("Approval");
    ///     match durable::timeout(Duration::from_hours(72), answer).await {
    ///         Ok(answer) => Ok(answer?),
    ///         Err(_elapsed) => Ok(false),
    ///     }
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TestHub::open().await?;
    /// let run = hub.start(approval().instance_id("budget-7")).await?;
    /// hub.raise_event_after(Duration::from_hours(48), "budget-7", "Approval", &true)?;
    /// assert!(run.result().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ManageError::InvalidInstanceId`]; [`ManageError::InvalidEvent`] if the payload has no JSON
    /// form or is too large.
    pub fn raise_event_after(
        &self,
        time: Duration,
        instance_id: impl AsRef<str>,
        name: &str,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<(), ManageError> {
        let instance = self.hub.instance(instance_id)?;
        let input = instance.event_json(payload).map_err(InvalidEvent::from)?;
        self.raise_json_after(time, &instance, name, input);
        Ok(())
    }

    /// Raises a typed event ([`event`](macro@crate::event)) after this much virtual time; otherwise
    /// like [`raise_event_after`](Self::raise_event_after).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use durable::prelude::*;
    /// # use durable::testing::TestHub;
    /// # use serde::{Deserialize, Serialize};
    /// #[durable::event]
    /// #[derive(Serialize, Deserialize)]
    /// struct Approval {
    ///     by: String,
    /// }
    ///
    /// #[orchestrator]
    /// async fn approval(ctx: &OrchestrationContext) -> Result<String> {
    ///     Ok(ctx.wait_for_event::<Approval>().await?.by)
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TestHub::open().await?;
    /// let run = hub.start(approval().instance_id("budget-7")).await?;
    /// let approval = Approval { by: "ada".into() };
    /// hub.raise_after(Duration::from_hours(48), "budget-7", &approval)?;
    /// assert_eq!(run.result().await?, "ada");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`raise_event_after`](Self::raise_event_after).
    pub fn raise_after<T: ExternalEvent>(
        &self,
        time: Duration,
        instance_id: impl AsRef<str>,
        event: &T,
    ) -> Result<(), ManageError> {
        let instance = self.hub.instance(instance_id)?;
        let input = instance.typed_event_json(event).map_err(InvalidEvent::from)?;
        self.raise_json_after(time, &instance, T::NAME, input);
        Ok(())
    }

    fn raise_json_after(&self, time: Duration, instance: &InstanceHandle, name: &str, input: Json) {
        let event = Event {
            at: self.hub.now().after(time),
            instance_id: instance.instance_id().clone(),
            name: name.to_owned(),
            input,
        };
        let number = self.injected.add(event.clone());
        self.raise_later(number, event);
    }

    /// Shuts the hub down and opens it again, like a restarted program: on the same store, at the
    /// same time, with the same mocks. Events that are still to be raised are kept.
    ///
    /// Handles of instances belong to the previous hub; get new ones from the new hub.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use durable::prelude::*;
    /// # use durable::testing::TestHub;
    /// # #[orchestrator]
    /// # async fn reminder(ctx: &OrchestrationContext) -> Result<()> {
    /// #     ctx.create_timer(Duration::from_hours(24)).await;
    /// #     Ok(())
    /// # }
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TestHub::open().await?;
    /// hub.start(reminder().instance_id("tomorrow")).await?;
    /// let hub = hub.reopen().await?;
    /// let run = hub.find_instance::<reminder>("tomorrow").await?.expect("it is kept");
    /// run.result().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ReopenError::Hub`] if the store had failed, [`ReopenError::Open`] if the hub cannot be
    /// opened again.
    pub async fn reopen(self) -> Result<Self, ReopenError> {
        let Self { hub, builder, injected } = self;
        let now = hub.now();
        hub.shutdown().await?;
        Ok(Self::open_at(builder, now, injected).await?)
    }

    /// Like [`reopen`](Self::reopen), but without waiting for running activities: their results are
    /// lost, and they run again.
    ///
    /// ```
    /// use durable::testing::TestHub;
    ///
    /// /// What was acknowledged before is still there afterwards.
    /// async fn restart(hub: TestHub) -> durable::Result<TestHub> {
    ///     Ok(hub.crash().await?)
    /// }
    /// ```
    ///
    /// # Errors
    /// See [`reopen`](Self::reopen).
    pub async fn crash(self) -> Result<Self, ReopenError> {
        let Self { hub, builder, injected } = self;
        let now = hub.now();
        hub.crash().await?;
        Ok(Self::open_at(builder, now, injected).await?)
    }

    pub(super) async fn open_at(
        builder: Arc<TestHubBuilder>,
        now: Timestamp,
        injected: Arc<Injected>,
    ) -> Result<Self, OpenError> {
        let hub = builder.hub.clone().intercept(Arc::new(builder.mocks.clone())).virtual_time(now);
        let hub = hub.open().await?;
        let hub = Self { hub, builder, injected };
        for (number, event) in hub.injected.all() {
            hub.raise_later(number, event);
        }
        Ok(hub)
    }

    fn raise_later(&self, number: u64, event: Event) {
        let injected = Arc::clone(&self.injected);
        let time = event.at.since(self.hub.now());
        self.hub.later(time, move |hub| async move {
            injected.remove(number);
            let raised = match hub.instance(event.instance_id.as_str()) {
                Ok(instance) => raise(&instance, event).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = raised {
                tell!(warn, %error, "an event that a test raises is lost");
            }
        });
    }
}

async fn raise(instance: &InstanceHandle, event: Event) -> Result<(), ManageError> {
    instance.raise_json(&event.name, Ok(event.input)).await
}

impl Injected {
    fn add(&self, event: Event) -> u64 {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = events.last_key_value().map_or(0, |(last, _)| last + 1);
        events.insert(number, event);
        number
    }

    fn remove(&self, number: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }

    fn all(&self) -> BTreeMap<u64, Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Deref for TestHub {
    type Target = TaskHub;

    fn deref(&self) -> &TaskHub {
        &self.hub
    }
}
