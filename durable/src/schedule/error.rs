//! What can be wrong with a schedule, and with what is wanted of one.

use std::time::Duration;

use crate::hub::{HubError, ManageError, StartError};
use crate::protocol::InvalidInstanceId;

/// A schedule that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSchedule {
    /// The cron pattern cannot be read, or stands for no time at all.
    #[error("`{}` is no cron pattern: {reason}", .pattern.escape_debug())]
    Cron {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The interval is shorter than a second.
    #[error("a schedule cannot run every {0:?}: the shortest interval is 1 s")]
    Interval(Duration),
    /// It ends before it begins.
    #[error("a schedule cannot end ({end_at}) before it begins ({start_at})")]
    EndsBeforeStart {
        /// When it would begin.
        start_at: chrono::DateTime<chrono::Utc>,
        /// When it would end.
        end_at: chrono::DateTime<chrono::Utc>,
    },
    /// The prefix cannot begin the id of an instance.
    #[error("the ids of started instances cannot begin with the given prefix")]
    InstanceIdPrefix(#[source] InvalidInstanceId),
    /// The prefix is too long to leave room for what is added to it.
    #[error(
        "a prefix of {characters} characters is too long for instance ids, where it may have {max}"
    )]
    LongInstanceIdPrefix {
        /// How many it has.
        characters: usize,
        /// How many it may have.
        max: usize,
    },
    /// The call says something that is the schedule's to say.
    #[error("a call that is scheduled cannot have `{call}`; {instead}")]
    CallOption {
        /// What the call has.
        call: &'static str,
        /// What to write instead.
        instead: &'static str,
    },
}

/// Something was wanted of a schedule that could not be done. Nothing has changed then.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The schedule makes no sense.
    #[error(transparent)]
    Invalid(#[from] InvalidSchedule),
    /// The id breaks a rule.
    #[error("the id of a schedule has to follow the rules of instance ids")]
    InvalidId(#[from] InvalidInstanceId),
    /// The id is too long to leave room for what is added to it.
    #[error("an id of {characters} characters is too long for a schedule, which may have {max}")]
    IdTooLong {
        /// How many it has.
        characters: usize,
        /// How many it may have.
        max: usize,
    },
    /// The id is taken.
    #[error(
        "schedule `{0}` exists already; change it with `hub.schedule(..)?.update(..)`, or delete it \
         first"
    )]
    AlreadyExists(String),
    /// There is no such schedule.
    #[error("there is no schedule `{0}`")]
    NoSuchSchedule(String),
    /// It has come to its end, or was ended.
    #[error("schedule `{0}` has ended; delete it and create it anew")]
    Ended(String),
    /// The orchestration is not registered, or the input cannot be stored.
    #[error(transparent)]
    Start(Box<StartError>),
    /// What the schedule is told could not be recorded.
    #[error(transparent)]
    Manage(Box<ManageError>),
    /// The hub could not answer.
    #[error(transparent)]
    Hub(#[from] HubError),
}

impl From<StartError> for ScheduleError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Hub(error) => Self::Hub(error),
            error => Self::Start(Box::new(error)),
        }
    }
}
