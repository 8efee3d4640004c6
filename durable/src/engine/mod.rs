//! The replay engine: an orchestrator and its history in, events and actions out.
//!
//! Pure: no I/O, clock, randomness, tasks, locks or unordered maps; it knows no store and no hub.
//! `now` and every message come in as values, everything wanted goes out through [`Episode`].
//!
//! Rules:
//! 1. Events are delivered one at a time, in history order, and the orchestrator is polled after
//!    each until it waits again. So it makes no difference whether an execution is kept alive
//!    between two episodes or replayed from its history.
//! 2. What is asked for is paired with what is recorded by its number, and must be of the recorded
//!    kind and name, and for the recorded target. A request that meets a recording leaves no action.
//! 3. What does not fit, and what is not durable, suspends the instance: nothing of that episode
//!    takes effect but the events that came in.
//!
//! Read next: `execution.rs` (rule 1), `replay.rs` (rule 2), `nondeterminism.rs` (what is said under
//! rule 3).

mod action;
mod anew;
mod attempts;
mod execution;
mod nondeterminism;
mod open;
mod origin;
mod past;
mod poll;
mod replay;
#[cfg(test)]
mod tests;

pub(crate) use action::{Action, Continuation, Episode, Outcome, ScheduledTask};
pub(crate) use attempts::FailedAttempt;
pub(crate) use execution::Execution;
pub(crate) use nondeterminism::KEPT;
pub(crate) use origin::Origin;
pub(crate) use past::{Rewound, open_children, open_section, without_failures};
