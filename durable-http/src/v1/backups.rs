//! Backups of the hub, into the folder that the options allow.

use axum::http::StatusCode;
use axum::response::Response;
use durable::client::BackupError;
use durable::store::BackupReport;
use serde::Deserialize;

use super::Refusal;
use crate::backups::{self, Backup};
use crate::call::Call;
use crate::json::{self, Object, with_header};
use crate::links::encode;
use crate::problem::{Code, Problem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: Option<String>,
}

pub(super) async fn start(call: Call) -> Result<Response, Refusal> {
    let Wanted { name } = call.body_as()?;
    let backup = backups::start(&call.app, name)?;
    let location = call.place().below(&format!("backups/{}", encode(&backup.name)));
    Ok(with_header(json::answer(StatusCode::ACCEPTED, &shown(&backup)), "location", &location))
}

pub(super) async fn list(call: Call) -> Result<Response, Refusal> {
    let items: Vec<_> = call.app.backups.all().iter().map(shown).collect();
    Ok(json::answer(StatusCode::OK, &Object::new().with("items", &items)))
}

pub(super) async fn details(call: Call) -> Result<Response, Refusal> {
    let name = call.params.get("name");
    let Some(backup) = call.app.backups.get(name) else {
        let name = name.escape_debug();
        let detail = format!("this process has made no backup `{name}`; older ones are folders");
        return Err(Problem::new(Code::NoSuchBackup, detail).into());
    };
    Ok(json::answer(StatusCode::OK, &shown(&backup)))
}

fn shown(backup: &Backup) -> Object {
    let status = match &backup.ended {
        None => "Running",
        Some(Ok(_)) => "Completed",
        Some(Err(_)) => "Failed",
    };
    let report = backup.ended.as_ref().and_then(|ended| ended.as_ref().ok()).map(report);
    let failure = backup.ended.as_ref().and_then(|ended| ended.as_ref().err()).map(failure);
    Object::new()
        .with("name", &backup.name)
        .with("status", status)
        .with("startedAt", &backup.began)
        .with("report", &report)
        .with("failure", &failure)
}

fn report(report: &BackupReport) -> Object {
    Object::new()
        .with("path", &report.path.to_string_lossy())
        .with("instances", &report.instances)
        .with("messages", &report.messages)
        .with("bytes", &report.bytes)
        .with("lastCommit", &report.last_commit)
        .with("durationMs", &report.duration.as_millis())
}

fn failure(error: &BackupError) -> String {
    Problem::from(error.clone()).detail
}
