//! The texts of users in stored records: values as JSON, and messages of failures.

use super::{EventKind, FailureDetails, InstanceRecord, Json};

/// A text that user code has written, which may be confidential.
pub(crate) enum Text<'a> {
    Json(&'a mut Json),
    Plain(&'a mut String),
}

impl EventKind {
    /// Visits each text of users in the event. Names, ids, versions, tags and properties are not
    /// among them.
    pub(crate) fn visit_texts<E>(
        &mut self,
        visit: &mut impl FnMut(Text<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::ExecutionStarted(started) => visit(Text::Json(&mut started.input)),
            Self::ExecutionCompleted { result, failure, .. } => {
                if let Some(result) = result {
                    visit(Text::Json(result))?;
                }
                failure.as_mut().map_or(Ok(()), |failure| failure.visit_texts(visit))
            }
            Self::ExecutionRewound { reason, start } => {
                if let Some(start) = start {
                    visit(Text::Json(&mut start.input))?;
                }
                visit(Text::Plain(reason))
            }
            Self::ExecutionTerminated { reason, .. }
            | Self::ExecutionSuspended { reason }
            | Self::ExecutionResumed { reason } => visit(Text::Plain(reason)),
            Self::TaskScheduled { input, .. }
            | Self::SubOrchestrationInstanceCreated { input, .. }
            | Self::EventSent { input, .. }
            | Self::EntityOperationCalled { input, .. }
            | Self::EntityOperationSignaled { input, .. }
            | Self::EventRaised { input, .. } => visit(Text::Json(input)),
            Self::TaskCompleted { result, .. }
            | Self::SubOrchestrationInstanceCompleted { result, .. }
            | Self::EntityOperationCompleted { result, .. } => visit(Text::Json(result)),
            Self::TaskFailed { failure, .. }
            | Self::TaskAttemptFailed { failure, .. }
            | Self::EntityOperationFailed { failure, .. }
            | Self::SubOrchestrationInstanceFailed { failure, .. } => failure.visit_texts(visit),
            Self::EntityState(state) => {
                state.state.as_mut().map_or(Ok(()), |state| visit(Text::Json(state)))
            }
            Self::TimerCreated { .. }
            | Self::TimerFired { .. }
            | Self::GenericEvent { .. }
            | Self::EntityLockRequested { .. }
            | Self::EntityLockGranted { .. }
            | Self::EntityUnlockSent { .. }
            | Self::OrchestratorStarted
            | Self::OrchestratorCompleted => Ok(()),
        }
    }
}

impl InstanceRecord {
    /// Visits each text of users in the record.
    pub(crate) fn visit_texts<E>(
        &mut self,
        visit: &mut impl FnMut(Text<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(status) = &mut self.custom_status {
            visit(Text::Json(status))?;
        }
        self.suspension.as_mut().map_or(Ok(()), |it| visit(Text::Plain(&mut it.reason)))
    }
}

impl FailureDetails {
    fn visit_texts<E>(
        &mut self,
        visit: &mut impl FnMut(Text<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut next = Some(self);
        while let Some(link) = next {
            visit(Text::Plain(&mut link.message))?;
            if let Some(value) = &mut link.value {
                visit(Text::Json(value))?;
            }
            next = link.inner.as_deref_mut();
        }
        Ok(())
    }
}
