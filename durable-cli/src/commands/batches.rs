//! Batches: showing, retrying and stopping them, and running one to its end.

use durable_http::client::{Batch, BatchDetails, BatchRequest};

use super::{paged, parsed};
use crate::args::BatchCommand;
use crate::error::CliError;
use crate::exit::Exit;
use crate::session::Session;

pub(super) async fn run(command: &BatchCommand, session: &mut Session<'_>) -> Result<(), CliError> {
    match command {
        BatchCommand::List(page) => {
            let (items, _) = paged(session.client.list_batches(), page).await?;
            session.show_list::<Batch>(&items)
        }
        BatchCommand::Show { id } => {
            let text = session.client.get_batch(id).text().await?;
            session.show_one::<BatchDetails>(&parsed(text)?)
        }
        BatchCommand::Retry { id } => {
            let text = session.client.retry_batch(id).text().await?;
            session.show_one::<Batch>(&parsed(text)?)
        }
        BatchCommand::Stop { id } => {
            let text = session.client.cancel_batch(id).text().await?;
            session.show_one::<Batch>(&parsed(text)?)
        }
    }
}

/// The batch continues if this command is interrupted.
pub(super) async fn run_to_its_end(
    request: &BatchRequest,
    session: &mut Session<'_>,
) -> Result<(), CliError> {
    let started = session.client.start_batch(request).await?;
    let details = loop {
        let ended = session.client.get_instance(&started.id).wait(1).await?;
        let details = session.client.get_batch(&started.id).await?;
        if ended.status.runtime_status.is_finished() {
            break details;
        }
        if let Some(progress) = &details.batch.progress {
            let text = format!("{} of {} done", progress.done, progress.matched);
            session.progress(&text);
        }
    };
    session.progress("");
    let text = session.client.get_batch(&started.id).text().await?;
    session.show_one::<BatchDetails>(&parsed(text)?)?;
    let failed = details.batch.progress.map_or(0, |progress| progress.failed);
    if failed > 0 || details.failure.is_some() {
        return Err(CliError::Reported(Exit::Failed));
    }
    Ok(())
}
