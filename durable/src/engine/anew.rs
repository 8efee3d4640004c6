//! Continue-as-new: the external events that an execution inherits from the executions before it.
//!
//! If several executions follow one another within a turn, only the last one is written, so only
//! that one records every inherited event. Each earlier execution takes events until it continues
//! as new, and passes the rest on untouched. An instance that reads one event in each execution
//! therefore handles each event once, and not once per execution.
//!
//! Rules:
//! 1. Inherited events are delivered one at a time, in order, after the start.
//! 2. An execution passes on the events that it took and did not read, then those that it did not
//!    take, which is the order in which the events arrived.
//! 3. An execution that does not continue as new records all events that it inherits, in order,
//!    even if it ends before the last one is delivered.

use std::collections::VecDeque;

use super::action::Continuation;
use super::execution::Execution;
use super::live::Gathered;
use crate::orchestration::UnreadEvent;
use crate::orchestration::scope::NextExecution;
use crate::protocol::{EventKind, Suspension, Timestamp};

impl Execution {
    /// Gives a new execution the external events that earlier executions did not read. The next
    /// [`run`](Self::run) delivers them after its start.
    pub(crate) fn inherit(&mut self, events: VecDeque<UnreadEvent>) {
        self.inherited = events;
    }

    /// Delivers inherited events until the orchestrator has ended or is suspended.
    pub(super) fn deliver_inherited(
        &mut self,
        now: Timestamp,
        gathered: &mut Gathered,
    ) -> Result<(), Suspension> {
        while self.ending().is_none()
            && let Some(event) = self.inherited.pop_front()
        {
            self.deliver_one(now, event.into(), gathered)?;
        }
        Ok(())
    }

    /// Takes the inherited events that were not delivered, to record them (rule 3).
    pub(super) fn drain_inherited(&mut self) -> impl Iterator<Item = EventKind> {
        self.inherited.drain(..).map(EventKind::from)
    }

    /// What the next execution starts with (rule 2).
    pub(super) fn continuation(&mut self, next: NextExecution) -> Continuation {
        let mut unread = std::mem::take(&mut self.inherited);
        if next.keeps_events {
            for event in self.scope.take_unread().into_iter().rev() {
                unread.push_front(event);
            }
        } else {
            unread.clear();
        }
        Continuation { next, unread }
    }
}

impl From<UnreadEvent> for EventKind {
    fn from(UnreadEvent { name, input }: UnreadEvent) -> Self {
        Self::EventRaised { name, input }
    }
}
