//! What an orchestrator knows of its instance.

use std::rc::Rc;

use chrono::{DateTime, Utc};

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
}
