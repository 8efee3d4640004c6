//! The longest chain of awaits: from the end back to the start, each task was requested when the
//! one before it was answered.

use super::read::Read;
use super::{LaneKind, Source};

/// Marks the lanes of the chain.
pub(super) fn mark(read: &mut Read, source: &Source<'_>) {
    let mut at = match read.ended_index {
        Some(index) => index,
        None => tip(read).unwrap_or(source.history.len()),
    };
    // Each step leads to an earlier event, so the walk ends.
    while let Some(last) = read.answers.partition_point(|(index, _)| *index < at).checked_sub(1) {
        let (answered, draft) = read.answers[last];
        let draft = &mut read.drafts[draft];
        draft.lane.is_critical = true;
        at = draft.requested.min(answered);
    }
}

/// Marks what an unfinished execution has waited for the longest; returns the index of its request.
fn tip(read: &mut Read) -> Option<usize> {
    let open = read.drafts.iter_mut().filter(|it| {
        it.lane.state.is_open() && it.lane.kind != LaneKind::Instance && !it.holds_locks()
    });
    // A timer that is set beside other tasks is most often their time limit.
    let first = open.min_by_key(|it| (it.lane.kind == LaneKind::Timer, it.lane.since))?;
    first.lane.is_critical = true;
    Some(first.requested)
}
