//! The content of a simulated tree, and what a crash leaves of it.
//!
//! A sync makes durable what was applied before. Of the batches after that, those up to some point
//! survive a crash of the process or the machine.

use std::collections::BTreeMap;

use sled::IVec;

use super::content::Choose;

type Map = BTreeMap<Vec<u8>, IVec>;
pub(in crate::store::sled) type Changes = Vec<(IVec, Option<IVec>)>;

/// A tree, as its readers see it and on the disk.
#[derive(Debug, Default)]
pub(in crate::store::sled) struct State {
    pub(in crate::store::sled) seen: Map,
    durable: Map,
    /// The batches that no sync has covered.
    pending: Vec<Changes>,
    /// A sync has failed: nothing more reaches the disk, whatever later syncs say.
    is_broken: bool,
}

fn apply(map: &mut Map, changes: &Changes) {
    for (key, value) in changes {
        match value {
            Some(value) => drop(map.insert(key.to_vec(), value.clone())),
            None => drop(map.remove(&**key)),
        }
    }
}

impl State {
    /// Applies a batch.
    pub(in crate::store::sled) fn apply(&mut self, batch: Changes) {
        apply(&mut self.seen, &batch);
        self.pending.push(batch);
    }

    pub(super) fn sync(&mut self) {
        if !self.is_broken {
            self.pending.drain(..).for_each(|changes| apply(&mut self.durable, &changes));
        }
    }

    pub(super) fn fail_sync(&mut self, choose: Choose<'_>) {
        self.write_some(choose);
        self.is_broken = true;
    }

    fn write_some(&mut self, choose: Choose<'_>) {
        if self.is_broken {
            self.pending.clear();
        }
        let all = u32::try_from(self.pending.len()).unwrap_or(u32::MAX);
        let count = match choose(3) {
            0 => 0,
            1 => all,
            _ => choose(all + 1),
        };
        let pending = std::mem::take(&mut self.pending);
        pending[..count as usize].iter().for_each(|changes| apply(&mut self.durable, changes));
    }

    /// Ends the process. sled keeps batches in memory for a while, so that even a crash of the
    /// process alone loses some.
    pub(super) fn crash(&mut self, choose: Choose<'_>) {
        self.write_some(choose);
        self.seen.clone_from(&self.durable);
        self.is_broken = false;
    }
}
