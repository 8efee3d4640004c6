//! The work that is left over from events that arrived while the instance was suspended.

use std::collections::BTreeMap;

use super::action::Action;
use crate::protocol::{EventKind, HistoryEvent};

/// Filled by a replay and by catching up; emptied by the first episode.
#[derive(Default)]
pub(super) struct Backlog {
    /// Events that arrived and are not delivered yet.
    pub(super) events: Vec<HistoryEvent>,
    /// Retries that were decided while catching up and are not recorded yet.
    pub(super) decided: Vec<EventKind>,
    /// The last failed attempt of each task whose next attempt is not sent out yet.
    pub(super) retried: BTreeMap<i32, EventKind>,
    /// Stops the tasks whose results are no longer needed.
    pub(super) stops: Vec<Action>,
}
