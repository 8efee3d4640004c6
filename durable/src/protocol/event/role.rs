//! The role of each kind of event for the code that reads a history.
//!
//! [`EventKind::role`] has one row for each kind of event. The methods below it, and the functions
//! that read a history without replaying it (`engine/past.rs`), depend on the role alone, so a new
//! event needs only one decision here.

use super::EventKind;
use crate::protocol::{ExecutionStarted, FailureDetails, Json, Timestamp};

/// The meaning of an event to a reader of its history.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role<'a> {
    /// An episode began.
    EpisodeStarted,
    /// An episode ended.
    EpisodeCompleted,
    /// Arrival: the execution was started.
    Started(&'a ExecutionStarted),
    /// Arrival: the instance was terminated. `Ended` follows.
    Terminated,
    /// Arrival: the instance was suspended.
    Suspended,
    /// Arrival: the instance was resumed.
    Resumed,
    /// Arrival: the instance was rewound.
    Rewound,
    /// Arrival: an external event.
    Raised,
    /// Arrival: the answer to the request with this id.
    Answered { task: i32, answer: Answer<'a> },
    /// The orchestrator made a request, which a replay must make again.
    Requested { payload: Option<&'a Json> },
    /// The execution ended.
    Ended,
    /// A note; see [`EventKind::patch`].
    Noted,
    /// The state of an entity, which is in no history of an orchestration.
    EntityState,
}

/// How a request was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer<'a> {
    Succeeded,
    /// A run of an activity or sub-orchestration failed. Its retry policy decides whether the task
    /// has failed, and a rewind runs it again.
    RunFailed(&'a FailureDetails),
    /// An operation of an entity failed. It is not retried, but a rewind calls it again.
    OperationFailed,
    /// A run of an activity or sub-orchestration failed and is retried, so the task stays open.
    AttemptFailed,
}

impl EventKind {
    /// What this kind of event means to a reader of its history.
    pub(crate) fn role(&self) -> Role<'_> {
        let answered = |task: &i32, answer| Role::Answered { task: *task, answer };
        match self {
            Self::OrchestratorStarted => Role::EpisodeStarted,
            Self::OrchestratorCompleted => Role::EpisodeCompleted,
            Self::ExecutionStarted(started) => Role::Started(started),
            Self::ExecutionTerminated { .. } => Role::Terminated,
            Self::ExecutionSuspended { .. } => Role::Suspended,
            Self::ExecutionResumed { .. } => Role::Resumed,
            Self::ExecutionRewound { .. } => Role::Rewound,
            Self::ExecutionCompleted { .. } => Role::Ended,
            Self::EventRaised { .. } => Role::Raised,
            Self::GenericEvent { .. } => Role::Noted,
            Self::EntityState(_) => Role::EntityState,

            Self::TaskScheduled { input, .. }
            | Self::SubOrchestrationInstanceCreated { input, .. }
            | Self::EventSent { input, .. }
            | Self::EntityOperationCalled { input, .. }
            | Self::EntityOperationSignaled { input, .. } => {
                Role::Requested { payload: Some(input) }
            }
            Self::TimerCreated { .. }
            | Self::EntityLockRequested { .. }
            | Self::EntityUnlockSent { .. } => Role::Requested { payload: None },

            Self::TaskCompleted { task_scheduled_id: task, .. }
            | Self::SubOrchestrationInstanceCompleted { task_scheduled_id: task, .. }
            | Self::EntityOperationCompleted { task_scheduled_id: task, .. }
            | Self::EntityLockGranted { task_scheduled_id: task }
            | Self::TimerFired { timer_id: task, .. } => answered(task, Answer::Succeeded),
            Self::TaskFailed { task_scheduled_id: task, failure, .. }
            | Self::SubOrchestrationInstanceFailed { task_scheduled_id: task, failure } => {
                answered(task, Answer::RunFailed(failure))
            }
            Self::EntityOperationFailed { task_scheduled_id: task, .. } => {
                answered(task, Answer::OperationFailed)
            }
            Self::TaskAttemptFailed { task_scheduled_id: task, .. } => {
                answered(task, Answer::AttemptFailed)
            }
        }
    }

    /// Whether the event arrived from outside the orchestrator.
    pub(crate) fn came_in(&self) -> bool {
        match self.role() {
            Role::Started(_)
            | Role::Terminated
            | Role::Suspended
            | Role::Resumed
            | Role::Rewound
            | Role::Raised
            | Role::Answered { .. } => true,
            Role::EpisodeStarted
            | Role::EpisodeCompleted
            | Role::Requested { .. }
            | Role::Ended
            | Role::Noted
            | Role::EntityState => false,
        }
    }

    /// The payload of the request that the event records.
    pub(crate) fn payload(&self) -> Option<&Json> {
        if let Role::Requested { payload } = self.role() { payload } else { None }
    }

    /// The id of the request that the event answers.
    pub(crate) fn answers(&self) -> Option<i32> {
        if let Role::Answered { task, .. } = self.role() { Some(task) } else { None }
    }

    /// The id of the activity or sub-orchestration whose attempt failed.
    pub(crate) fn failed_run(&self) -> Option<i32> {
        self.failure_of_run().map(|(task, _)| task)
    }

    /// When the attempt of an activity that ended began to run, if that is recorded.
    pub(crate) fn attempt_began(&self) -> Option<Timestamp> {
        match self {
            Self::TaskCompleted { began, .. }
            | Self::TaskFailed { began, .. }
            | Self::TaskAttemptFailed { began, .. } => *began,
            _ => None,
        }
    }

    /// The id of the task that exceeded its timeout.
    pub(crate) fn timed_out(&self) -> Option<i32> {
        let (task, failure) = self.failure_of_run()?;
        (failure.error_type == FailureDetails::TIMEOUT).then_some(task)
    }

    /// The activity or sub-orchestration whose attempt failed, and why.
    pub(crate) fn failure_of_run(&self) -> Option<(i32, &FailureDetails)> {
        let Role::Answered { task, answer: Answer::RunFailed(failure) } = self.role() else {
            return None;
        };
        Some((task, failure))
    }
}
