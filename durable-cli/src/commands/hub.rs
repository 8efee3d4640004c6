//! The hub itself, and activities.

use durable_http::client::{Access, ActivityAttempts, Hub, RegisteredFunction, RunningActivity};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::parsed;
use crate::args::{ActivityCommand, HubCommand};
use crate::error::CliError;
use crate::session::Session;

pub(super) async fn run(
    command: Option<&HubCommand>,
    session: &mut Session<'_>,
) -> Result<(), CliError> {
    match command {
        None | Some(HubCommand::Info) => {
            let text = session.client.get_hub().text().await?;
            session.show_one::<Hub>(&parsed(text)?)
        }
        Some(HubCommand::Functions) => {
            let Functions { orchestrators, .. } = functions(session).await?;
            session.show_list::<RegisteredFunction>(&orchestrators)
        }
        Some(HubCommand::Access) => {
            let text = session.client.get_access().text().await?;
            session.show_one::<Access>(&parsed(text)?)
        }
        Some(HubCommand::RetryPartition { partition }) => {
            let text = session.client.retry_partition(*partition).text().await?;
            session.show_json(&text)
        }
        Some(HubCommand::Pin { partition, process }) => {
            Ok(session.client.pin_partition(*partition, Some(process)).await?)
        }
        Some(HubCommand::Unpin { partition }) => {
            Ok(session.client.pin_partition(*partition, None).await?)
        }
        Some(HubCommand::Freeze { partition, reason }) => {
            Ok(session.client.freeze_partition(*partition, Some(reason)).await?)
        }
        Some(HubCommand::Unfreeze { partition }) => {
            Ok(session.client.freeze_partition(*partition, None).await?)
        }
    }
}

pub(super) async fn activity(
    command: &ActivityCommand,
    session: &mut Session<'_>,
) -> Result<(), CliError> {
    match command {
        ActivityCommand::List => {
            #[derive(Deserialize)]
            struct Running {
                items: Vec<Box<RawValue>>,
            }

            let text = session.client.list_running().text().await?;
            let running: Running = crate::output::read(&parsed(text)?)?;
            session.show_list::<RunningActivity>(&running.items)
        }
        ActivityCommand::Registered => {
            let Functions { activities, .. } = functions(session).await?;
            session.show_list::<RegisteredFunction>(&activities)
        }
        ActivityCommand::Stats { filter, limit } => {
            #[derive(Deserialize)]
            struct Statistics {
                items: Vec<Box<RawValue>>,
                instances: u64,
                approximate: bool,
            }

            let filter = filter.instances(session.io.now());
            let request = session.client.get_activity_statistics(&filter).limit(*limit);
            let read: Statistics = crate::output::read(&parsed(request.text().await?)?)?;
            session.show_list::<ActivityAttempts>(&read.items)?;
            if session.is_for_people() {
                let of = if read.approximate { "the newest " } else { "all " };
                session.io.tell(&format!("in {of}{} instances that match\n", read.instances));
            }
            Ok(())
        }
    }
}

#[derive(Deserialize)]
struct Functions {
    orchestrators: Vec<Box<RawValue>>,
    activities: Vec<Box<RawValue>>,
}

async fn functions(session: &Session<'_>) -> Result<Functions, CliError> {
    let text = session.client.list_registered().text().await?;
    crate::output::read(&parsed(text)?)
}
