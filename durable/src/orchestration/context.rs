//! What an orchestrator knows of its instance.

use std::rc::Rc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::scope::Scope;
use crate::protocol::{ExecutionId, InstanceId};

/// What an orchestrator knows of its instance; its first parameter.
///
/// Everything it answers is the same in every replay.
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
    version: Option<&'static str>,
    scope: Rc<Scope>,
}

impl OrchestrationContext {
    pub(crate) fn new(name: &'static str, version: Option<&'static str>, scope: Rc<Scope>) -> Self {
        Self { name, version, scope }
    }

    /// Name of the orchestration.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Version of the orchestration, if its attribute gives one.
    pub fn version(&self) -> Option<&str> {
        self.version
    }

    /// The instance.
    pub fn instance_id(&self) -> &InstanceId {
        &self.scope.instance_id
    }

    /// Its present execution.
    pub fn execution_id(&self) -> ExecutionId {
        self.scope.execution_id
    }

    /// The time at which the present episode began. It stands still between two awaits.
    pub fn current_utc_datetime(&self) -> DateTime<Utc> {
        self.scope.clock().to_datetime()
    }

    /// Whether what happens now happened before, and is only being replayed.
    ///
    /// For log lines and the like; an orchestrator that decides by it is not deterministic.
    pub fn is_replaying(&self) -> bool {
        self.scope.is_replaying()
    }

    /// A GUID that is the same in every replay, and different from all others.
    ///
    /// As Durable Functions makes it: version 5, of instance id, time of the episode and a counter.
    pub fn new_guid(&self) -> Uuid {
        const NAMESPACE: Uuid = Uuid::from_u128(0x9e95_2958_5e33_4daf_827f_2fa1_2937_b875);
        let time = self.current_utc_datetime().format("%Y-%m-%dT%H:%M:%S%.6f");
        let name = format!("{}_{time}0Z_{}", self.instance_id(), self.scope.next_guid());
        Uuid::new_v5(&NAMESPACE, name.as_bytes())
    }

    /// Whether code that was changed under running instances is to run.
    ///
    /// `true` in an instance that comes here for the first time, which is recorded; in one that came
    /// past here before the change, `false`: there the old code must run, or its history no longer
    /// fits. When no instance from before the change is left, the condition can go.
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
    pub fn patched(&self, id: &str) -> bool {
        self.scope.patched(id)
    }
}
