//! Live lifecycle events.

use durable_http::client::HubEvent;

use crate::args::Watch;
use crate::error::CliError;
use crate::output::{Show, printable};
use crate::session::Session;

/// Prints one event per line: columns for people, otherwise JSON.
pub(super) async fn watch(watch: &Watch, session: &mut Session<'_>) -> Result<(), CliError> {
    let select = |mut request: durable_http::client::Request<durable::protocol::Json>| {
        request = request.kinds(&watch.kind);
        if let Some(name) = &watch.name {
            request = request.query("name", name);
        }
        match &watch.prefix {
            Some(prefix) => request.query("prefix", prefix),
            None => request,
        }
    };
    let mut events = session.client.follow_hub(select).await?;
    let mut left = watch.limit.unwrap_or(usize::MAX);
    while left > 0 {
        match events.next().await? {
            Some(HubEvent::Lifecycle(event)) => {
                let line = if session.is_for_people() {
                    printable(event.row(&session.clock()).join("  ").trim_end())
                } else {
                    serde_json::to_string(&event).unwrap_or_default()
                };
                session.io.write(&format!("{line}\n"));
                left -= 1;
            }
            Some(HubEvent::Missed(count)) => {
                session.io.tell(&format!("{count} events were missed\n"));
            }
            Some(_) => {}
            None => return Err(CliError::Unreachable("the hub has ended the stream".to_owned())),
        }
    }
    Ok(())
}
