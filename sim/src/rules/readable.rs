//! I24: what is committed can be read back.
//!
//! "A chain of causes has at most 64 links" (`FailureDetails`).

use durable::protocol::{EventKind, FailureDetails};
use durable::store::Commit;

const LINKS_MAX: usize = 64;

pub(super) fn failures_are_short(commit: &Commit) -> Result<(), String> {
    let recorded = commit.episodes.iter().flat_map(|episode| &episode.events);
    let recorded = recorded.map(|event| &event.kind);
    let sent = commit.messages.iter().map(|(_, message)| &message.event);
    for kind in recorded.chain(sent) {
        let links = failure(kind).map_or(0, links);
        if links > LINKS_MAX {
            return Err(format!("I24 a failure has a chain of {links} causes"));
        }
    }
    Ok(())
}

fn links(failure: &FailureDetails) -> usize {
    let causes = std::iter::successors(Some(failure), |failure| failure.inner.as_deref());
    causes.count()
}

fn failure(kind: &EventKind) -> Option<&FailureDetails> {
    match kind {
        EventKind::ExecutionCompleted { failure, .. } => failure.as_ref(),
        EventKind::TaskFailed { failure, .. }
        | EventKind::TaskAttemptFailed { failure, .. }
        | EventKind::SubOrchestrationInstanceFailed { failure, .. }
        | EventKind::EntityOperationFailed { failure, .. } => Some(failure),
        _ => None,
    }
}
