//! Compares the content of a store with the reference: the same work in a store in memory.

use std::any::Any;
use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;

use durable::protocol::{
    ExecutionId, InstanceId, InstanceRecord, PartitionId, TaskMessage, Timestamp,
};
use durable::store::{Commit, EpisodeWrite, Epoch, InstanceFilter, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::work::{self, PARTITIONS, Work};

/// A folder to check.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) folder: PathBuf,
    /// The number of acknowledged steps, and the number of steps that were begun.
    pub(crate) acknowledged: usize,
    pub(crate) issued: usize,
}

/// The result of checking a folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Finding {
    /// The content is exactly that after this number of steps, and the store accepts commits.
    Holds(usize),
    /// The store returned an error.
    Refused {
        /// The kind of error.
        kind: String,
        /// Its text.
        text: String,
    },
    /// The content fits none of the possible numbers of steps.
    Wrong(String),
    Panicked(String),
    /// The process that opened the store ended.
    Died(String),
    /// It did not answer within a minute.
    Hung,
}

impl From<StoreError> for Finding {
    fn from(error: StoreError) -> Self {
        let kind = format!("{error:?}");
        let kind = kind.split([' ', '(']).next().unwrap_or_default().to_owned();
        Self::Refused { kind, text: error.to_string() }
    }
}

/// Opens the folder and checks its content.
pub(crate) fn check(case: &Case, work: &Work) -> Finding {
    let judged = panic::catch_unwind(AssertUnwindSafe(|| judge(case, work)));
    judged
        .unwrap_or_else(|panic| Ok(Finding::Panicked(said(&*panic))))
        .unwrap_or_else(Finding::from)
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}

fn judge(case: &Case, work: &Work) -> Result<Finding, StoreError> {
    let store = work::open(&case.folder)?;
    let mut differences = Vec::new();
    for steps in (case.acknowledged..=case.issued).rev() {
        let reference = work.reference(steps);
        match difference(&store, &reference, work)? {
            None => return write_on(store, &reference, case, work, steps),
            Some(difference) => differences.push(format!("not {steps} steps: {difference}")),
        }
    }
    for steps in (case.acknowledged.saturating_sub(50)..case.acknowledged).rev() {
        if difference(&store, &work.reference(steps), work)?.is_none() {
            return Ok(Finding::Wrong(format!("no more than {steps} steps are left")));
        }
    }
    Ok(Finding::Wrong(differences.join("; ")))
}

/// The number of steps that the store contains. If the last step is a claim, its absence cannot be
/// detected, so this is not called in that case.
pub(crate) fn steps_in(
    store: &dyn Store,
    steps: RangeInclusive<usize>,
    work: &Work,
) -> Result<usize, String> {
    for steps in steps.clone().rev() {
        let difference = difference(store, &work.reference(steps), work);
        if difference.map_err(|error| error.to_string())?.is_none() {
            return Ok(steps);
        }
    }
    Err(format!("the store holds none of {steps:?} steps"))
}

/// Claims the partitions, adds a commit, and opens the store once more.
fn write_on(
    store: impl Store,
    reference: &dyn Store,
    case: &Case,
    work: &Work,
    steps: usize,
) -> Result<Finding, StoreError> {
    // Whether the hub was created, or a partition was claimed, is only visible when it is done
    // again.
    let (least, most) = (work.reference(case.acknowledged), work.reference(case.issued));
    let other = work::hub(2);
    let hub = store.create(&other)?;
    if ![least.create(&other)?, most.create(&other)?].contains(&hub) {
        return Ok(Finding::Wrong(format!("the hub is {hub:?}")));
    }
    let (mut owners, mut known) = (Vec::new(), Vec::new());
    for partition in (0..PARTITIONS).map(PartitionId) {
        let found = store.claim(partition)?;
        let wanted = least.claim(partition)?..=most.claim(partition)?;
        if !wanted.contains(&found) {
            return Ok(Finding::Wrong(format!("partition {partition}: {found:?}, not {wanted:?}")));
        }
        owners.push((partition, found));
        known.push((partition, reference.claim(partition)?));
    }
    store.commit(&one_more(owners))?;
    reference.commit(&one_more(known))?;
    let written = difference(&store, reference, work)?;
    drop(store);
    let store = work::open(&case.folder)?;
    let reopened = difference(&store, reference, work)?;
    Ok(match (written, reopened) {
        (None, None) => Finding::Holds(steps),
        (Some(what), _) => Finding::Wrong(format!("after one more commit: {what}")),
        (_, Some(what)) => Finding::Wrong(format!("after it was opened once more: {what}")),
    })
}

/// A commit that fits after any work.
fn one_more(owners: Vec<(PartitionId, Epoch)>) -> Commit {
    let id = InstanceId::new("one-more").unwrap();
    let partition = work::partition_of(&id);
    let execution = ExecutionId::from_u128(u128::MAX);
    let record = InstanceRecord::new(id.clone(), execution, "more", None, work::time(0));
    let message = work::message(u128::MAX, &id, "more".repeat(5000));
    let mut commit = Commit::new(owners);
    commit.episodes.push(EpisodeWrite::new(partition, record, Vec::new()));
    commit.messages.push((partition, message));
    commit
}

/// The first difference between the contents of two stores, if there is one.
pub(crate) fn difference(
    store: &dyn Store,
    reference: &dyn Store,
    work: &Work,
) -> Result<Option<String>, StoreError> {
    let (found, wanted) = (listed(store)?, listed(reference)?);
    if let Some(what) = differ("the list of instances", &found, &wanted) {
        return Ok(Some(what));
    }
    for (id, execution) in &work.executions {
        let (found, wanted) = (store.instance(id)?, reference.instance(id)?);
        let from = wanted.as_ref().map_or(0, |record| record.last_episode);
        let what = differ(&format!("the record of `{id}`"), found.as_slice(), wanted.as_slice());
        if what.is_some() {
            return Ok(what);
        }
        for from in [0, from] {
            let found = store.history(id, *execution, from)?;
            let wanted = reference.history(id, *execution, from)?;
            let of = format!("the history of `{id}` from {from} on, execution {execution}");
            let what = differ(&of, &found, &wanted);
            if what.is_some() {
                return Ok(what);
            }
        }
    }
    for partition in (0..PARTITIONS).map(PartitionId) {
        let what = differ_in(partition, store, reference)?;
        if what.is_some() {
            return Ok(what);
        }
    }
    Ok(None)
}

fn differ_in(
    partition: PartitionId,
    store: &dyn Store,
    reference: &dyn Store,
) -> Result<Option<String>, StoreError> {
    let active = |store: &dyn Store| -> Result<Vec<InstanceId>, StoreError> {
        let mut active = store.load(partition)?.active;
        active.sort();
        Ok(active)
    };
    let messages = |store: &dyn Store| waiting(partition, store);
    let due = |store: &dyn Store| store.due(partition, None, Timestamp::MAX, usize::MAX);
    let named = |what: &str| format!("{what} partition {partition}");
    Ok(differ(&named("active in"), &active(store)?, &active(reference)?)
        .or(differ(&named("messages of"), &messages(store)?, &messages(reference)?))
        .or(differ(&named("due in"), &due(store)?, &due(reference)?)))
}

/// The messages of a partition, in small pages.
fn waiting(partition: PartitionId, store: &dyn Store) -> Result<Vec<TaskMessage>, StoreError> {
    let (mut waiting, mut places) = (Vec::new(), 0..store.load(partition)?.messages_end);
    loop {
        let page = store.messages(partition, None, places.clone(), 5)?;
        let Some((last, _)) = page.last() else { return Ok(waiting) };
        places.start = last + 1;
        waiting.extend(page.into_iter().map(|(_, message)| message));
    }
}

fn differ<T: PartialEq + Debug>(what: &str, found: &[T], wanted: &[T]) -> Option<String> {
    if found == wanted {
        return None;
    }
    let same = found.iter().zip(wanted).take_while(|(found, wanted)| found == wanted).count();
    let (found_len, wanted_len) = (found.len(), wanted.len());
    Some(format!(
        "{what}: {found_len} instead of {wanted_len}, of which the first {same} are right"
    ))
}

/// All instances, in small pages.
fn listed(store: &dyn Store) -> Result<Vec<InstanceRecord>, StoreError> {
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = store.instances(&InstanceFilter::default(), after.as_ref(), 7)?;
        listed.extend(page.instances);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(listed),
        }
    }
}
