//! Starting instances and waiting for them.

use std::time::Duration;

use durable::RuntimeStatus;
use durable_http::client::{InstanceDetails, StartRequest, Started};
use tokio::time::Instant;

use super::{input, parsed};
use crate::args::{Format, ResultOf, Start, Until, Wait};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Instance;
use crate::session::Session;

/// The longest wait of one request.
const WAIT_MAX: Duration = Duration::from_secs(20);

pub(super) async fn start(start: &Start, session: &mut Session<'_>) -> Result<(), CliError> {
    let mut request = StartRequest::new(&*start.name);
    request.id.clone_from(&start.id);
    request.version.clone_from(&start.version);
    request.input = input(start.input.as_ref(), session)?;
    request.tags = start.tag.iter().cloned().collect();
    request.start_at = start.at.as_ref().map(|moment| moment.after(session.io.now()));
    request.replace_if.clone_from(&start.replace_if);
    let request = session.client.start_instance(&request);
    let id = match request.text().await {
        Ok(text) => {
            let started: Started = request.read(&text)?;
            if start.wait.is_none() {
                show_started(&started.instance_id, &text, session)?;
            }
            started.instance_id
        }
        Err(error) if start.if_absent && error.code() == Some("already-exists") => {
            let id = start.id.clone().unwrap_or_default();
            session.io.tell(&format!("`{id}` was started before\n"));
            id
        }
        Err(error) => return Err(error.into()),
    };
    match start.wait {
        Some(limit) => output(&id, Some(limit), session).await,
        None => Ok(()),
    }
}

fn show_started(id: &str, text: &str, session: &mut Session<'_>) -> Result<(), CliError> {
    if matches!(session.global.output, Format::Table | Format::Wide | Format::Name) {
        session.io.write(&format!("{id}\n"));
        return Ok(());
    }
    session.show_json(parsed(text.to_owned())?.get())
}

/// Waits for instances. Prints only what `-o` requests.
pub(super) async fn wait(wait: &Wait, session: &mut Session<'_>) -> Result<(), CliError> {
    let deadline = wait.timeout.map(|limit| Instant::now() + limit);
    let mut failed = None;
    let mut items = Vec::new();
    for id in session.ids(&wait.ids)? {
        let (text, details) = until(&id, wait.until, deadline, session).await?;
        let status = details.status.runtime_status;
        if wait.until == Until::Completed && status != RuntimeStatus::Completed {
            session.io.tell(&format!("{id} is {status}{}\n", why(&details)));
            failed = Some(Exit::InstanceFailed);
        }
        items.push(parsed(text)?);
    }
    if session.global.output != Format::Table {
        session.show_list::<Instance>(&items)?;
    }
    failed.map_or(Ok(()), |exit| Err(CliError::Reported(exit)))
}

pub(super) async fn result(result: &ResultOf, session: &mut Session<'_>) -> Result<(), CliError> {
    output(&result.id, result.wait, session).await
}

/// Prints the output; if there is a limit for the wait, after the instance has ended.
async fn output(
    id: &str,
    limit: Option<Duration>,
    session: &mut Session<'_>,
) -> Result<(), CliError> {
    if let Some(limit) = limit {
        until(id, Until::Completed, Some(Instant::now() + limit), session).await?;
    }
    let text = session.client.get_output(id).text().await?;
    session.show_json(&text)
}

/// Waits until the instance has ended or begun, or is suspended, which nothing here ends.
async fn until(
    id: &str,
    until: Until,
    deadline: Option<Instant>,
    session: &Session<'_>,
) -> Result<(String, InstanceDetails), CliError> {
    loop {
        let left = deadline.map_or(WAIT_MAX, |it| it.saturating_duration_since(Instant::now()));
        let seconds = left.min(WAIT_MAX).as_secs_f64().ceil();
        let seconds = if until == Until::Started { 0.0 } else { seconds };
        // At most 20.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let request = session.client.get_instance(id).wait(seconds as u32);
        let text = request.text().await?;
        let details = request.read(&text)?;
        let status = details.status.runtime_status;
        let is_done = match until {
            Until::Started => status != RuntimeStatus::Pending,
            Until::Completed => status.is_finished() || status == RuntimeStatus::Suspended,
            Until::Any => status.is_finished(),
        };
        if is_done {
            return Ok((text, details));
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(CliError::TimedOut(format!("`{id}` is still {status}; wait longer")));
        }
        if until == Until::Started {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn why(details: &InstanceDetails) -> String {
    let failure = details.failure.as_ref().map(ToString::to_string);
    let suspension = details.status.suspension.as_ref().map(|it| it.reason.clone());
    let why = failure.or_else(|| details.termination_reason.clone()).or(suspension);
    why.map(|why| format!(": {}", crate::output::printable(&why))).unwrap_or_default()
}
