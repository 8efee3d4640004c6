//! I17: purging, terminating and rewinding affect only the given instance and its
//! sub-orchestrations.
//!
//! "Removes an instance that has ended and, recursively, its sub-orchestrations that have ended"
//! (`purge_recursively`).

use std::collections::{BTreeMap, BTreeSet};

use durable::protocol::{EventKind, InstanceId};
use durable::store::Commit;

#[derive(Debug, Default)]
pub(super) struct Tree {
    /// The parents that each instance has ever had.
    parents: BTreeMap<InstanceId, BTreeSet<InstanceId>>,
    purges: BTreeSet<String>,
    whole_purges: BTreeSet<String>,
    purges_all: bool,
    ends: BTreeSet<String>,
    rewinds: BTreeSet<String>,
}

impl Tree {
    pub(super) fn ask_purge(&mut self, id: &str, recursively: bool) {
        let asked = if recursively { &mut self.whole_purges } else { &mut self.purges };
        asked.insert(id.to_owned());
    }

    pub(super) fn ask_purge_of_all(&mut self) {
        self.purges_all = true;
    }

    pub(super) fn ask_end(&mut self, id: &str) {
        self.ends.insert(id.to_owned());
    }

    pub(super) fn ask_rewind(&mut self, id: &str) {
        self.rewinds.insert(id.to_owned());
    }

    pub(super) fn before(&mut self, commit: &Commit) -> Result<(), String> {
        for episode in &commit.episodes {
            let id = &episode.record.instance_id;
            if let Some(parent) = &episode.record.parent {
                let parents = self.parents.entry(id.clone()).or_default();
                parents.insert(parent.instance_id.clone());
            }
            if id.as_str().starts_with('@') {
                continue;
            }
            for event in &episode.events {
                match &event.kind {
                    EventKind::ExecutionTerminated { .. } if !self.may_end(id) => {
                        return Err(format!("I17 {id} is terminated, and nobody asked for it"));
                    }
                    EventKind::ExecutionRewound { .. } if !self.was_rewound(id) => {
                        return Err(format!("I17 {id} is rewound, and nobody asked for it"));
                    }
                    _ => {}
                }
            }
        }
        for (_, id) in &commit.purged {
            self.purge(id)?;
        }
        Ok(())
    }

    /// Whether a client requested the end of an instance, for example to start another in its
    /// place.
    pub(super) fn may_be_replaced(&self, id: &InstanceId) -> bool {
        self.ends.contains(id.as_str())
    }

    /// Whether a client requested the rewind of an instance, or of one of its callers.
    pub(super) fn was_rewound(&self, id: &InstanceId) -> bool {
        self.descends(id, &self.rewinds, &mut BTreeSet::new())
    }

    /// Sub-orchestrations end with their parents, or when no parent waits for them any more.
    pub(super) fn may_end(&self, id: &InstanceId) -> bool {
        self.ends.contains(id.as_str()) || self.parents.contains_key(id)
    }

    fn purge(&self, id: &InstanceId) -> Result<(), String> {
        if id.as_str().starts_with('@') {
            return Ok(());
        }
        let is_asked = self.purges.contains(id.as_str()) || self.purges_all;
        if !is_asked && !self.descends(id, &self.whole_purges, &mut BTreeSet::new()) {
            return Err(format!("I17 {id} is purged, and nobody asked for it"));
        }
        Ok(())
    }

    /// Whether an instance, or one of its callers, is in this set.
    fn descends(
        &self,
        id: &InstanceId,
        from: &BTreeSet<String>,
        seen: &mut BTreeSet<InstanceId>,
    ) -> bool {
        from.contains(id.as_str())
            || seen.insert(id.clone())
                && self.parents.get(id).is_some_and(|parents| {
                    parents.iter().any(|parent| self.descends(parent, from, seen))
                })
    }
}
