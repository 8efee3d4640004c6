//! A queued message of an entity.

use crate::entity::is_deletion;
use crate::hub::mail::EntityReply;
use crate::protocol::{EventKind, ExecutionId, InstanceId, ParentInstance, TaskMessage};
use crate::weight;

/// A queued message of an entity.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) message: TaskMessage,
    pub(crate) origin: KeptIn,
}

/// Where a message is kept until it takes effect.
#[derive(Debug)]
pub(crate) enum KeptIn {
    /// In the store.
    Stored,
    /// In memory only; its client waits for the result.
    Client(EntityReply),
    /// In the store, as the pending signal of this id.
    Scheduled(InstanceId),
}

/// The critical section that holds the lock of an entity.
pub(super) type Owner<'a> = Option<&'a ParentInstance>;

/// A critical section: the execution that entered it, and its request.
pub(super) type Section = (ExecutionId, i32);

impl Queued {
    pub(super) fn bytes(&self) -> usize {
        bytes_of(&self.message)
    }

    pub(super) fn is_stored(&self) -> bool {
        matches!(self.origin, KeptIn::Stored)
    }

    pub(super) fn is_operation(&self) -> bool {
        matches!(
            self.message.event,
            EventKind::EntityOperationCalled { .. } | EventKind::EntityOperationSignaled { .. }
        )
    }

    pub(super) fn is_unlock(&self) -> bool {
        matches!(self.message.event, EventKind::EntityUnlockSent { .. })
    }

    /// Whether its sender waits for the result.
    pub(crate) fn is_call(&self) -> bool {
        matches!(self.message.event, EventKind::EntityOperationCalled { .. })
    }

    /// Whether it is the operation `delete`, which every entity has.
    pub(crate) fn is_deletion(&self) -> bool {
        is_deletion(&self.message)
    }

    /// Whether it waits while no code can read the state. Only a signal does: a call fails instead,
    /// and a deletion or lock does not need the state.
    pub(super) fn waits_for_code(&self) -> bool {
        self.is_operation() && !self.is_call() && !self.is_deletion()
    }

    /// Whether it is the lock request of the critical section that `unlock` ends.
    pub(super) fn requests_section_of(&self, unlock: &TaskMessage) -> bool {
        matches!(self.message.event, EventKind::EntityLockRequested { .. })
            && section(&self.message) == section(unlock)
    }

    /// The lock request of the critical section that sent it.
    fn lock(&self) -> Option<i32> {
        if self.is_unlock() {
            return self.message.from.as_ref().map(|from| from.task_scheduled_id);
        }
        let EventKind::EntityOperationCalled { critical_section, .. } = &self.message.event else {
            return None;
        };
        *critical_section
    }

    /// Whether it is a call or the end of the critical section that holds the lock.
    pub(super) fn is_of(&self, owner: Owner<'_>) -> bool {
        let Some(lock) = self.lock() else { return false };
        owner.zip(self.message.from.as_deref()).is_some_and(|(owner, from)| {
            owner.execution_id == from.execution_id && owner.task_scheduled_id == lock
        })
    }
}

/// Approximate size of a queued message.
pub(super) fn bytes_of(message: &TaskMessage) -> usize {
    size_of::<Queued>() + weight::of_event(&message.event)
}

/// The critical section that a message belongs to.
pub(super) fn section(message: &TaskMessage) -> Option<Section> {
    message.from.as_ref().map(|from| (from.execution_id, from.task_scheduled_id))
}
