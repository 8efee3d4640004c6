//! Which failures a query finds, and where they are stored.

use crate::protocol::{EventKind, FailureDetails, InstanceRecord};
use crate::store::{Store, StoreError};

/// How many events are read at the end of a history before the whole history is.
const END: u64 = 4;

/// Which failures to find: those that meet every condition that is set.
#[derive(Clone, Debug, Default)]
pub(super) struct FailureFilter {
    pub(super) text: Option<String>,
    pub(super) error_type: Option<String>,
}

impl FailureFilter {
    pub(super) fn matches(&self, failure: &FailureDetails) -> bool {
        let has_text = |text: &String| failure.chain().any(|it| it.message.contains(&**text));
        let has_type = |wanted: &String| failure.chain().any(|it| it.error_type == *wanted);
        self.text.as_ref().is_none_or(has_text) && self.error_type.as_ref().is_none_or(has_type)
    }
}

/// Reads why an instance failed. `None` if it has changed since its record was read.
pub(super) fn failure(
    store: &dyn Store,
    record: &InstanceRecord,
) -> Result<Option<FailureDetails>, StoreError> {
    let len = record.history_len;
    for from in [len.saturating_sub(END), 0] {
        let events = store.history_page(&record.instance_id, record.execution_id, from..len)?;
        let failure = events.into_iter().rev().find_map(|event| match event.kind {
            EventKind::ExecutionCompleted { failure, .. } => Some(failure),
            _ => None,
        });
        if let Some(failure) = failure {
            return Ok(failure);
        }
    }
    Ok(None)
}
