//! An instance with its sub-orchestrations.

use durable_http::client::Client;

use crate::args::Get;
use crate::error::CliError;
use crate::output::printable;
use crate::session::Session;

/// The deepest level that is shown.
const DEPTH_MAX: usize = 20;
/// The maximum number of sub-orchestrations of an instance that are shown.
const CHILDREN_MAX: usize = 200;

pub(super) async fn tree(get: &Get, session: &mut Session<'_>) -> Result<(), CliError> {
    for id in session.ids(&get.ids)? {
        let root = session.client.get_instance(&id).await?.status;
        let line = format!("{} {} {}\n", root.instance_id, root.name, root.runtime_status);
        session.io.write(&line);
        let mut lines = Vec::new();
        below(&session.client, &id, "", &mut lines).await?;
        session.io.write(&lines.concat());
    }
    Ok(())
}

async fn below(
    client: &Client,
    id: &str,
    prefix: &str,
    lines: &mut Vec<String>,
) -> Result<(), CliError> {
    if prefix.chars().count() >= DEPTH_MAX * 3 {
        return Ok(());
    }
    let page = client.list_children(id).limit(CHILDREN_MAX).await?;
    let last = page.items.len().saturating_sub(1);
    for (index, child) in page.items.iter().enumerate() {
        let is_last = index == last && page.next.is_none();
        let branch = if is_last { "`- " } else { "|- " };
        let status = child.runtime_status.map_or_else(|| "removed".into(), |it| it.to_string());
        let detached = if child.detached { " (detached)" } else { "" };
        let name = printable(&format!("{} {}", child.instance_id, child.name));
        lines.push(format!("{prefix}{branch}{name} {status}{detached}\n"));
        if child.runtime_status.is_some() && !child.detached {
            let prefix = format!("{prefix}{}", if is_last { "   " } else { "|  " });
            Box::pin(below(client, &child.instance_id, &prefix, lines)).await?;
        }
    }
    if page.next.is_some() {
        lines.push(format!("{prefix}`- ...\n"));
    }
    Ok(())
}
