//! Entities and locks.

use durable::EntityId;
use durable_http::client::{Client, Entity, EntityFilter, QueuedKind, QueuedRequest};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{input, paged, parsed};
use crate::args::{EntityCommand, Locks};
use crate::error::CliError;
use crate::output::{Show, Table, read};
use crate::session::Session;

pub(super) async fn run(
    command: &EntityCommand,
    session: &mut Session<'_>,
) -> Result<(), CliError> {
    match command {
        EntityCommand::List { name, prefix, set_aside, page } => {
            let mut filter = EntityFilter::new();
            filter.name.clone_from(name);
            filter.prefix.clone_from(prefix);
            (filter.state, filter.set_aside) = (true, *set_aside);
            let (items, _) = paged(session.client.list_entities(&filter), page).await?;
            session.show_list::<Entity>(&items)
        }
        EntityCommand::Get { entity } => {
            let text = session.client.get_entity(&id(entity)?).text().await?;
            session.show_one::<Entity>(&parsed(text)?)
        }
        EntityCommand::Queue { entity } => {
            let items = queue(&id(entity)?, &session.client).await?;
            session.show_list::<QueuedRequest>(&items)
        }
        EntityCommand::Signal { entity, operation, input: given, at } => {
            let value = input(given.as_ref(), session)?;
            let at = at.as_ref().map(|moment| moment.after(session.io.now()));
            session.client.signal_entity(&id(entity)?, operation, &value, at).await?;
            Ok(())
        }
        EntityCommand::Call { entity, operation, input: given } => {
            let value = input(given.as_ref(), session)?;
            let text = session.client.call_entity(&id(entity)?, operation, &value).text().await?;
            session.show_json(&text)
        }
        EntityCommand::Resume { entity } => {
            let text = session.client.resume_entity(&id(entity)?).text().await?;
            session.show_json(&text)
        }
        EntityCommand::Skip { entity } => {
            let id = id(entity)?;
            session.confirm(&format!("let the next operation of `{entity}` fail"))?;
            let text = session.client.skip_operation(&id).text().await?;
            session.show_json(&text)
        }
        EntityCommand::Unlock => {
            let request = session.client.clean_entities();
            let text = request.text().await?;
            if !session.is_for_people() {
                return session.show_json(&text);
            }
            let released = request.read(&text)?.orphaned_locks_released;
            session.io.write(&format!("{released} locks released\n"));
            Ok(())
        }
        EntityCommand::Delete { entity } => {
            let id = id(entity)?;
            session.confirm(&format!("remove the state of `{entity}`"))?;
            session.client.delete_entity(&id).await?;
            Ok(())
        }
    }
}

/// The requests that an entity has not handled yet, as the API shows them.
async fn queue(entity: &EntityId, client: &Client) -> Result<Vec<Box<RawValue>>, CliError> {
    #[derive(Deserialize)]
    struct Queue {
        items: Vec<Box<RawValue>>,
    }

    let text = client.get_entity_queue(entity).text().await?;
    Ok(read::<Queue>(&parsed(text)?)?.items)
}

/// Lists locks; for people, with the waiting instances in their order.
pub(super) async fn locks(locks: &Locks, session: &mut Session<'_>) -> Result<(), CliError> {
    let mut filter = EntityFilter::new();
    filter.name.clone_from(&locks.name);
    filter.prefix.clone_from(&locks.prefix);
    let (items, _) = paged(session.client.list_locks(&filter), &locks.page).await?;
    if !session.is_for_people() || !session.global.fields.is_empty() {
        return session.show_list::<Entity>(&items);
    }
    let columns = ["ENTITY", "LOCKED BY", "SINCE", "WAITING, IN THEIR ORDER"];
    let mut table = Table::new(columns.into_iter());
    for item in &items {
        let entity: Entity = read(item)?;
        let mut waiting = Vec::new();
        for request in queue(&id(&entity.entity_id)?, &session.client).await? {
            let request: QueuedRequest = read(&request)?;
            waiting.extend(request.from.filter(|_| request.kind == QueuedKind::Lock));
        }
        let waiting: Vec<_> = waiting.into_iter().map(|it| it.instance_id).collect();
        let holder = entity.locked_by.as_ref().map(|it| it.instance_id.clone());
        let since = session.clock().show_some(entity.locked_since);
        table.add(vec![entity.name(), holder.unwrap_or_default(), since, waiting.join(", ")]);
    }
    let text = table.text(session.is_colored());
    session.io.write(&text);
    Ok(())
}

/// `name/key`, or `@name@key` as the API writes it.
fn id(text: &str) -> Result<EntityId, CliError> {
    let parts = match text.strip_prefix('@') {
        Some(rest) => rest.split_once('@'),
        None => text.split_once('/'),
    };
    let (name, key) = parts
        .ok_or_else(|| CliError::Usage(format!("`{text}` is not an entity; write `name/key`")))?;
    EntityId::new(name, key).map_err(|error| CliError::Usage(error.to_string()))
}
