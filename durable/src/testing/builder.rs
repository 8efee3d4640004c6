//! Opening a hub for tests, and replacing functions with mocks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use super::conformance::StoreUnderTest;
use super::mocks::Mocks;
use super::stores::{self, Place};
use crate::client::TaskHubBuilder;
use crate::protocol::Timestamp;
use crate::store::MemoryStore;
use crate::task::Definition;
use crate::{Activity, ActivityContext, Orchestrator, TaskHub};

/// The default start of virtual time: 2026-01-01T00:00:00Z, in microseconds.
const BEGINNING: i64 = 1_767_225_600_000_000;

/// Configures a [`TestHub`](super::TestHub) and its mocks.
///
/// ```
/// use durable::prelude::*;
/// use durable::testing::TestHub;
///
/// #[activity]
/// async fn charge(cents: u32) -> Result<u32> {
///     # let _ = cents;
///     unreachable!("the test replaces it")
/// }
///
/// #[orchestrator]
/// async fn pay(ctx: &OrchestrationContext) -> Result<u32> {
///     Ok(charge(250).await?)
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let hub = TestHub::builder().mock::<charge>(|cents| Ok(cents)).open().await?;
/// assert_eq!(hub.start(pay()).await?.result().await?, 250);
/// # Ok(hub.shutdown().await?)
/// # }
/// ```
#[must_use = "a builder does nothing until it is opened"]
pub struct TestHubBuilder {
    pub(super) hub: TaskHubBuilder,
    pub(super) mocks: Mocks,
    pub(super) beginning: Timestamp,
    place: Option<Place>,
}

impl fmt::Debug for TestHubBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestHubBuilder").field("hub", &self.hub).finish_non_exhaustive()
    }
}

impl TestHubBuilder {
    pub(super) fn new() -> Self {
        Self {
            hub: TaskHub::builder().verify_replay(true),
            mocks: Mocks::noting_calls(),
            beginning: Timestamp::from_micros(BEGINNING).unwrap_or_default(),
            place: None,
        }
    }

    /// Sets any other option of the hub.
    pub fn configure(self, configure: impl FnOnce(TaskHubBuilder) -> TaskHubBuilder) -> Self {
        Self { hub: configure(self.hub), ..self }
    }

    /// Starts virtual time at this point.
    pub fn beginning(self, time: DateTime<Utc>) -> Self {
        Self { beginning: Timestamp::new(time), ..self }
    }

    /// Replaces activity `F` with this function. The [state](crate::State) of `F` is then not
    /// needed. The function receives the call's parameters as owned values; several parameters are
    /// passed as a tuple. If the function panics, the activity fails.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use durable::testing::TestHub;
    /// # struct Bank;
    /// #[activity]
    /// async fn charge(bank: State<Bank>, account: &str, cents: u32) -> Result<String> {
    ///     panic!("a test charges nobody")
    /// }
    ///
    /// #[orchestrator]
    /// async fn order(ctx: &OrchestrationContext, account: String) -> Result<String> {
    ///     Ok(charge(&account, 500).await?)
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TestHub::builder()
    ///     .mock::<charge>(|(account, cents)| match &*account {
    ///         "ada" => Ok(format!("receipt for {cents}")),
    ///         _ => Err(Error::msg("no such account")),
    ///     })
    ///     .open()
    ///     .await?;
    /// assert_eq!(hub.start(order("ada".into())).await?.result().await?, "receipt for 500");
    /// assert!(hub.start(order("bob".into())).await?.result().await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn mock<F: Activity>(
        self,
        mock: impl Fn(F::Input) -> Result<F::Output, F::Error> + Send + Sync + 'static,
    ) -> Self
    where
        F::Input: DeserializeOwned,
    {
        self.mock_with_context::<F>(move |_, input| mock(input))
    }

    /// Like [`mock`](Self::mock), but the function also receives the activity's context, for
    /// example to see the number of the attempt.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use durable::prelude::*;
    /// # use durable::testing::TestHub;
    /// #[activity(retry(max_number_of_attempts = 3, first_retry_interval = "1m"))]
    /// async fn fetch(url: &str) -> Result<String> {
    ///     panic!("a test fetches nothing")
    /// }
    ///
    /// #[orchestrator]
    /// async fn page(ctx: &OrchestrationContext, url: String) -> Result<String> {
    ///     Ok(fetch(&url).await?)
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TestHub::builder()
    ///     .mock_with_context::<fetch>(|ctx, url| match ctx.attempt() {
    ///         3 => Ok(format!("<h1>{url}</h1>")),
    ///         _ => Err(Error::msg("timed out")),
    ///     })
    ///     .open()
    ///     .await?;
    /// assert_eq!(hub.start(page("x".into())).await?.result().await?, "<h1>x</h1>");
    /// # Ok(())
    /// # }
    /// ```
    pub fn mock_with_context<F: Activity>(
        mut self,
        mock: impl Fn(&ActivityContext, F::Input) -> Result<F::Output, F::Error> + Send + Sync + 'static,
    ) -> Self
    where
        F::Input: DeserializeOwned,
    {
        self.mocks.mock_activity::<F>(mock);
        self.registered::<F>()
    }

    /// Like [`mock`](Self::mock), but each attempt takes this much virtual time before the function
    /// runs.
    ///
    /// The time counts towards `timeout` and `attempt_timeout`. An attempt that takes exactly its
    /// `attempt_timeout` is in time. If the attempt is cancelled before that, the function does not
    /// run. Like any other, the attempt counts towards the limits on concurrency.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use durable::prelude::*;
    /// # use durable::testing::TestHub;
    /// #[activity]
    /// async fn render(film: &str) -> Result<String> {
    ///     panic!("a test renders nothing")
    /// }
    ///
    /// #[orchestrator]
    /// async fn publish(ctx: &OrchestrationContext, film: String) -> Result<String> {
    ///     Ok(render(&film).await?)
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hours = Duration::from_hours(3);
    /// let hub = TestHub::builder()
    ///     .mock_after::<render>(hours, |film| Ok(format!("{film}.mp4")))
    ///     .open()
    ///     .await?;
    /// let began = hub.now();
    /// assert_eq!(hub.start(publish("nosferatu".into())).await?.result().await?, "nosferatu.mp4");
    /// assert_eq!((hub.now() - began).num_hours(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn mock_after<F: Activity>(
        mut self,
        time: Duration,
        mock: impl Fn(F::Input) -> Result<F::Output, F::Error> + Send + Sync + 'static,
    ) -> Self
    where
        F::Input: DeserializeOwned,
    {
        self.mocks.mock_activity_after::<F>(time, mock);
        self.registered::<F>()
    }

    /// Makes activity `F` run forever, until it is cancelled or its attempt times out. Time passes
    /// while it runs.
    ///
    /// Like any other, the run counts towards the limits on concurrency.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use durable::prelude::*;
    /// # use durable::testing::TestHub;
    /// #[activity]
    /// async fn ask(question: &str) -> Result<String> {
    ///     panic!("a test asks nobody")
    /// }
    ///
    /// #[orchestrator]
    /// async fn survey(ctx: &OrchestrationContext) -> Result<String> {
    ///     match durable::timeout(Duration::from_hours(24), ask("why?")).await {
    ///         Ok(answer) => Ok(answer?),
    ///         Err(_elapsed) => Ok("no answer".into()),
    ///     }
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TestHub::builder().never::<ask>().open().await?;
    /// assert_eq!(hub.start(survey()).await?.result().await?, "no answer");
    /// # Ok(())
    /// # }
    /// ```
    pub fn never<F: Activity>(mut self) -> Self {
        self.mocks.never_ends::<F>();
        self.registered::<F>()
    }

    /// Replaces orchestrator `O` with this function, both for starts and for calls as a
    /// sub-orchestration.
    ///
    /// The function is replayed like an orchestrator, so it must be deterministic.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use durable::testing::TestHub;
    /// # #[orchestrator]
    /// # async fn ship(ctx: &OrchestrationContext, parcel: u32) -> Result<String> { panic!() }
    /// #[orchestrator]
    /// async fn ship_all(ctx: &OrchestrationContext, parcels: u32) -> Result<Vec<String>> {
    ///     Ok(durable::try_join_all((0..parcels).map(ship)).await?)
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TestHub::builder()
    ///     .mock_orchestrator::<ship>(|parcel| Ok(format!("parcel {parcel} is there")))
    ///     .open()
    ///     .await?;
    /// assert_eq!(hub.start(ship_all(2)).await?.result().await?.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn mock_orchestrator<O: Orchestrator>(
        mut self,
        mock: impl Fn(O::Input) -> Result<O::Output, O::Error> + Send + Sync + 'static,
    ) -> Self
    where
        O::Input: DeserializeOwned,
    {
        self.mocks.mock_orchestrator::<O>(mock);
        self.registered::<O>()
    }

    /// Opens the hub on the store at this place, regardless of `DURABLE_TEST_STORE`. The place is
    /// kept as long as the hub, even when the hub is reopened.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use durable::testing::TestHub;
    /// use std::sync::Arc;
    ///
    /// use durable::store::{SledStore, Store};
    /// use durable::testing::conformance::StoreUnderTest;
    ///
    /// struct Folder(tempfile::TempDir);
    ///
    /// impl StoreUnderTest for Folder {
    ///     fn open(&self) -> Arc<dyn Store> {
    ///         Arc::new(SledStore::open(self.0.path()).expect("an empty folder"))
    ///     }
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TestHub::builder().store_at(Folder(tempfile::tempdir()?)).open().await?;
    /// # Ok(hub.shutdown().await?)
    /// # }
    /// ```
    pub fn store_at(self, place: impl StoreUnderTest + Send + 'static) -> Self {
        Self { place: Some(Arc::new(place)), ..self }
    }

    /// Sets a store, unless one is set.
    pub(super) fn with_store(mut self) -> Self {
        let place = &mut self.place;
        self.hub = self.hub.store_if_nowhere(|| {
            *place = place.take().or_else(stores::chosen);
            match place {
                Some(place) => place.open(),
                None => Arc::new(MemoryStore::default()),
            }
        });
        self
    }

    /// A function with a mock is always registered.
    fn registered<F: Definition>(self) -> Self {
        Self { hub: self.hub.register::<F>(), ..self }
    }
}
