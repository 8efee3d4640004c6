//! A page of orchestrations in the order of creation, read through all layers.

use super::creation::Scan;
use super::view::{Created, LOOKED_AT_ONCE, View};
use super::{LOOKED_AT_MAX, read_record};
use crate::store::{Creation, CreationOrder, InstanceFilter, InstancePage, StoreError};

/// A page in the order of creation. It reads a few records at a time, because commits wait while a
/// view is held.
pub(super) fn page<'a>(
    view: impl Fn() -> View<'a>,
    filter: &InstanceFilter,
    order: CreationOrder,
    after: Option<&Creation>,
    limit: usize,
) -> Result<InstancePage<Creation>, StoreError> {
    let mut page = InstancePage::default();
    if !filter.wants_orchestrations() {
        return Ok(page);
    }
    let (from, to) = (filter.created_from, filter.created_to);
    let mut scan = Scan { order, after: after.cloned(), from, to };
    let most = filter.max_scanned.map_or(LOOKED_AT_MAX, |most| most.clamp(1, LOOKED_AT_MAX));
    let mut spread = 1;
    loop {
        let scanned = usize::try_from(page.scanned).unwrap_or(usize::MAX);
        let count = (limit - page.instances.len()).saturating_mul(spread).min(LOOKED_AT_ONCE);
        // Matching instances may be far apart.
        spread = LOOKED_AT_ONCE.min(spread * 4);
        let Created { found, end } = view().creations(&scan, count.min(most - scanned))?;
        for (creation, record) in found {
            page.scanned += 1;
            if let Some(record) = record {
                let record = read_record(&record)?;
                let is_current = record.created_at == creation.0;
                page.instances.extend((is_current && filter.matches(&record)).then_some(record));
            }
            if page.instances.len() == limit || page.scanned == most as u64 {
                page.next = Some(creation);
                return Ok(page);
            }
        }
        if end.is_none() {
            return Ok(page);
        }
        scan.after = end;
    }
}
