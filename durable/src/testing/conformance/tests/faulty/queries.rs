//! Faults in queries: too many results, too few, or another order.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Fault, Faulty};
use crate::protocol::{ExecutionId, HistoryEvent, InstanceId, PartitionId, Timestamp};
use crate::store::{Creation, CreationOrder, InstanceFilter, InstancePage, Store, StoreError};

type Due = (Timestamp, InstanceId);

impl Faulty {
    pub(super) fn bent_due(
        &self,
        partition: PartitionId,
        after: Option<&Due>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        let kept = self.kept.lock().unwrap();
        let right = &kept.right;
        let end = Timestamp::from_micros(253_402_300_799_999_999).unwrap();
        let mut all = right.due(partition, None, end, usize::MAX)?;
        let due = |record: &crate::protocol::InstanceRecord| {
            Some((record.next_due?, record.instance_id.clone()))
        };
        match self.fault {
            Fault::MixesDues => {
                let of = |partition| right.due(partition, None, end, usize::MAX).unwrap();
                all = kept.epochs.keys().copied().flat_map(of).collect();
                all.sort();
            }
            Fault::KeepsOldDues => {
                let ever: BTreeSet<Due> =
                    kept.past.records(partition).flatten().filter_map(due).collect();
                all = ever.into_iter().collect();
            }
            Fault::DuesOfFirstEpisodes => {
                let first = kept.past.records(partition).filter_map(|all| all.first());
                all = first.filter_map(due).collect();
                all.sort();
            }
            Fault::KeepsPurgedDues => {
                let last = kept.past.records(partition).filter_map(|all| all.last());
                all = last.filter_map(due).collect();
                all.sort();
            }
            Fault::DuesById => all.sort_by(|a, b| (&a.1, a.0).cmp(&(&b.1, b.0))),
            Fault::DuesUnsigned => {
                let unsigned = |at: Timestamp| at.to_datetime().timestamp_micros().cast_unsigned();
                all.sort_by_key(|(at, id)| (unsigned(*at), id.clone()));
            }
            _ => {}
        }
        all.retain(|due| match self.fault {
            Fault::DuesBeforeOnly => due.0 < until,
            _ => due.0 <= until,
        });
        all.retain(|due| match (self.fault, after) {
            (_, None) => true,
            (Fault::DuesOfAfterAgain, Some(after)) => due >= after,
            (Fault::DuesSkipEqualTimes, Some(after)) => due.0 > after.0,
            (_, Some(after)) => due > after,
        });
        if self.fault != Fault::DuesUnlimited {
            all.truncate(limit);
        }
        Ok(all)
    }

    pub(super) fn bent_page(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError> {
        let right = self.right();
        let mut page = right.instances(filter, after, limit)?;
        match self.fault {
            Fault::PagesRepeat => {
                let last = after.and_then(|after| right.instance(after).unwrap());
                page.instances.splice(0..0, last.filter(|last| filter.matches(last)));
                page.instances.truncate(limit.max(1));
            }
            Fault::PagesSkip => {
                // It continues after the item that only showed that there are more.
                let next = page.next.take();
                let more = right.instances(filter, next.as_ref(), 1)?;
                page.next = next.and(more.next);
            }
            Fault::PagesEndEarly => page.next = None,
            Fault::ScansUnlimited => {
                let filter = InstanceFilter { max_scanned: None, ..filter.clone() };
                page = right.instances(&filter, after, limit)?;
            }
            Fault::EndsWithTheScan => {
                page.next.take_if(|_| page.instances.len() < limit.max(1));
            }
            Fault::SkipsWhatIsNotScanned => {
                let filter = InstanceFilter { max_scanned: None, ..filter.clone() };
                page.next = right.instances(&filter, after, limit)?.next;
            }
            Fault::PagesUnlimited => page = right.instances(filter, after, usize::MAX)?,
            Fault::PagesUnsorted => page.instances.reverse(),
            Fault::PagesOfOneFilter => {
                let only =
                    InstanceFilter { tags: filter.tags.clone(), ..InstanceFilter::default() };
                let filter = if filter.tags.is_empty() { filter } else { &only };
                page = right.instances(filter, after, limit)?;
            }
            Fault::PagesOfEverything => {
                let all = |entities| {
                    let filter = InstanceFilter { entities, ..filter.clone() };
                    right.instances(&filter, after, usize::MAX).unwrap().instances
                };
                page.instances = [all(false), all(true)].concat();
                page.instances.sort_by(|a, b| a.instance_id.cmp(&b.instance_id));
                page.next = page.instances.get(limit.max(1) - 1).map(|it| it.instance_id.clone());
                page.instances.truncate(limit.max(1));
            }
            Fault::PagesOfNoEntities if filter.entities => page = InstancePage::default(),
            Fault::PagesOfWholeIds if !filter.id_prefix.is_empty() => {
                page.instances.retain(|record| record.instance_id.as_str() == filter.id_prefix);
            }
            Fault::PagesFromThePrefix if !filter.id_prefix.is_empty() => {
                // It begins at the prefix, ignoring where the previous page ended.
                page = right.instances(filter, None, limit)?;
            }
            _ => {}
        }
        Ok(page)
    }

    pub(super) fn bent_creations(
        &self,
        filter: &InstanceFilter,
        order: CreationOrder,
        after: Option<&Creation>,
        limit: usize,
    ) -> Result<InstancePage<Creation>, StoreError> {
        let order = match self.fault {
            Fault::CreatedOldestFirst => CreationOrder::OldestFirst,
            _ => order,
        };
        let mut page = self.right().instances_by_creation(filter, order, after, limit)?;
        match (self.fault, after) {
            (Fault::CreatedById, _) => {
                page.instances.sort_by(|a, b| a.instance_id.cmp(&b.instance_id));
            }
            (Fault::CreatedSkipsEqualTimes, Some((after, _))) => {
                page.instances.retain(|record| record.created_at != *after);
            }
            _ => {}
        }
        Ok(page)
    }

    pub(super) fn bent_history_page(
        &self,
        id: &InstanceId,
        execution: ExecutionId,
        indices: Range<u64>,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        let bent = match self.fault {
            Fault::CutsNoStart => 0..indices.end,
            Fault::CutsNoEnd => indices.start..u64::MAX,
            Fault::IncludesTheEnd => indices.start..indices.end.saturating_add(1),
            _ => indices,
        };
        self.right().history_page(id, execution, bent)
    }
}
