//! Compares what a store returns with the model: a store in memory with the same commits.

use std::fmt::Debug;

use durable::protocol::{InstanceId, PartitionId, TaskMessage, Timestamp};
use durable::store::{Creation, CreationOrder, InstanceFilter, Store, StoreError};
use durable::testing::sim::{Choices, Stream};

use super::work::{Author, time};

/// The difference, or the error of a read.
pub(super) type Difference = Result<(), String>;

fn differ<T: PartialEq + Debug>(what: &str, found: &[T], wanted: &[T]) -> Difference {
    if found == wanted {
        return Ok(());
    }
    let same = found.iter().zip(wanted).take_while(|(found, wanted)| found == wanted).count();
    let text = |item: Option<&T>| item.map_or("nothing".to_owned(), |item| format!("{item:?}"));
    let clip = |text: String| text.chars().take(200).collect::<String>();
    let (found, wanted) = (clip(text(found.get(same))), clip(text(wanted.get(same))));
    Err(format!("{what}: at {same} there is {found} in the place of {wanted}"))
}

fn read<T>(read: Result<T, StoreError>) -> Result<T, String> {
    read.map_err(|error| format!("a read fails: {error}"))
}

/// Checks that a page ends after the page before it.
fn goes_on<T: PartialOrd>(what: &str, end: Option<&T>, before: Option<&T>) -> Difference {
    let is_behind = end.zip(before).is_none_or(|(end, before)| end > before);
    if is_behind { Ok(()) } else { Err(format!("{what}: a page ends where the last one did")) }
}

/// Compares everything that the two stores return. An entity that the model does not know can show
/// up only as a due time or a message.
pub(super) fn all(
    store: &dyn Store,
    model: &dyn Store,
    author: &Author,
    choices: &mut Choices,
) -> Difference {
    let page = |choices: &mut Choices| choices.one_of(Stream::Amount, &[1_usize, 2, 7, 1000]);
    let limit = page(choices);
    differ("instances", &instances(store, limit)?, &instances(model, limit)?)?;
    for order in [CreationOrder::OldestFirst, CreationOrder::NewestFirst] {
        let limit = page(choices);
        let (found, wanted) =
            (by_creation(store, order, limit)?, by_creation(model, order, limit)?);
        differ("instances by creation", &found, &wanted)?;
    }
    for (id, _) in &author.executions {
        let (found, wanted) = (read(store.instance(id))?, read(model.instance(id))?);
        differ(&format!("the record of {id}"), found.as_slice(), wanted.as_slice())?;
        histories(store, model, author, id, choices)?;
    }
    for partition in author.all_partitions() {
        partition_state(store, model, partition, page(choices))?;
        due(store, model, partition, Timestamp::MAX, choices)?;
    }
    Ok(())
}

/// Compares one value.
pub(super) fn some(
    store: &dyn Store,
    model: &dyn Store,
    author: &Author,
    choices: &mut Choices,
) -> Difference {
    let id = author.id(choices);
    match choices.below(Stream::Client(0), 6) {
        0 => histories(store, model, author, &id, choices),
        1 => {
            let until = match choices.below(Stream::Amount, 3) {
                0 => time(choices.below(Stream::Amount, 50)),
                _ => Timestamp::MAX,
            };
            due(store, model, author.partition_of(&id), until, choices)
        }
        2 => {
            let (order, limit) = (CreationOrder::NewestFirst, 3);
            let found = by_creation(store, order, limit)?;
            differ("instances by creation", &found, &by_creation(model, order, limit)?)
        }
        3 => partition_state(store, model, author.partition_of(&id), 2),
        4 => {
            let partition = author.partition_of(&id);
            let messages = |store: &dyn Store| messages(store, partition, Some(&id), 3);
            differ(&format!("messages to {id}"), &messages(store)?, &messages(model)?)
        }
        _ => {
            let (found, wanted) = (read(store.instance(&id))?, read(model.instance(&id))?);
            differ(&format!("the record of {id}"), found.as_slice(), wanted.as_slice())
        }
    }
}

fn instances(store: &dyn Store, limit: usize) -> Result<Vec<String>, String> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = read(store.instances(&InstanceFilter::default(), after.as_ref(), limit))?;
        goes_on("instances", page.next.as_ref(), after.as_ref())?;
        all.extend(page.instances.iter().map(|record| format!("{record:?}")));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

fn by_creation(
    store: &dyn Store,
    order: CreationOrder,
    limit: usize,
) -> Result<Vec<InstanceId>, String> {
    let (mut all, mut after): (Vec<InstanceId>, Option<Creation>) = (Vec::new(), None);
    loop {
        let filter = InstanceFilter::default();
        let page = read(store.instances_by_creation(&filter, order, after.as_ref(), limit))?;
        all.extend(page.instances.into_iter().map(|record| record.instance_id));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

fn histories(
    store: &dyn Store,
    model: &dyn Store,
    author: &Author,
    id: &InstanceId,
    choices: &mut Choices,
) -> Difference {
    for (_, execution) in author.executions.iter().filter(|(of, _)| of == id) {
        let what = |from: u64| format!("the history of {id} from {from} on, execution {execution}");
        let wanted = read(model.history(id, *execution, 0))?;
        differ(&what(0), &read(store.history(id, *execution, 0))?, &wanted)?;
        let end = u32::try_from(wanted.len()).unwrap_or(u32::MAX) + 2;
        let from = u64::from(choices.below(Stream::Amount, end));
        let until = from + u64::from(choices.below(Stream::Amount, end));
        let found = read(store.history_page(id, *execution, from..until))?;
        let wanted = read(model.history_page(id, *execution, from..until))?;
        differ(&what(from), &found, &wanted)?;
    }
    Ok(())
}

fn partition_state(
    store: &dyn Store,
    model: &dyn Store,
    partition: PartitionId,
    limit: usize,
) -> Difference {
    let active = |store: &dyn Store| {
        let mut active = read(store.load(partition))?.active;
        active.sort();
        Ok::<_, String>(active)
    };
    differ(&format!("active in {partition}"), &active(store)?, &active(model)?)?;
    let messages = |store: &dyn Store| messages(store, partition, None, limit);
    differ(&format!("messages of {partition}"), &messages(store)?, &messages(model)?)
}

/// The messages of a partition, page by page. Each store has its own positions, so they are left
/// out.
fn messages(
    store: &dyn Store,
    partition: PartitionId,
    to: Option<&InstanceId>,
    limit: usize,
) -> Result<Vec<TaskMessage>, String> {
    let (mut all, mut positions) = (Vec::new(), 0..read(store.load(partition))?.messages_end);
    loop {
        let page = read(store.messages(partition, to, positions.clone(), limit))?;
        let Some((last, _)) = page.last() else { return Ok(all) };
        goes_on("messages", Some(&(last + 1)), Some(&positions.start))?;
        positions.start = last + 1;
        all.extend(page.into_iter().map(|(_, message)| message));
    }
}

fn due(
    store: &dyn Store,
    model: &dyn Store,
    partition: PartitionId,
    until: Timestamp,
    choices: &mut Choices,
) -> Difference {
    let limit = choices.one_of(Stream::Amount, &[1_usize, 2, 1000]);
    let read_all = |store: &dyn Store| {
        let (mut all, mut after): (Vec<(Timestamp, InstanceId)>, _) = (Vec::new(), None);
        loop {
            let page = read(store.due(partition, after.as_ref(), until, limit))?;
            let Some(last) = page.last() else { return Ok::<_, String>(all) };
            goes_on("due times", Some(last), after.as_ref())?;
            after = Some(last.clone());
            all.extend(page);
        }
    };
    differ(&format!("due in {partition}"), &read_all(store)?, &read_all(model)?)
}
