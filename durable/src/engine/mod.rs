//! The replay engine: an orchestrator and its history in, events and actions out.
//!
//! Pure: no I/O, clock, randomness, tasks, locks or unordered maps; it knows no store and no hub.
//! `now` and every message come in as values; everything to do goes out through [`Episode`].
//!
//! Rules:
//! 1. Events are delivered one at a time, in history order, and the orchestrator is polled after
//!    each until it waits again. So it makes no difference whether an execution is kept in memory
//!    between two episodes or replayed from its history.
//! 2. A request is paired with its record by its id, and must have the recorded kind, name and
//!    target. A request that has a record causes no action.
//! 3. A mismatch with the history, or an await that is not durable, suspends the instance: the
//!    episode records its arrivals and has no other effect.
//!
//! No match here has a wildcard arm over an enum, so that a new event or request fails to build
//! wherever it needs a decision.
//!
//! Read next: `execution.rs` (the states), `step.rs` (rule 1), `replay.rs` (rule 2),
//! `nondeterminism.rs` (what is reported under rule 3).

#![warn(clippy::wildcard_enum_match_arm)]

mod action;
mod anew;
mod attempts;
mod backlog;
mod execution;
mod identity;
mod live;
mod nondeterminism;
mod open;
mod outstanding;
mod past;
mod pending;
mod poll;
mod replay;
mod step;
#[cfg(test)]
#[expect(clippy::wildcard_enum_match_arm, reason = "a test names what it expects")]
mod tests;
mod translate;

pub(crate) use action::{
    Action, AttemptId, Continuation, Episode, FailedAttempt, Outcome, ScheduledTask,
};
pub(crate) use execution::Execution;
pub(crate) use identity::Identity;
pub(crate) use nondeterminism::KEPT;
pub(crate) use past::{Rewound, open_children, open_section, without_failures};
