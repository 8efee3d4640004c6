//! The decision of each patch: whether the changed code runs.

use std::collections::BTreeMap;

/// The decisions of an execution. Each is made once and recorded.
#[derive(Debug, Default)]
pub(super) struct Patches {
    decided: BTreeMap<String, bool>,
    /// The patches that were taken and are not recorded yet.
    unrecorded: Vec<String>,
}

impl Patches {
    /// Whether the code behind this patch runs: it does if the execution reaches it for the first
    /// time, or if its history records that it did.
    pub(super) fn decide(&mut self, id: &str, is_replaying: bool) -> bool {
        if let Some(decided) = self.decided.get(id) {
            return *decided;
        }
        let taken = !is_replaying;
        self.decided.insert(id.to_owned(), taken);
        if taken {
            self.unrecorded.push(id.to_owned());
        }
        taken
    }

    /// Adds the patches that a history records as taken.
    pub(super) fn add_recorded<'a>(&mut self, recorded: impl Iterator<Item = &'a str>) {
        self.decided.extend(recorded.map(|id| (id.to_owned(), true)));
    }

    /// The patches to record.
    pub(super) fn take_unrecorded(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unrecorded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_applies_and_is_recorded_once_in_live_code() {
        let mut patches = Patches::default();
        assert!(patches.decide("a", false) && patches.decide("a", false));
        assert_eq!(patches.take_unrecorded(), ["a"]);
        assert!(patches.decide("a", true), "a decision stays");
        assert_eq!(patches.take_unrecorded(), [""; 0]);
    }

    #[test]
    fn a_replay_applies_only_recorded_patches() {
        let mut patches = Patches::default();
        patches.add_recorded(["old"].into_iter());
        assert!(patches.decide("old", true));
        assert!(!patches.decide("new", true));
        assert!(!patches.decide("new", false), "also behind the end of the history");
        assert_eq!(patches.take_unrecorded(), [""; 0]);
    }
}
