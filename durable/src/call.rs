//! A call as a value: made by an annotated function's constructor, then awaited, spawned or started.

use std::marker::PhantomData;
use std::panic::Location;

use crate::activity::Activity;
use crate::orchestration::{Orchestrator, Task};
use crate::payload::InputWriter;
use crate::protocol::Json;
use crate::registry::Definition;

/// A call of the durable function `F` with its input, which has not happened yet.
///
/// An activity's is awaited in an orchestrator (or [spawned](Call::spawn)), an orchestrator's is
/// given to [`TaskHub::start`](crate::TaskHub::start). Nothing happens before.
///
/// ```
/// # use durable::prelude::*;
/// #[activity]
/// async fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// #[orchestrator]
/// async fn squares(ctx: &OrchestrationContext, upto: u64) -> Result<Vec<u64>> {
///     Ok(durable::try_join_all((0..upto).map(square)).await?)
/// }
///
/// let call = squares(10).instance_id("ten-squares");
/// ```
#[must_use = "a call does nothing until it is awaited in an orchestrator, or started by a client"]
#[derive(Debug)]
pub struct Call<F> {
    pub(crate) input: Result<Json, String>,
    pub(crate) source: &'static Location<'static>,
    pub(crate) instance_id: Option<String>,
    function: PhantomData<fn() -> F>,
}

impl<F: Definition> Call<F> {
    pub(crate) fn new(input: InputWriter, source: &'static Location<'static>) -> Self {
        Self { input: input.finish(), source, instance_id: None, function: PhantomData }
    }
}

impl<A: Activity> Call<A> {
    /// Starts the activity now, to be awaited later.
    ///
    /// Dropping the task cancels the activity.
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
    pub fn spawn(self) -> Task<A::Output, A::Error> {
        let mut task = self.into_future();
        task.schedule();
        task
    }
}

impl<A: Activity> IntoFuture for Call<A> {
    type Output = <Task<A::Output, A::Error> as Future>::Output;
    type IntoFuture = Task<A::Output, A::Error>;

    fn into_future(self) -> Self::IntoFuture {
        Task::new(&A::ENTRY, self.input, self.source, A::codecs())
    }
}

impl<O: Orchestrator> Call<O> {
    /// Gives the instance an id, instead of a generated one; for the rules see
    /// [`InstanceId`](crate::InstanceId).
    pub fn instance_id(mut self, id: impl Into<String>) -> Self {
        self.instance_id = Some(id.into());
        self
    }
}
