//! What an execution may not ask for: too much, too large, or against a rule.

use std::fmt;

use super::critical_section;
use super::request::{Ask, Request};
use super::scope::Scope;
use crate::protocol::{FailureDetails, Json};

impl Scope {
    /// Why a request cannot be made, if it cannot.
    pub(crate) fn refuses(&self, request: &Request) -> Option<FailureDetails> {
        if self.is_over_limit() {
            return Some(FailureDetails::too_many_actions(self.limits().actions));
        }
        if matches!(&request.ask, Ask::LockEntities(set) if set.is_empty()) {
            return Some(critical_section::empty());
        }
        if let Some(broken) = self.breaks_rule(&request.ask) {
            return Some(broken);
        }
        self.refuses_value(request.what_is_handed_over(), request.handed_over()?)
    }

    /// Why a request without a result, which hands this over, cannot be made, if it cannot.
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

    /// Why a value cannot be handed over, if it cannot: it is too large, or this episode hands over
    /// too much.
    fn refuses_value(&self, what: impl fmt::Display, input: &Json) -> Option<FailureDetails> {
        let (limits, size) = (self.limits(), input.as_str().len());
        let (_, handed_over) = self.requested();
        // Release 0.1 did not count what an episode hands over.
        let counts = self.replay_version() >= 1 || !self.is_replaying();
        let refused = if let Err(refused) = limits.check_payload(&what, size) {
            refused
        } else if counts && handed_over + size > limits.episode {
            format!(
                "{what} has {size} bytes, and this episode has handed over {handed_over} bytes \
                 already of {} that are written at once; wait for some calls before more are begun, \
                 as with `join_all(..).at_most(..)`, or pass references",
                limits.episode
            )
        } else {
            return None;
        };
        Some(FailureDetails::new(FailureDetails::PAYLOAD_TOO_LARGE, refused).non_retriable())
    }

    /// Whether the execution has asked for more than it may.
    pub(crate) fn is_over_limit(&self) -> bool {
        i64::from(self.requested().0) > i64::from(self.limits().actions)
    }
}
