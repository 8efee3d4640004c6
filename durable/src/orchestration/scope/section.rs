//! The critical section of an execution: its locks, and which requests its rules forbid.
//!
//! The rules are those of `entity/critical_section.rs`.

use std::collections::BTreeMap;
use std::panic::Location;

use crate::orchestration::request::{Ask, Request};
use crate::protocol::{EntityId, FailureDetails};

/// A critical section that was requested or has begun.
#[derive(Debug)]
pub(super) struct Section {
    /// The id of its lock request.
    pub(super) lock: i32,
    pub(super) lock_set: Vec<EntityId>,
    /// Whether it has begun: all entities are locked.
    pub(super) granted: bool,
    pub(super) source: &'static Location<'static>,
    /// The unanswered calls of its entities.
    calls: BTreeMap<i32, EntityId>,
}

/// Handles a new request with this id: a lock request opens a critical section, and a call belongs
/// to the open section.
pub(super) fn note(section: &mut Option<Section>, id: i32, request: &mut Request) {
    match &mut request.ask {
        Ask::LockEntities(lock_set) => {
            *section = Some(Section {
                lock: id,
                lock_set: lock_set.clone(),
                granted: false,
                source: request.source,
                calls: BTreeMap::new(),
            });
        }
        Ask::CallEntity { asked, section: of } => {
            if let Some(section) = section {
                section.calls.insert(id, asked.entity_id.clone());
                *of = Some(section.lock);
            }
        }
        Ask::Activity(_)
        | Ask::SubOrchestration { .. }
        | Ask::Timer { .. }
        | Ask::SendEvent { .. }
        | Ask::SignalEntity { .. }
        | Ask::UnlockEntities { .. } => {}
    }
}

impl Section {
    /// A call was answered or abandoned.
    pub(super) fn forget_call(&mut self, id: i32) {
        self.calls.remove(&id);
    }

    /// The failure of a request that breaks a rule.
    pub(super) fn forbids(&self, ask: &Ask) -> Option<FailureDetails> {
        self.broken_rule(ask).map(forbidden)
    }

    fn broken_rule(&self, ask: &Ask) -> Option<String> {
        let locks = |id| self.lock_set.contains(id);
        let is_called = |id| self.calls.values().any(|called| called == id);
        match ask {
            Ask::LockEntities(_) => Some(
                "rule 1: critical sections cannot be nested; end the first one before the next, or \
                 lock all entities at once"
                    .to_owned(),
            ),
            Ask::SubOrchestration { call, child, .. } => (!child.detached).then(|| {
                format!(
                    "rule 2: a critical section cannot call a sub-orchestration, which could wait \
                     for the same locks; call `{}` before or after the section",
                    call.name
                )
            }),
            Ask::CallEntity { asked, .. } if !locks(&asked.entity_id) => Some(format!(
                "rule 3: a critical section can only call entities that it has locked; lock `{}` \
                 together with the others, or signal it",
                asked.entity_id
            )),
            Ask::CallEntity { asked, .. } if !self.granted => Some(format!(
                "rule 6: `{}` was called before its lock was granted; await the lock first",
                asked.entity_id
            )),
            Ask::CallEntity { asked, .. } => is_called(&asked.entity_id).then(|| {
                format!(
                    "rule 4: a critical section cannot call a locked entity twice at the same time; \
                     await the first call of `{}` before the next",
                    asked.entity_id
                )
            }),
            Ask::SignalEntity { asked, .. } => locks(&asked.entity_id).then(|| {
                format!(
                    "rule 5: a critical section cannot signal an entity that it has locked; call \
                     `{}` through the section, or signal it afterwards",
                    asked.entity_id
                )
            }),
            Ask::Activity(_)
            | Ask::Timer { .. }
            | Ask::SendEvent { .. }
            | Ask::UnlockEntities { .. } => None,
        }
    }
}

/// The failure of a request that locks no entity.
pub(super) fn empty() -> FailureDetails {
    forbidden("rule 7: a critical section must lock at least one entity; this set is empty".into())
}

fn forbidden(message: String) -> FailureDetails {
    FailureDetails::new(FailureDetails::CRITICAL_SECTION, message).non_retriable()
}
