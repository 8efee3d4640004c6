//! Backups: of a hub that this program has opened, into any folder; or by the process of the hub.

use std::path::Path;
use std::time::Duration;

use durable::TaskHub;
use durable_http::client::{BackupReport, BackupStatus};

use super::parsed;
use crate::args::{Backup, Format};
use crate::error::{CliError, chain};
use crate::session::Session;

/// The time between two checks of a running backup.
const PAUSE: Duration = Duration::from_millis(250);

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
    let report = BackupReport::from(made);
    let text = serde_json::to_string(&report).unwrap_or_default();
    shown(&report, &text, session)
}

/// Starts a backup in the process of the hub, and waits until it has ended.
async fn of_running(name: Option<&str>, session: &mut Session<'_>) -> Result<(), CliError> {
    let client = session.client.clone();
    let mut request = client.start_backup(name);
    let mut seconds = 0.0;
    loop {
        let text = request.text().await?;
        let made = request.read(&text)?;
        match (made.status, made.report) {
            (BackupStatus::Running, _) => {}
            (BackupStatus::Completed, Some(report)) => {
                session.progress("");
                return shown(&report, &text, session);
            }
            (status, _) => {
                session.progress("");
                let why = made.failure.unwrap_or_else(|| status.to_string());
                return Err(CliError::Failed(format!("the backup `{}` failed: {why}", made.name)));
            }
        }
        session.progress(&format!("backup `{}` is running, {seconds:.0} s", made.name));
        tokio::time::sleep(PAUSE).await;
        seconds += PAUSE.as_secs_f64();
        request = client.get_backup(&made.name);
    }
}

fn shown(report: &BackupReport, json: &str, session: &mut Session<'_>) -> Result<(), CliError> {
    if session.global.output == Format::Name {
        session.io.write(&format!("{}\n", report.path));
        return Ok(());
    }
    if !session.is_for_people() {
        return session.show_json(parsed(json.to_owned())?.get());
    }
    let BackupReport { path, instances, messages, bytes, last_commit, duration_ms, .. } = report;
    session.io.write(&format!(
        "{path}: {instances} instances, {messages} messages, {bytes} bytes, up to commit \
         {last_commit}, in {duration_ms} ms\n"
    ));
    Ok(())
}
