//! I27: the runtime suspends an instance only if its code has changed. I26: a rewound instance gets
//! the results of its sub-orchestrations.
//!
//! "A completed sub-orchestration answers with its result; a failed one is rewound; a terminated or
//! purged one starts again; a running one answers when it ends" (`InstanceHandle::rewind`).

use durable::protocol::EventKind;
use durable::store::{Commit, EpisodeWrite};

#[derive(Debug, Default)]
pub(super) struct Suspensions {
    is_permitted: bool,
}

/// A child that could not be rewound reports the reason to its parent.
pub(super) fn children_answer(commit: &Commit) -> Result<(), String> {
    for (_, message) in &commit.messages {
        let EventKind::SubOrchestrationInstanceFailed { failure, .. } = &message.event else {
            continue;
        };
        let text = &failure.message;
        if text.contains("could not be rewound") && !text.contains("cannot be rewound") {
            let parent = &message.instance_id;
            return Err(format!("I26 {parent} was rewound, and gets no result: {text}"));
        }
    }
    Ok(())
}

impl Suspensions {
    pub(super) fn permit(&mut self) {
        self.is_permitted = true;
    }

    pub(super) fn episode(&self, episode: &EpisodeWrite) -> Result<(), String> {
        let Some(suspension) = &episode.record.suspension else { return Ok(()) };
        let Some(code) = suspension.code.as_ref().filter(|_| !self.is_permitted) else {
            return Ok(());
        };
        let id = &episode.record.instance_id;
        Err(format!("I27 {id} is suspended with {code}: {}", suspension.reason))
    }
}
