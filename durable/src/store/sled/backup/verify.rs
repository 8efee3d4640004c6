//! Reading a complete copy: everything can be decoded, and nothing is missing.

use std::ops::Bound;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use super::super::base::Base;
use super::super::disk::Disk;
use super::super::log::read;
use super::super::view::{LOOKED_AT_ONCE, Layers, View};
use super::super::{creation, history, keys, read_hub, read_record, values};
use crate::protocol::{InstanceId, TaskMessage};
use crate::store::StoreError;

/// What a copy contains.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) instances: u64,
    pub(super) messages: u64,
    active: usize,
    due: usize,
    orchestrations: usize,
}

/// Reads all records, histories and messages, and compares their counts with those of the keys that
/// are derived from them.
pub(super) fn verify(
    copy: &Base,
    log: &Path,
    last: u64,
    may_go_on: &dyn Fn() -> Result<(), StoreError>,
) -> Result<Counts, StoreError> {
    let found = read::read(&Disk::System, log, copy.applied()?)?;
    found.damage.map_or(Ok(()), Err)?;
    is_equal("the last frame", found.last, last)?;
    if let Some(hub) = copy.get(keys::HUB)? {
        read_hub(&hub)?;
    }
    copy.epochs()?;
    let layers = RwLock::new(Layers::default());
    let layers = layers.read().unwrap_or_else(PoisonError::into_inner);
    let view = View { layers, base: copy };
    let mut counts = Counts::default();
    let mut after: Option<InstanceId> = None;
    loop {
        may_go_on()?;
        let from = after.as_ref().map_or(Bound::Unbounded, |id| Bound::Excluded(id.as_str()));
        let page = copy.instances("", from, LOOKED_AT_ONCE)?;
        for (id, stored) in &page {
            read_record(&stored.record)?;
            let blocks = history::of_view(&view, id, stored.head.execution, 0)?;
            let events = blocks.iter().map(|block| u64::from(block.count)).sum();
            let what = || format!("the number of events of `{id}`");
            is_equal(&what(), events, stored.head.history_len)?;
            counts.instances += 1;
            counts.active += usize::from(stored.head.active);
            counts.due += usize::from(stored.head.next_due.is_some());
            counts.orchestrations += usize::from(id.is_orchestration());
        }
        match page.into_iter().next_back() {
            Some((id, _)) => after = Some(id),
            None => break,
        }
    }
    is_equal("the number of active instances", copy.keys(b"a")?.len(), counts.active)?;
    is_equal("the number of due instances", copy.keys(b"d")?.len(), counts.due)?;
    let by_creation = creation::count(copy)?;
    is_equal("the number of entries by creation", by_creation, counts.orchestrations)?;
    for partition in copy.partitions_with_messages()? {
        let mut from = 0;
        loop {
            may_go_on()?;
            let page = copy.messages(partition, from..u64::MAX, LOOKED_AT_ONCE, |_| true)?;
            for (_, message) in &page {
                let message = message.as_deref().unwrap_or_default();
                values::read::<TaskMessage>("a message", message)?;
            }
            counts.messages += page.len() as u64;
            match page.last() {
                Some((position, _)) => from = position + 1,
                None => break,
            }
        }
    }
    Ok(counts)
}

fn is_equal<T: Copy + PartialEq + std::fmt::Display>(
    what: &str,
    found: T,
    wanted: T,
) -> Result<(), StoreError> {
    if found == wanted {
        return Ok(());
    }
    Err(StoreError::damaged(format!("{what} is {found} instead of {wanted}")))
}
