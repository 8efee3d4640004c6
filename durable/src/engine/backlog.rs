//! What is still to do of what came in while the instance was suspended.

use std::collections::BTreeMap;

use super::action::Action;
use crate::protocol::{EventKind, HistoryEvent};

/// Filled by a replay and by catching up; emptied by the first episode.
#[derive(Default)]
pub(super) struct Backlog {
    /// What came in and is not delivered yet.
    pub(super) events: Vec<HistoryEvent>,
    /// Retries that were decided while catching up, which are not recorded yet.
    pub(super) decided: Vec<EventKind>,
    /// For each task whose next attempt is still to be sent out, its last failed attempt.
    pub(super) retried: BTreeMap<i32, EventKind>,
    /// What stops tasks that are waited for no more.
    pub(super) stops: Vec<Action>,
}
