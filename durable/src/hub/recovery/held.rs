//! The instances that do not run for now, because they may crash the process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::protocol::{FailureDetails, InstanceId, InstanceRecord, Suspension};

/// The code of an instance that is held back until it has run alone.
const HELD_BACK: &str = "DURABLE0105";
/// The code of an instance or entity that is set aside.
const SET_ASIDE: &str = "DURABLE0106";

/// Why an instance or entity does not run as usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// It does not run until it is its turn to run alone.
    Back,
    /// The same, for an entity that has an operation to run.
    BackAndReady,
    /// It runs one operation, and is held back again.
    ForOneOperation,
    /// It does not run until a client resumes it.
    SetAside {
        /// The number of attempts that ended with the process.
        attempts: u32,
    },
}

/// The instances of a hub that do not run as usual.
#[derive(Debug, Default)]
pub(crate) struct HeldBack {
    /// Whether an instance was ever held. Every new execution reads this, so it takes no lock.
    is_used: AtomicBool,
    all: Mutex<BTreeMap<InstanceId, Held>>,
}

impl HeldBack {
    pub(crate) fn of(&self, id: &InstanceId) -> Option<Held> {
        if !self.is_used.load(Ordering::Acquire) {
            return None;
        }
        self.all().get(id).copied()
    }

    pub(crate) fn set(&self, id: &InstanceId, held: Held) {
        self.all().insert(id.clone(), held);
        self.is_used.store(true, Ordering::Release);
    }

    /// Lets an instance run as usual.
    pub(crate) fn release(&self, id: &InstanceId) {
        if self.is_used.load(Ordering::Acquire) {
            self.all().remove(id);
        }
    }

    /// Lets these instances run as usual, because their partition has another owner.
    pub(crate) fn forget(&self, is_of_it: impl Fn(&InstanceId) -> bool) {
        if self.is_used.load(Ordering::Acquire) {
            self.all().retain(|id, _| !is_of_it(id));
        }
    }

    /// Whether it waits for its turn to run alone.
    pub(crate) fn is_back(&self, id: &InstanceId) -> bool {
        matches!(self.of(id), Some(Held::Back | Held::BackAndReady))
    }

    /// The suspension of an orchestration or entity that must not run.
    pub(crate) fn suspension(&self, id: &InstanceId) -> Option<Suspension> {
        let (code, reason) = match self.of(id)? {
            Held::Back | Held::BackAndReady => (HELD_BACK, held_back(id)),
            Held::SetAside { attempts } => (SET_ASIDE, set_aside(id, attempts)),
            Held::ForOneOperation => return None,
        };
        Some(Suspension { code: Some(code.to_owned()), reason })
    }

    /// Whether an earlier opening has set the instance aside and this one does not run it.
    pub(crate) fn stays_aside(&self, record: &InstanceRecord) -> bool {
        is_set_aside(record) && self.of(&record.instance_id).is_none()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Held>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn held_back(id: &InstanceId) -> String {
    format!(
        "{HELD_BACK}: instance `{id}` is held back, because the process ended several times while \
         it ran\n  it is one of the instances that may have caused that; the hub runs them again, \
         alone or in small groups"
    )
}

fn set_aside(id: &InstanceId, attempts: u32) -> String {
    let (kind, or) = if id.is_entity() {
        ("entity", "skip its next operation")
    } else {
        ("instance", "terminate it")
    };
    format!(
        "{SET_ASIDE}: {kind} `{id}` is set aside, because it crashes the process\n  \
         attempts             {attempts}, the last ones while no other suspect ran\n\
         find out what it does before the process ends (stack overflow, abort, out of memory), fix \
         that, and resume the {kind}; or {or}"
    )
}

/// The failure of an operation that a client skips, because it crashes the process.
pub(crate) fn operation_failure() -> FailureDetails {
    let message = format!(
        "{SET_ASIDE}: the operation was skipped, because it crashes the process; fix the cause, and \
         send the operation again"
    );
    FailureDetails::new(FailureDetails::PROCESS_ENDED, message).non_retriable()
}

/// Whether a suspension lasts until an operator acts, so that it is reported to clients that wait
/// for the instance.
pub(crate) fn is_reported(suspension: &Suspension) -> bool {
    suspension.code.as_deref().is_some_and(|code| code != HELD_BACK)
}

/// Whether the instance was held back when it was last written.
pub(crate) fn was_held_back(record: &InstanceRecord) -> bool {
    has_code(record, HELD_BACK)
}

/// Whether the instance is set aside until a client resumes it.
pub(crate) fn is_set_aside(record: &InstanceRecord) -> bool {
    has_code(record, SET_ASIDE)
}

fn has_code(record: &InstanceRecord, code: &str) -> bool {
    record.suspension.as_ref().is_some_and(|it| it.code.as_deref() == Some(code))
}
