//! The replay rules of the orchestrator that runs on this thread, if one does.
//!
//! An execution keeps the rules of the release that started it
//! ([`REPLAY_VERSION`](crate::protocol::REPLAY_VERSION)). Errors and values follow them without a
//! dependency on `orchestration/`: its scope reports here while an orchestrator is polled.

use std::cell::Cell;

thread_local! {
    static CURRENT: Cell<Option<u8>> = const { Cell::new(None) };
}

/// The rules of an orchestrator, until it is dropped.
#[derive(Debug)]
pub(crate) struct RulesGuard {
    before: Option<u8>,
}

impl Drop for RulesGuard {
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

/// Makes these rules the current ones.
pub(crate) fn enter(version: u8) -> RulesGuard {
    RulesGuard { before: CURRENT.replace(Some(version)) }
}

/// The rules of the orchestrator that runs on this thread; `None` outside an orchestrator.
pub(crate) fn current() -> Option<u8> {
    CURRENT.get()
}

/// Whether release 0.1 started the orchestrator that runs on this thread.
pub(crate) fn are_those_of_release_0_1() -> bool {
    current() == Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_hold_until_the_orchestrator_is_left() {
        assert_eq!(current(), None);
        let outer = enter(0);
        assert!(are_those_of_release_0_1());
        drop(enter(1));
        assert!(are_those_of_release_0_1());
        drop(outer);
        assert_eq!(current(), None);
    }
}
