//! Why a task or an orchestration failed, as data in its history.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Json;

/// How many links a chain may have, the failure itself included.
pub(super) const LINKS_MAX: usize = 64;

/// Why a task or an orchestration failed, as recorded in the history.
///
/// The fields are those of Durable Functions' `FailureDetails`; the stack trace is left out, since
/// an error in Rust has none.
///
/// # Size
///
/// A chain of causes has at most 64 links. If there are more, the last link is of the type
/// [`CAUSES_LEFT_OUT`](Self::CAUSES_LEFT_OUT) and says how many are left out. In a history, the
/// texts of all links together have at most
/// [`max_payload`](crate::client::TaskHubBuilder::max_payload) bytes, and so do the values of all
/// links together. A longer text is cut and a larger value is left out; the message says so.
///
/// ```
/// use durable::protocol::FailureDetails;
///
/// let cause = FailureDetails::new("io", "connection reset");
/// let failure = FailureDetails::new("shop::Unreachable", "no bank").caused_by(cause);
/// let messages: Vec<_> = failure.chain().map(|failure| &*failure.message).collect();
/// assert_eq!(messages, ["no bank", "connection reset"]);
/// ```
#[derive(Deserialize)]
#[non_exhaustive]
pub struct FailureDetails {
    /// The kind of failure: the path of the error's type, or one of the constants here. Empty if it
    /// is unknown, as for the causes of an error.
    pub error_type: String,
    /// What went wrong, for people.
    pub message: String,
    /// The cause of this failure, which may have a cause of its own; set by
    /// [`caused_by`](Self::caused_by), which keeps the chain short.
    pub inner: Option<Box<FailureDetails>>,
    /// Whether a retry is pointless. No retry policy retries such a failure.
    pub non_retriable: bool,
    /// The user's own error, as a value.
    #[serde(default, deserialize_with = "given")]
    pub value: Option<Json>,
}

impl FailureDetails {
    /// The function panicked.
    pub const PANIC: &str = "durable::Panic";
    /// The stored input does not fit the function's parameters.
    pub const INVALID_INPUT: &str = "durable::InvalidInput";
    /// The returned value could not be written as JSON, or could not be read again.
    pub const INVALID_OUTPUT: &str = "durable::InvalidOutput";
    /// The hub does not know the activity.
    pub const NOT_REGISTERED: &str = "durable::NotRegistered";
    /// The hub lacks the shared state that the activity needs.
    pub const MISSING_STATE: &str = "durable::MissingState";
    /// The store of the hub lacks the transactions that a transactional activity needs.
    pub const MISSING_TRANSACTIONS: &str = "durable::MissingTransactions";
    /// The transaction of a transactional activity was rolled back, for a reason of the database.
    pub const TRANSACTION: &str = "durable::Transaction";
    /// The stored state of an entity does not fit its type.
    pub const INVALID_STATE: &str = "durable::InvalidState";
    /// A rule of critical sections was broken.
    pub const CRITICAL_SECTION: &str = "durable::CriticalSection";
    /// A call was awaited outside of an orchestrator.
    pub const NOT_IN_ORCHESTRATOR: &str = "durable::NotInOrchestrator";

    /// The data of an event does not fit the type that the orchestrator waits for.
    pub const INVALID_EVENT: &str = "durable::InvalidEvent";
    /// A value is larger than the hub allows.
    pub const PAYLOAD_TOO_LARGE: &str = "durable::PayloadTooLarge";
    /// An execution made more requests than the hub allows.
    pub const TOO_MANY_ACTIONS: &str = "durable::TooManyActions";
    /// More events arrived than the hub buffers for an execution.
    pub const TOO_MANY_EVENTS: &str = "durable::TooManyEvents";
    /// A call or an attempt timed out.
    pub const TIMEOUT: &str = "durable::Timeout";
    /// A sub-orchestration was terminated.
    pub const TERMINATED: &str = "durable::Terminated";
    /// Not a failure: the end of a chain of causes that was too long. Its message says how many
    /// causes are left out.
    pub const CAUSES_LEFT_OUT: &str = "durable::CausesLeftOut";
    /// The requested id of a sub-orchestration is taken.
    pub const INSTANCE_EXISTS: &str = "durable::InstanceExists";
    /// A client has skipped an operation of an entity, because the operation crashes the process.
    pub const PROCESS_ENDED: &str = "durable::ProcessEnded";

    /// The failures that no function returned.
    const OF_RUNTIME: [&str; 18] = [
        Self::PROCESS_ENDED,
        Self::PANIC,
        Self::INVALID_INPUT,
        Self::INVALID_OUTPUT,
        Self::NOT_REGISTERED,
        Self::MISSING_STATE,
        Self::MISSING_TRANSACTIONS,
        Self::TRANSACTION,
        Self::INVALID_STATE,
        Self::CRITICAL_SECTION,
        Self::NOT_IN_ORCHESTRATOR,
        Self::INVALID_EVENT,
        Self::PAYLOAD_TOO_LARGE,
        Self::TOO_MANY_ACTIONS,
        Self::TOO_MANY_EVENTS,
        Self::TIMEOUT,
        Self::TERMINATED,
        Self::INSTANCE_EXISTS,
    ];

    /// Creates a failure with this type and message, without further details.
    pub fn new(error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            error_type: error_type.into(),
            message: message.into(),
            inner: None,
            non_retriable: false,
            value: None,
        }
    }

    /// An execution has made more than `max` requests.
    pub(crate) fn too_many_actions(max: u32) -> Self {
        let message = format!(
            "this execution has asked for more than {max} activities, timers and so on; use \
             `ctx.continue_as_new(..)` now and then, or raise `TaskHub::builder().max_actions(..)`"
        );
        Self::new(Self::TOO_MANY_ACTIONS, message).non_retriable()
    }

    /// An execution has more than `max` unread events.
    pub(crate) fn too_many_events(max: usize) -> Self {
        let message = format!(
            "more than {max} external events came in that this execution has not waited for; wait \
             for them, or raise `TaskHub::builder().max_unread_events(..)`"
        );
        Self::new(Self::TOO_MANY_EVENTS, message).non_retriable()
    }

    /// Marks the failure as non-retriable.
    #[must_use]
    pub fn non_retriable(mut self) -> Self {
        self.non_retriable = true;
        self
    }

    /// Sets the cause of the failure.
    ///
    /// At most 64 links are kept; see [size](Self#size).
    #[must_use]
    pub fn caused_by(mut self, cause: FailureDetails) -> Self {
        self.drop_causes();
        self.inner = Some(Box::new(cause.cut(LINKS_MAX - 1, 0)));
        self
    }

    /// Returns `true` if this failure, or one that caused it, is of the type `T`.
    ///
    /// Compares the recorded [`error_type`](Self::error_type) with the name that
    /// [`error_name!`](crate::error_name) gives to `T` and with the path of `T`. Without such a
    /// name, a type is no longer recognized once it has moved to another module.
    ///
    /// ```
    /// use durable::protocol::FailureDetails;
    ///
    /// let details = FailureDetails::new(std::any::type_name::<std::fmt::Error>(), "no");
    /// assert!(details.is_caused_by::<std::fmt::Error>());
    /// ```
    pub fn is_caused_by<T: 'static>(&self) -> bool {
        self.chain().any(FailureDetails::is_of::<T>)
    }

    /// Whether it is a failure that no function returned: it is of one of the types named here.
    pub(crate) fn is_of_runtime(&self) -> bool {
        Self::OF_RUNTIME.contains(&self.error_type.as_str())
    }

    /// Whether it is of the type `T` itself, regardless of its causes.
    pub(crate) fn is_of<T: 'static>(&self) -> bool {
        crate::error::is_name_of::<T>(&self.error_type)
    }

    /// Returns an iterator over this failure, its cause, the cause of that cause, and so on.
    pub fn chain(&self) -> impl Iterator<Item = &FailureDetails> {
        std::iter::successors(Some(self), |failure| failure.inner.as_deref())
    }
}

/// Implemented by hand for two reasons. The value of an error may be a JSON `null`, which must not
/// be confused with no value, so an absent value is left out. And a chain that is too long to be
/// read is cut.
impl Serialize for FailureDetails {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.chain().nth(LINKS_MAX).is_some() {
            return self.clone().shortened().serialize(serializer);
        }
        let has_value = self.value.is_some() || !serializer.is_human_readable();
        let count = 4 + usize::from(has_value);
        let mut fields = serializer.serialize_struct("FailureDetails", count)?;
        fields.serialize_field("error_type", &self.error_type)?;
        fields.serialize_field("message", &self.message)?;
        fields.serialize_field("inner", &self.inner)?;
        fields.serialize_field("non_retriable", &self.non_retriable)?;
        if has_value {
            fields.serialize_field("value", &self.value)?;
        } else {
            fields.skip_field("value")?;
        }
        fields.end()
    }
}

/// A present value, which may be `null`.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    if deserializer.is_human_readable() {
        Json::deserialize(deserializer).map(Some)
    } else {
        Option::deserialize(deserializer)
    }
}

impl fmt::Display for FailureDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::codec::{read_value, written};

    #[test]
    fn a_null_value_differs_from_an_absent_value() {
        for value in [None, Some(Json::null()), Some(Json::parse("[1]").unwrap())] {
            let failure = FailureDetails { value, ..FailureDetails::new("Full", "no room") };
            let failure = FailureDetails::new("", "outer").caused_by(failure);
            let json = serde_json::to_string(&failure).unwrap();
            assert_eq!(serde_json::from_str::<FailureDetails>(&json).unwrap(), failure, "{json}");
            let bytes = written(&failure);
            assert_eq!(read_value::<FailureDetails>(&bytes).unwrap(), failure);
        }
    }
}
