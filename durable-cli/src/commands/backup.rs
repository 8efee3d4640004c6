//! Backups: of a hub that this program has opened, into any folder; or by the process of the hub.

use std::path::Path;
use std::time::Duration;

use durable::TaskHub;
use durable::protocol::Json;
use serde::{Deserialize, Serialize};

use super::parsed;
use crate::args::{Backup, Format};
use crate::error::{CliError, chain};
use crate::session::Session;

/// The time between two looks at a backup that runs.
const PAUSE: Duration = Duration::from_millis(250);

/// What the API tells of a backup.
#[derive(Deserialize)]
struct Made {
    name: String,
    status: String,
    report: Option<Report>,
    failure: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    path: String,
    instances: u64,
    messages: u64,
    bytes: u64,
    last_commit: u64,
    duration_ms: u64,
}

pub(super) async fn backup(backup: &Backup, session: &mut Session<'_>) -> Result<(), CliError> {
    let opened = session.opened.as_ref().map(|opened| opened.hub.clone());
    match (opened, &backup.to) {
        (Some(hub), Some(to)) => of_opened(&hub, to, session).await,
        (Some(_), None) => Err(CliError::Usage(
            "no other process has the hub open; name the new folder with `--to`".to_owned(),
        )),
        (None, Some(to)) => Err(CliError::Usage(format!(
            "the process of the hub makes the backup and chooses its folder, not `{}`; give \
             `--name` instead of `--to`",
            to.display()
        ))),
        (None, None) => of_running(backup.name.as_deref(), session).await,
    }
}

async fn of_opened(hub: &TaskHub, to: &Path, session: &mut Session<'_>) -> Result<(), CliError> {
    let made = hub.backup(to).await.map_err(|error| CliError::Failed(chain(&error)))?;
    let report = Report {
        path: made.path.display().to_string(),
        instances: made.instances,
        messages: made.messages,
        bytes: made.bytes,
        last_commit: made.last_commit,
        duration_ms: u64::try_from(made.duration.as_millis()).unwrap_or(u64::MAX),
    };
    let text = serde_json::to_string(&report).unwrap_or_default();
    shown(&report, &text, session)
}

/// Starts a backup in the process of the hub, and waits until it has ended.
async fn of_running(name: Option<&str>, session: &mut Session<'_>) -> Result<(), CliError> {
    let client = session.client.clone();
    let mut answer = client.start_backup(name).send().await?;
    let mut seconds = 0.0;
    loop {
        let made = read(&answer)?;
        match (made.status.as_str(), made.report) {
            ("Running", _) => {}
            ("Completed", Some(report)) => {
                session.progress("");
                return shown(&report, answer.as_str(), session);
            }
            _ => {
                session.progress("");
                let why = made.failure.unwrap_or(made.status);
                return Err(CliError::Failed(format!("the backup `{}` failed: {why}", made.name)));
            }
        }
        session.progress(&format!("backup `{}` is running, {seconds:.0} s", made.name));
        tokio::time::sleep(PAUSE).await;
        seconds += PAUSE.as_secs_f64();
        answer = client.get_backup(&made.name).send().await?;
    }
}

fn read(answer: &Json) -> Result<Made, CliError> {
    serde_json::from_str(answer.as_str())
        .map_err(|source| CliError::Json { what: "the answer of the hub".to_owned(), source })
}

fn shown(report: &Report, json: &str, session: &mut Session<'_>) -> Result<(), CliError> {
    if session.global.output == Format::Name {
        session.io.write(&format!("{}\n", report.path));
        return Ok(());
    }
    if !session.is_for_people() {
        return session.show_json(parsed(json.to_owned())?.get());
    }
    let Report { path, instances, messages, bytes, last_commit, duration_ms } = report;
    session.io.write(&format!(
        "{path}: {instances} instances, {messages} messages, {bytes} bytes, up to commit \
         {last_commit}, in {duration_ms} ms\n"
    ));
    Ok(())
}
