//! Histories: comparing two, replaying one against the code of this program, and writing them to files.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;

use durable::testing::{RecordedHistory, verify_replay, verify_replay_strictly};
use durable_http::client::{Client, Event, InstanceStatus};

use super::{PAGE, all};
use crate::args::{Diff, Export, Replay};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::printable;
use crate::session::{Io, Session};

pub(super) fn replay_file(replay: &Replay, io: &mut Io) -> Result<(), CliError> {
    let path = PathBuf::from(&replay.history);
    let text = fs::read_to_string(&path).map_err(|source| CliError::File { path, source })?;
    check(&text, replay, io)
}

pub(super) async fn replay(replay: &Replay, session: &mut Session<'_>) -> Result<(), CliError> {
    let text = session.client.download_history(&replay.history).text().await?;
    check(&text, replay, session.io)
}

fn check(text: &str, replay: &Replay, io: &mut Io) -> Result<(), CliError> {
    let history: RecordedHistory = serde_json::from_str(text)
        .map_err(|source| CliError::Json { what: format!("`{}`", replay.history), source })?;
    let replayed =
        if replay.strict { verify_replay_strictly(&history) } else { verify_replay(&history) };
    match replayed {
        Ok(()) => {
            io.write(&format!("the code fits the history of `{}`\n", history.name()));
            Ok(())
        }
        Err(missing) if missing.code() == Some("DURABLE0103") => Err(CliError::Failed(format!(
            "this program does not have the code of `{}`; run `replay` with the program that has it, \
             whose `main` calls `durable_cli::run`: {}",
            history.name(),
            missing.report().lines().take(2).map(str::trim).collect::<Vec<_>>().join("; ")
        ))),
        Err(divergence) => {
            io.write(&format!("{}\n", divergence.report()));
            Err(CliError::Reported(Exit::Failed))
        }
    }
}

/// Shows the first event that differs, and how long both took. If there is a difference, the exit
/// code is 1.
pub(super) async fn diff(diff: &Diff, session: &mut Session<'_>) -> Result<(), CliError> {
    let (a, b) = (events(&session.client, &diff.a).await?, events(&session.client, &diff.b).await?);
    let differs = |(a, b): (&Event, &Event)| a.kind != b.kind || name(a) != name(b);
    let common = a.iter().zip(&b).position(differs).unwrap_or(a.len().min(b.len()));
    if common == a.len() && common == b.len() {
        session.io.write(&format!("both have the same {common} events\n"));
        return Ok(());
    }
    session.io.write(&format!("the first {common} events are the same\n"));
    for (id, events) in [(&diff.a, &a), (&diff.b, &b)] {
        let line = match events.get(common) {
            Some(event) => {
                format!("{id}: event {} {} {}", event.index, event.kind, name(event))
            }
            None => format!("{id}: no more events"),
        };
        session.io.write(&format!("{}\n", printable(line.trim_end())));
    }
    Err(CliError::Reported(Exit::Failed))
}

/// What an event is about: the name of its task, event or operation.
fn name(event: &Event) -> String {
    let fields: serde_json::Value = serde_json::from_str(event.data.as_str()).unwrap_or_default();
    let name = ["name", "operation"].iter().find_map(|field| fields[field].as_str());
    name.unwrap_or_default().to_owned()
}

async fn events(client: &Client, id: &str) -> Result<Vec<Event>, CliError> {
    let mut events = Vec::new();
    let mut from = 0;
    loop {
        let page = client.get_history(id).limit(PAGE).from(from).await?;
        events.extend(page.items);
        match page.next {
            Some(next) => from = next,
            None => return Ok(events),
        }
    }
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory cannot fail.
    let _written = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

pub(super) async fn export(export: &Export, session: &mut Session<'_>) -> Result<(), CliError> {
    let mut ids = session.ids(&export.ids)?;
    if export.ids.is_empty() {
        let filter = export.filter.instances(session.io.now());
        let (items, _) = all(session.client.list_instances(&filter), usize::MAX).await?;
        for item in items {
            ids.push(crate::output::read::<InstanceStatus>(&item)?.instance_id);
        }
    }
    if let Some(folder) = &export.out {
        let made = fs::create_dir_all(folder);
        made.map_err(|source| CliError::Write { path: folder.clone(), source })?;
    }
    for (index, id) in ids.iter().enumerate() {
        let text = session.client.download_history(id).text().await?;
        session.progress(&format!("{} of {}", index + 1, ids.len()));
        let Some(folder) = &export.out else {
            let line = format!("{text}\n");
            if export.gzip {
                // Several members together are the file of their contents (RFC 1952).
                session.io.write_bytes(&compressed(line.as_bytes()));
            } else {
                session.io.write(&line);
            }
            continue;
        };
        // An id has no `/`, but it may be `..`.
        let (bytes, end) = if export.gzip {
            (compressed(text.as_bytes()), ".gz")
        } else {
            (text.into_bytes(), "")
        };
        let path = folder.join(format!("{id}.json{end}"));
        fs::write(&path, bytes).map_err(|source| CliError::Write { path, source })?;
    }
    session.progress("");
    Ok(())
}
