//! Which requests are refused: those that exceed a limit or break a rule of critical sections.
//!
//! These functions do not change a scope.

use std::fmt;

use super::{Scope, section};
use crate::orchestration::request::{Ask, Request};
use crate::protocol::{FailureDetails, Json};

impl Scope {
    /// Why a request is refused, if it is.
    pub(crate) fn refuses(&self, request: &Request) -> Option<FailureDetails> {
        if self.is_over_limit() {
            return Some(FailureDetails::too_many_actions(self.limits().actions));
        }
        if matches!(&request.ask, Ask::LockEntities(set) if set.is_empty()) {
            return Some(section::empty());
        }
        let broken = self.state.borrow().section.as_ref().and_then(|it| it.forbids(&request.ask));
        if let Some(broken) = broken {
            return Some(broken);
        }
        self.refuses_value(request.payload_name(), request.payload()?)
    }

    /// Why a one-way request with this payload is refused, if it is.
    ///
    /// Under replay version 0 the number of requests does not matter here.
    pub(crate) fn refuses_one_way(
        &self,
        what: impl fmt::Display,
        input: &Json,
    ) -> Option<FailureDetails> {
        if self.is_over_limit() && self.replay_version() >= 1 {
            return Some(FailureDetails::too_many_actions(self.limits().actions));
        }
        self.refuses_value(what, input)
    }

    /// Why a payload is refused, if it is: it is too large, or exceeds what one episode may carry.
    fn refuses_value(&self, what: impl fmt::Display, input: &Json) -> Option<FailureDetails> {
        let (limits, size) = (self.limits(), input.as_str().len());
        let carried = self.state.borrow().carried;
        // Release 0.1 did not limit the total size of an episode's payloads.
        let counts = self.replay_version() >= 1 || !self.is_replaying();
        let refused = if let Err(invalid) = limits.check_payload(&what, size) {
            invalid.recorded()
        } else if counts && carried + size > limits.episode {
            format!(
                "{what} has {size} bytes, but this episode already carries {carried} of at most \
                 {} bytes; await some calls before starting more, for example with \
                 `join_all(..).at_most(..)`, or pass references",
                limits.episode
            )
        } else {
            return None;
        };
        Some(FailureDetails::new(FailureDetails::PAYLOAD_TOO_LARGE, refused).non_retriable())
    }

    /// Whether the execution has made more requests than it may.
    pub(crate) fn is_over_limit(&self) -> bool {
        let state = self.state.borrow();
        i64::from(state.tasks.next_id()) > i64::from(state.limits.actions)
    }
}
