//! A hub in which time passes by itself.

use std::ops::Deref;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::protocol::Timestamp;
use crate::{OpenError, TaskHub, TaskHubBuilder};

/// When time begins, unless something else is said: 2026-01-01T00:00:00Z, in microseconds.
const BEGINNING: i64 = 1_767_225_600_000_000;

/// A task hub for tests: what runs in it is what runs in production, but for the time. That passes
/// only while somebody waits for an instance to end, and then at once: a timer of days takes no time.
///
/// Every episode is replayed from scratch and compared
/// ([`verify_replay`](crate::TaskHubBuilder::verify_replay)), so what is not deterministic is found
/// out.
#[derive(Clone, Debug)]
pub struct TestHub {
    hub: TaskHub,
}

/// Says how a [`TestHub`] is to be opened.
#[must_use = "a builder does nothing until it is opened"]
#[derive(Debug)]
pub struct TestHubBuilder {
    hub: TaskHubBuilder,
    beginning: Timestamp,
}

impl TestHub {
    /// Opens a hub in memory, with every function that is annotated in this program.
    ///
    /// # Errors
    /// As [`TaskHubBuilder::open`](crate::TaskHubBuilder::open).
    pub async fn open() -> Result<Self, OpenError> {
        Self::builder().open().await
    }

    /// Says more about how to open it.
    pub fn builder() -> TestHubBuilder {
        let beginning = Timestamp::from_micros(BEGINNING).unwrap_or_default();
        TestHubBuilder { hub: TaskHub::builder().in_memory().verify_replay(true), beginning }
    }

    /// What time it is in the hub.
    pub fn now(&self) -> DateTime<Utc> {
        self.hub.now().to_datetime()
    }

    /// Waits until nothing is left to do but to wait for time, or for something from outside.
    pub async fn settle(&self) {
        self.hub.settle().await;
    }

    /// Lets this much time pass, and all that happens in it happen.
    pub async fn advance(&self, time: Duration) {
        self.hub.pass_time(time).await;
    }
}

impl TestHubBuilder {
    /// Says what else a hub can be told.
    pub fn configure(self, configure: impl FnOnce(TaskHubBuilder) -> TaskHubBuilder) -> Self {
        Self { hub: configure(self.hub), ..self }
    }

    /// Begins at this time.
    pub fn beginning(self, time: DateTime<Utc>) -> Self {
        Self { beginning: Timestamp::new(time), ..self }
    }

    /// Opens the hub.
    ///
    /// # Errors
    /// As [`TaskHubBuilder::open`](crate::TaskHubBuilder::open).
    pub async fn open(self) -> Result<TestHub, OpenError> {
        Ok(TestHub { hub: self.hub.virtual_time(self.beginning).open().await? })
    }
}

impl Deref for TestHub {
    type Target = TaskHub;

    fn deref(&self) -> &TaskHub {
        &self.hub
    }
}
