//! The options of a call, and the table of the uses in which each of them has an effect.
//!
//! A call is a value: the same call can be awaited, started, scheduled, or passed to
//! continue-as-new. An option without an effect in that use is refused, so that it is never ignored
//! silently.
//!
//! | option            | awaited | started by an instance | started by a client | schedule | its update | continue-as-new |
//! |-------------------|---------|------------------------|---------------------|----------|------------|-----------------|
//! | `retry`           | yes     |                        |                     |          |            |                 |
//! | `timeout`         | yes     |                        |                     |          |            |                 |
//! | `attempt_timeout` | yes     |                        |                     |          |            |                 |
//! | `tag`             | yes     | yes                    | yes                 | yes      | yes        |                 |
//! | `version`         | yes     | yes                    | yes                 | yes      | yes        | yes             |
//! | `instance_id`     | yes     | yes                    | yes                 |          |            |                 |
//! | `start_at`        | yes     | yes                    | yes                 |          |            |                 |
//! | `replace_if`      |         |                        | yes                 |          |            |                 |
//! | `trace_context`   |         |                        | yes                 | yes      |            |                 |
//!
//! A new field of [`CallOptions`] does not compile until [`CallOptions::given`] lists it, and
//! neither a new option nor a new use until [`CallOption::instead`] decides about it.

use std::time::Duration;

use crate::orchestration::Due;
use crate::protocol::{
    FailureDetails, InstanceId, InvalidInstanceId, RuntimeStatus, Tags, TraceContext,
};
use crate::retry::RetryPolicy;

/// The options of a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallOptions {
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) tags: Tags,
    pub(crate) version: Option<String>,
    pub(crate) instance_id: Option<Result<InstanceId, InvalidInstanceId>>,
    pub(crate) start_at: Option<Due>,
    /// Statuses of an instance with the same id that is replaced.
    pub(crate) replaces: Vec<RuntimeStatus>,
    pub(crate) trace_context: Option<TraceContext>,
}

/// An option of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallOption {
    Retry,
    Timeout,
    AttemptTimeout,
    Tag,
    Version,
    InstanceId,
    StartAt,
    ReplaceIf,
    TraceContext,
}

/// How a call is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallUse {
    /// An orchestrator awaits or spawns it.
    Awaited,
    /// An orchestrator or an entity starts it and does not wait for the result.
    Detached,
    /// A client starts it.
    Started,
    /// A new schedule runs it.
    #[cfg_attr(not(feature = "schedules"), allow(dead_code, reason = "for schedules"))]
    Scheduled,
    /// An existing schedule runs it from now on.
    #[cfg_attr(not(feature = "schedules"), allow(dead_code, reason = "for schedules"))]
    Rescheduled,
    /// An orchestrator continues as new with it.
    ContinuedAsNew,
}

/// An option that has no effect in the use of its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoEffect {
    /// The option, by the name of its method.
    pub(crate) option: &'static str,
    /// What to write instead.
    pub(crate) instead: &'static str,
}

impl CallOptions {
    /// The options that were given.
    fn given(&self) -> impl Iterator<Item = CallOption> {
        let Self {
            retry,
            timeout,
            attempt_timeout,
            tags,
            version,
            instance_id,
            start_at,
            replaces,
            trace_context,
        } = self;
        let all = [
            (CallOption::Retry, retry.is_some()),
            (CallOption::Timeout, timeout.is_some()),
            (CallOption::AttemptTimeout, attempt_timeout.is_some()),
            (CallOption::InstanceId, instance_id.is_some()),
            (CallOption::StartAt, start_at.is_some()),
            (CallOption::ReplaceIf, !replaces.is_empty()),
            (CallOption::TraceContext, trace_context.is_some()),
            (CallOption::Tag, !tags.is_empty()),
            (CallOption::Version, version.is_some()),
        ];
        all.into_iter().filter_map(|(option, is_given)| is_given.then_some(option))
    }

    /// The first option that has no effect in this use.
    pub(crate) fn check(&self, used: CallUse) -> Result<(), NoEffect> {
        let refused = self.given().find_map(|option| {
            option.instead(used).map(|instead| NoEffect { option: option.method(), instead })
        });
        refused.map_or(Ok(()), Err)
    }
}

impl NoEffect {
    /// The failure of a call of `name`.
    pub(crate) fn failure(self, name: &str, used: CallUse) -> FailureDetails {
        let Self { option, instead } = self;
        let used = match used {
            CallUse::Awaited => "awaited",
            CallUse::Detached | CallUse::Started => "started",
            CallUse::Scheduled | CallUse::Rescheduled => "scheduled",
            CallUse::ContinuedAsNew => "given to `continue_as_new`",
        };
        let message = format!("a call of `{name}` with `{option}` cannot be {used}; {instead}");
        FailureDetails::new(FailureDetails::INVALID_INPUT, message).non_retriable()
    }
}

impl CallOption {
    /// The name of its method.
    const fn method(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Timeout => "timeout",
            Self::AttemptTimeout => "attempt_timeout",
            Self::Tag => "tag",
            Self::Version => "version",
            Self::InstanceId => "instance_id",
            Self::StartAt => "start_at",
            Self::ReplaceIf => "replace_if",
            Self::TraceContext => "trace_context",
        }
    }

    /// What to write instead of the option in this use; `None` if it has an effect there.
    const fn instead(self, used: CallUse) -> Option<&'static str> {
        use CallUse::{Awaited, ContinuedAsNew, Detached, Rescheduled, Scheduled, Started};

        match (self, used) {
            (Self::Version, _)
            | (Self::Retry | Self::Timeout | Self::AttemptTimeout, Awaited)
            | (Self::Tag, Awaited | Detached | Started | Scheduled | Rescheduled)
            | (Self::InstanceId | Self::StartAt, Awaited | Detached | Started)
            | (Self::ReplaceIf, Started)
            | (Self::TraceContext, Started | Scheduled) => None,
            (_, ContinuedAsNew) => Some(
                "the instance keeps its id, its tags and its caller, and begins at once: leave the \
                 option out",
            ),
            (
                Self::Retry | Self::Timeout | Self::AttemptTimeout,
                Detached | Started | Scheduled | Rescheduled,
            ) => Some(
                "it applies to a call whose result is waited for: await the call in an orchestrator, \
                 or leave the option out",
            ),
            (Self::InstanceId, Scheduled | Rescheduled) => {
                Some("every run is an instance of its own: use `Schedule::instance_id_prefix`")
            }
            (Self::StartAt, Scheduled | Rescheduled) => Some("use `Schedule::start_at`"),
            (Self::ReplaceIf, Awaited | Detached) => Some(
                "only a client chooses what is replaced, and a sub-orchestration replaces any \
                 instance that has ended: leave the option out",
            ),
            (Self::ReplaceIf, Scheduled | Rescheduled) => {
                Some("each run has an id of its own: leave it out")
            }
            (Self::TraceContext, Awaited | Detached) => Some(
                "a trace begins where a client starts an instance, and what that leads to is part of \
                 it: leave the option out",
            ),
            (Self::TraceContext, Rescheduled) => Some(
                "a schedule stays in the trace with which it was created: leave the option out",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: [CallOption; 9] = [
        CallOption::Retry,
        CallOption::Timeout,
        CallOption::AttemptTimeout,
        CallOption::Tag,
        CallOption::Version,
        CallOption::InstanceId,
        CallOption::StartAt,
        CallOption::ReplaceIf,
        CallOption::TraceContext,
    ];

    const USES: [CallUse; 6] = [
        CallUse::Awaited,
        CallUse::Detached,
        CallUse::Started,
        CallUse::Scheduled,
        CallUse::Rescheduled,
        CallUse::ContinuedAsNew,
    ];

    #[test]
    fn the_table_in_the_module_docs_matches_the_code() {
        let rows = include_str!("options.rs").lines().filter(|line| line.starts_with("//! | `"));
        let documented: Vec<Vec<String>> = rows
            .map(|row| row.split('|').skip(1).take(7).map(|it| it.trim().to_owned()).collect())
            .collect();
        let decided = OPTIONS.map(|option| {
            let cell = |used: CallUse| option.instead(used).map_or("yes", |_| "").to_owned();
            let mut row = vec![format!("`{}`", option.method())];
            row.extend(USES.map(cell));
            row
        });
        assert_eq!(documented, decided);
    }

    #[test]
    fn every_given_option_is_found() {
        let all = CallOptions {
            retry: Some(RetryPolicy::new(2, Duration::ZERO)),
            timeout: Some(Duration::ZERO),
            attempt_timeout: Some(Duration::ZERO),
            tags: Tags::from([("team".to_owned(), "maths".to_owned())]),
            version: Some("2".to_owned()),
            instance_id: Some(InstanceId::new("ten")),
            start_at: Some(Due::After(chrono::TimeDelta::zero())),
            replaces: vec![RuntimeStatus::Failed],
            trace_context: Some(
                TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
                    .unwrap(),
            ),
        };
        let given: Vec<_> = all.given().collect();
        assert!(OPTIONS.iter().all(|option| given.contains(option)), "{given:?}");
        assert_eq!(given.len(), OPTIONS.len());
        assert_eq!(CallOptions::default().given().count(), 0);
    }
}
