//! Listing, counting and showing instances.

use durable::RuntimeStatus;
use durable_http::client::{InstanceOrder, InstanceStatus};
use serde_json::value::RawValue;

use super::{all, parsed, stuck};
use crate::args::{Count, Format, Get, List, Sort};
use crate::error::{CliError, chain};
use crate::exit::Exit;
use crate::output::{Instance, Table, printable, read};
use crate::session::Session;

pub(super) async fn list(list: &List, session: &mut Session<'_>) -> Result<(), CliError> {
    let filter = list.filter.instances(session.io.now());
    let limit = if list.all { usize::MAX } else { list.limit };
    let mut request = session.client.list_instances(&filter);
    if let Some(sort) = list.sort {
        request = request.order(match sort {
            Sort::NewestFirst => InstanceOrder::NewestFirst,
            Sort::OldestFirst => InstanceOrder::OldestFirst,
            Sort::Id => InstanceOrder::Id,
        });
    }
    if let Some(after) = &list.after {
        request = request.after(after);
    }
    let is_table = session.is_for_people() && session.global.fields.is_empty();
    if is_table {
        request = request.query("fields", format!("{},failure", InstanceStatus::FIELDS.join(",")));
    }
    let (items, has_more) = all(request, limit).await?;
    session.show_list::<Instance>(&items)?;
    if has_more && session.is_for_people() {
        session.io.tell(&format!("only the first {limit}; `--all` lists all\n"));
    }
    let is_open = |item: &RawValue| {
        read::<InstanceStatus>(item).is_ok_and(|it| !it.runtime_status.is_finished())
    };
    if session.io.is_terminal && is_table && items.iter().any(|item| is_open(item)) {
        session.io.tell("`durable pending` says what instances wait for, and why\n");
    }
    Ok(())
}

pub(super) async fn count(count: &Count, session: &mut Session<'_>) -> Result<(), CliError> {
    let filter = count.filter.instances(session.io.now());
    let request = session.client.count_instances(&filter, count.by.clone());
    let text = request.text().await?;
    if !session.is_for_people() && session.global.output != Format::Name {
        return session.show_json(&text);
    }
    let counted = request.read(&text)?;
    if counted.approximate {
        session.io.tell("there are more, which were not counted\n");
    }
    let Some(groups) = counted.groups else {
        session.io.write(&format!("{}\n", counted.count));
        return Ok(());
    };
    let mut table = Table::new(["COUNT", "GROUP"].into_iter());
    for (group, count) in groups {
        table.add(vec![count.to_string(), group]);
    }
    let text = table.text(session.is_colored());
    session.io.write(&text);
    Ok(())
}

/// What a running instance waits for, below its details.
async fn waits_for(item: &RawValue, session: &mut Session<'_>) -> Result<(), CliError> {
    let status: InstanceStatus = read(item)?;
    let is_running = status.runtime_status == RuntimeStatus::Running;
    if !is_running || !session.is_for_people() || !session.global.fields.is_empty() {
        return Ok(());
    }
    let id = &status.instance_id;
    let pending = session.client.get_pending(id).await?;
    let waits = stuck::in_words(&pending, &session.clock());
    if !waits.is_empty() {
        let line = printable(&format!("waits for: {waits}; see `durable pending {id}`"));
        session.io.write(&format!("{line}\n"));
    }
    Ok(())
}

/// Shows each instance; the exit code is that of the first one that cannot be read.
pub(super) async fn get(get: &Get, session: &mut Session<'_>) -> Result<(), CliError> {
    let ids = session.ids(&get.ids)?;
    let is_one = ids.len() == 1;
    let (mut items, mut failed) = (Vec::new(), None);
    for id in &ids {
        match session.client.get_instance(id).text().await {
            Ok(text) => items.push(parsed(text)?),
            Err(error) if is_one => return Err(error.into()),
            Err(error) => {
                session.io.tell(&format!("error: {}\n", chain(&error)));
                failed.get_or_insert(CliError::from(error).exit());
            }
        }
    }
    match items.as_slice() {
        [item] if is_one && session.global.output != Format::Wide => {
            session.show_one::<Instance>(item)?;
            waits_for(item, session).await?;
        }
        items => session.show_list::<Instance>(items)?,
    }
    failed.map_or(Ok(()), |exit: Exit| Err(CliError::Reported(exit)))
}
