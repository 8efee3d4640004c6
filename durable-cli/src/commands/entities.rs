//! Entities and locks.

use durable::EntityId;
use durable_http::client::{Entity, EntityFilter};

use super::{all, input, parsed};
use crate::args::EntityCommand;
use crate::error::CliError;
use crate::session::Session;

pub(super) async fn run(
    command: &EntityCommand,
    session: &mut Session<'_>,
) -> Result<(), CliError> {
    match command {
        EntityCommand::List { name, prefix, limit } => {
            let mut filter = EntityFilter::new();
            filter.name.clone_from(name);
            filter.prefix.clone_from(prefix);
            filter.state = true;
            let (items, _) = all(session.client.list_entities(&filter), *limit).await?;
            session.show_list::<Entity>(&items)
        }
        EntityCommand::Get { entity } => {
            let text = session.client.get_entity(&id(entity)?).text().await?;
            session.show_one::<Entity>(&parsed(text)?)
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
        EntityCommand::Delete { entity } => {
            let id = id(entity)?;
            session.confirm(&format!("remove the state of `{entity}`"))?;
            session.client.delete_entity(&id).await?;
            Ok(())
        }
    }
}

pub(super) async fn locks(session: &mut Session<'_>) -> Result<(), CliError> {
    let (items, _) = all(session.client.list_locks(&EntityFilter::new()), usize::MAX).await?;
    session.show_list::<Entity>(&items)
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
