//! The uses of a call in an orchestrator besides awaiting it: starting it, or continuing as new
//! with it.

use std::rc::Rc;

use super::{Call, CallUse};
use crate::definition::Orchestrator;
use crate::error::{Error, Result};
use crate::orchestration::request::Ask;
use crate::orchestration::{ContinueAsNew, OrchestrationContext};
use crate::protocol::{FailureDetails, InstanceId};

impl OrchestrationContext {
    /// Starts an orchestration exactly once without waiting for its result; returns the id of the
    /// instance.
    ///
    /// To wait for its result, await the call instead. If an instance with this id exists and has
    /// not ended, nothing is started, and a warning is logged.
    ///
    /// # Errors
    /// If the id is invalid, the input cannot be serialized or is too large, the call has an option
    /// that has no effect here ([`retry`](Call::retry), [`timeout`](Call::timeout),
    /// [`replace_if`](Call::replace_if), [`trace_context`](Call::trace_context)), or the execution
    /// has reached its limit of requests
    /// ([`max_actions`](crate::client::TaskHubBuilder::max_actions)). Nothing is started then.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[orchestrator]
    /// # async fn send_survey(ctx: &OrchestrationContext, to: String) -> Result<()> { Ok(()) }
    /// #[orchestrator]
    /// async fn order(ctx: &OrchestrationContext, customer: String) -> Result<()> {
    ///     ctx.start(send_survey(customer))?; // independent of the order's outcome
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias = "child_workflow")]
    pub fn start<O: Orchestrator>(&self, call: Call<O>) -> Result<InstanceId> {
        if self.scope().replay_version() >= 1 {
            call.check(CallUse::Detached)?;
        }
        let mut request = call.into_request(self.scope().clock()).map_err(Error::from)?;
        if let Some(call) = request.call()
            && let Some(refused) = self.scope().refuses_one_way("the input", &call.input)
        {
            return Err(refused.into());
        }
        let Ask::SubOrchestration { instance_id, child, .. } = &mut request.ask else {
            return Err(Error::msg("only an orchestration can be started"));
        };
        child.detached = true;
        let id = instance_id.clone();
        let task = self.scope().request(Box::new(request));
        Ok(id.unwrap_or_else(|| InstanceId::of_child(self.execution_id(), task)))
    }

    /// Ends this execution and starts the instance again with this call's input and an empty
    /// history, so that an orchestration that runs forever stays small. Pass a call to the
    /// orchestration itself, and await the result: code after that does not run.
    ///
    /// The instance keeps its id, parent, tags and custom status. Unread events go to the new
    /// execution, as do later ones. Everything that is still running is cancelled. Only the call's
    /// input and [version](Call::version) apply: any other option fails the instance, with an error
    /// that names the option.
    ///
    /// The new execution begins immediately, at the same [time](Self::current_utc_datetime). After
    /// 64 executions in a row without a wait (more, if more than 512 events are unread), the next
    /// one begins in a new turn of the instance, at least 1 us later, so that other instances can
    /// run in between.
    ///
    /// Reading a backlog of events, one per execution, costs time in proportion to its length. But
    /// an execution scans the events in the order of their arrival, so earlier unread events of
    /// *other* names cost time in each execution: an orchestration that continues as new often
    /// should read or [discard](ContinueAsNew::discard_events) all events that it is sent.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use std::time::Duration;
    /// # #[activity]
    /// # async fn remove_old_files() -> Result<u64> { Ok(3) }
    /// #[orchestrator]
    /// async fn cleanup(ctx: &OrchestrationContext, removed: u64) -> Result<()> {
    ///     let more = remove_old_files().await?;
    ///     ctx.create_timer(Duration::from_hours(1)).await;
    ///     ctx.continue_as_new(cleanup(removed + more)).await
    /// }
    /// ```
    pub fn continue_as_new<O: Orchestrator>(&self, next: Call<O>) -> ContinueAsNew<O::Return> {
        let entry = O::ENTRY;
        let next = if entry.name == self.name() {
            next.into_next_execution(self.scope().replay_version())
        } else {
            let message = format!(
                "`continue_as_new` was given a call of `{}` in an instance of `{}`; give it a call \
                 of `{1}`, or start the other one with `ctx.start(..)`",
                entry.name,
                self.name()
            );
            Err(FailureDetails::new(FailureDetails::INVALID_INPUT, message).non_retriable())
        };
        ContinueAsNew::new(Rc::clone(self.scope()), next)
    }
}
