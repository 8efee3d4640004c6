//! Finding instances.

use std::collections::BTreeMap;

use super::{Store, StoreError};
use crate::protocol::{InstanceId, InstanceRecord, Json, RuntimeStatus, Tags, Timestamp};

/// The number of instances that are read together by a store without an index.
const READ_AT_ONCE: usize = 1000;

/// The prefix of the ids of entities and of scheduled signals; no other id starts with it.
pub(super) const ENTITIES: &str = "@";

/// A filter that selects the instances that meet every condition that is set.
///
/// The filter selects orchestrations, unless [`entities`](Self::entities) or
/// [`scheduled_signals`](Self::scheduled_signals) is set.
///
/// ```
/// use durable::RuntimeStatus;
/// use durable::store::InstanceFilter;
///
/// let mut failed = InstanceFilter::default();
/// failed.statuses = vec![RuntimeStatus::Failed];
/// failed.id_prefix = "order-".to_owned();
/// assert_eq!(failed.ids_begin_with(), "order-");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstanceFilter {
    /// The orchestration has this name.
    pub name: Option<String>,
    /// The status is one of these. If empty, any status matches.
    pub statuses: Vec<RuntimeStatus>,
    /// Created at this time or later.
    pub created_from: Option<Timestamp>,
    /// Created before this time.
    pub created_to: Option<Timestamp>,
    /// Ended at this time or later.
    pub ended_from: Option<Timestamp>,
    /// Ended before this time.
    pub ended_to: Option<Timestamp>,
    /// The id starts with this.
    pub id_prefix: String,
    /// Has all of these tags.
    pub tags: Tags,
    /// The custom status is this.
    pub custom_status: Option<Json>,
    /// Find entities instead of orchestrations.
    pub entities: bool,
    /// Find signals to entities that are stored until they are due, instead of orchestrations.
    pub scheduled_signals: bool,
    /// The orchestration has none of these names.
    pub not_names: Vec<String>,
    /// Last updated at this time or later.
    pub updated_from: Option<Timestamp>,
    /// Last updated before this time.
    pub updated_to: Option<Timestamp>,
    /// Not a condition: the most records to read for a page, matching or not; 0 counts as 1. If
    /// `None`, the store decides.
    pub max_scanned: Option<usize>,
}

impl InstanceFilter {
    /// Returns a prefix that the ids of all matching instances share, so that a store can bound its
    /// scan.
    pub fn ids_begin_with(&self) -> &str {
        let is_any = self.id_prefix.is_empty();
        if is_any && !self.wants_orchestrations() { ENTITIES } else { &self.id_prefix }
    }

    /// Whether the filter selects orchestrations, and so neither entities nor signals.
    pub(crate) fn wants_orchestrations(&self) -> bool {
        !self.entities && !self.scheduled_signals
    }

    fn wants(&self, id: &InstanceId) -> bool {
        if self.scheduled_signals {
            id.is_scheduled_signal()
        } else if self.entities {
            id.is_entity()
        } else {
            id.is_orchestration()
        }
    }

    /// Returns `true` if an instance meets every condition. A store may use this method alone, or
    /// check some conditions with its indexes and the rest with this method.
    pub fn matches(&self, record: &InstanceRecord) -> bool {
        // An ended instance is not updated again.
        let ended = record.runtime_status.is_finished().then_some(record.last_updated_at);
        let has_tag = |(key, value): (&String, &String)| record.tags.get(key) == Some(value);
        self.wants(&record.instance_id)
            && self.name.as_ref().is_none_or(|name| *name == record.name)
            && !self.not_names.contains(&record.name)
            && (self.statuses.is_empty() || self.statuses.contains(&record.runtime_status))
            && self.created_from.is_none_or(|from| record.created_at >= from)
            && self.created_to.is_none_or(|to| record.created_at < to)
            && self.ended_from.is_none_or(|from| ended.is_some_and(|ended| ended >= from))
            && self.ended_to.is_none_or(|to| ended.is_some_and(|ended| ended < to))
            && self.updated_from.is_none_or(|from| record.last_updated_at >= from)
            && self.updated_to.is_none_or(|to| record.last_updated_at < to)
            && record.instance_id.as_str().starts_with(&self.id_prefix)
            && self.tags.iter().all(has_tag)
            && (self.custom_status.is_none() || self.custom_status == record.custom_status)
    }
}

/// The position of an instance in the order of creation: when it was created, and its id, because
/// several instances may have been created at the same time.
///
/// ```
/// use durable::protocol::InstanceRecord;
/// use durable::store::Creation;
///
/// fn position(record: &InstanceRecord) -> Creation {
///     (record.created_at, record.instance_id.clone())
/// }
/// ```
pub type Creation = (Timestamp, InstanceId);

/// The direction of a page of [`instances_by_creation`](super::Store::instances_by_creation).
///
/// ```
/// use durable::store::CreationOrder;
///
/// assert!(CreationOrder::OldestFirst.is_after(&2, &1));
/// assert!(CreationOrder::NewestFirst.is_after(&1, &2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CreationOrder {
    /// In the order of creation, then of ids.
    OldestFirst,
    /// The reverse of [`OldestFirst`](Self::OldestFirst).
    NewestFirst,
}

impl CreationOrder {
    /// Returns `true` if `a` comes after `b` in this order.
    ///
    /// ```
    /// use durable::store::CreationOrder;
    ///
    /// assert!(CreationOrder::OldestFirst.is_after(&2, &1));
    /// assert!(CreationOrder::NewestFirst.is_after(&1, &2));
    /// ```
    pub fn is_after<T: Ord>(self, a: &T, b: &T) -> bool {
        match self {
            Self::OldestFirst => a > b,
            Self::NewestFirst => a < b,
        }
    }
}

/// A page of the instances that match a filter. `P` is the type of positions: ids, or [`Creation`]s
/// if the page is in the order of creation.
///
/// ```
/// use durable::store::InstancePage;
///
/// let last: InstancePage = InstancePage::new(Vec::new(), None).scanned(100);
/// assert_eq!(last.next, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstancePage<P = InstanceId> {
    /// The instances.
    pub instances: Vec<InstanceRecord>,
    /// The position after which the next page begins, or `None` if this page is the last. The next
    /// page may be empty.
    pub next: Option<P>,
    /// The number of records that were read for this page, matching or not.
    pub scanned: u64,
}

impl<P> Default for InstancePage<P> {
    fn default() -> Self {
        Self::new(Vec::new(), None)
    }
}

impl<P> InstancePage<P> {
    /// Creates a page, with the position after which the next one begins. The number of records
    /// read is that of `instances`, unless [`scanned`](Self::scanned) sets another.
    ///
    /// ```
    /// use durable::store::InstancePage;
    ///
    /// let page: InstancePage = InstancePage::new(Vec::new(), None);
    /// assert_eq!(page, InstancePage::default());
    /// ```
    pub fn new(instances: Vec<InstanceRecord>, next: Option<P>) -> Self {
        let scanned = instances.len() as u64;
        Self { instances, next, scanned }
    }

    /// Sets the number of records that were read for this page.
    ///
    /// ```
    /// use durable::store::InstancePage;
    ///
    /// let page: InstancePage = InstancePage::default().scanned(7);
    /// assert_eq!(page.scanned, 7);
    /// ```
    #[must_use]
    pub fn scanned(self, records: u64) -> Self {
        Self { scanned: records, ..self }
    }
}

/// Reads all instances, and keeps those of the page.
pub(super) fn by_creation_without_index(
    store: &(impl Store + ?Sized),
    filter: &InstanceFilter,
    order: CreationOrder,
    after: Option<&Creation>,
    limit: usize,
) -> Result<InstancePage<Creation>, StoreError> {
    let mut page = InstancePage::default();
    if !filter.wants_orchestrations() {
        return Ok(page);
    }
    let filter = InstanceFilter { max_scanned: None, ..filter.clone() };
    let mut first = BTreeMap::new();
    let (mut position, mut is_full) = (None, false);
    loop {
        let found = store.instances(&filter, position.as_ref(), READ_AT_ONCE)?;
        page.scanned += found.scanned;
        for record in found.instances {
            let creation = (record.created_at, record.instance_id.clone());
            if after.is_none_or(|after| order.is_after(&creation, after)) {
                first.insert(creation, record);
            }
            if first.len() > limit.max(1) {
                is_full = true;
                match order {
                    CreationOrder::OldestFirst => first.pop_last(),
                    CreationOrder::NewestFirst => first.pop_first(),
                };
            }
        }
        position = found.next;
        if position.is_none() {
            break;
        }
    }
    let last = match order {
        CreationOrder::OldestFirst => first.last_key_value(),
        CreationOrder::NewestFirst => first.first_key_value(),
    };
    page.next = last.filter(|_| is_full).map(|(creation, _)| creation.clone());
    page.instances = first.into_values().collect();
    if order == CreationOrder::NewestFirst {
        page.instances.reverse();
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ExecutionId, InstanceId};

    fn record(id: &str, updated_at: i64) -> InstanceRecord {
        let id = InstanceId::try_from(id.to_owned()).unwrap();
        let at = |micros| Timestamp::from_micros(micros).unwrap();
        let record = InstanceRecord::new(id, ExecutionId::from_u128(1), "counter", None, at(0));
        InstanceRecord { last_updated_at: at(updated_at), ..record }
    }

    #[test]
    fn entities_are_found_only_on_request() {
        let entities = InstanceFilter { entities: true, ..InstanceFilter::default() };
        let (entity, instance) = (record("@counter@", 0), record("a@b", 0));
        assert!(entities.matches(&entity) && !entities.matches(&instance));
        let others = InstanceFilter::default();
        assert!(others.matches(&instance) && !others.matches(&entity));
        let of_a_name = InstanceFilter { id_prefix: "@counter@".to_owned(), ..entities.clone() };
        let begin_with = [&others, &entities, &of_a_name].map(InstanceFilter::ids_begin_with);
        assert_eq!(begin_with, ["", "@", "@counter@"]);
    }

    #[test]
    fn scheduled_signals_are_found_only_on_request() {
        let signal = record("@counter@a#00000000-0000-0000-0000-000000000011", 0);
        let signals = InstanceFilter { scheduled_signals: true, ..InstanceFilter::default() };
        let entities = InstanceFilter { entities: true, ..InstanceFilter::default() };
        assert!(signals.matches(&signal) && !entities.matches(&signal));
        assert!(!InstanceFilter::default().matches(&signal));
        assert!(!signals.matches(&record("@counter@a", 0)) && !signals.matches(&record("a", 0)));
        assert_eq!(signals.ids_begin_with(), "@");
    }

    #[test]
    fn excluded_orchestrations_are_not_found() {
        let not_names = vec!["counter".to_owned()];
        let filter = InstanceFilter { not_names, ..InstanceFilter::default() };
        let other = InstanceRecord { name: "other".to_owned(), ..record("a", 0) };
        assert!(filter.matches(&other) && !filter.matches(&record("a", 0)));
    }

    #[test]
    fn filters_compare_the_time_of_the_last_change() {
        let (from, to) = (Timestamp::from_micros(3), Timestamp::from_micros(5));
        let filter = InstanceFilter { updated_from: from, updated_to: to, ..Default::default() };
        let found = (1..=6).filter(|at| filter.matches(&record("a", *at)));
        assert_eq!(found.collect::<Vec<_>>(), [3, 4]);
    }
}
