//! `durable doctor`: why commands cannot reach their hub, or may show misleading results.
//!
//! It runs before a hub is connected, so that a connection that fails is one of its results.

use chrono::TimeDelta;
use durable::RuntimeStatus;
use durable_http::Role;
use durable_http::client::{Access, InstanceFilter};
use serde::Serialize;
use tokio::time::Instant;

use crate::args::{Format, Global};
use crate::config;
use crate::connect::{self, Code, Connected};
use crate::error::{CliError, chain};
use crate::exit::Exit;
use crate::output::{Table, bytes};
use crate::session::Io;
use crate::time::human;

/// A difference of the clocks that a person would notice in `--since` and in `2s ago`.
const SKEW_MAX: TimeDelta = TimeDelta::seconds(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Finding {
    Ok,
    Warning,
    Failed,
}

#[derive(Debug, Serialize)]
struct Check {
    #[serde(rename = "check")]
    name: &'static str,
    result: Finding,
    detail: String,
}

/// The checks so far, and the exit code of the first one that failed.
#[derive(Default)]
struct Report {
    checks: Vec<Check>,
    failed: Option<Exit>,
}

impl Report {
    fn add(&mut self, name: &'static str, result: Finding, detail: impl Into<String>) {
        self.checks.push(Check { name, result, detail: detail.into() });
    }

    fn fail(&mut self, check: &'static str, error: &CliError) {
        self.failed.get_or_insert(error.exit());
        self.add(check, Finding::Failed, chain(error));
    }

    /// Adds a check, with a warning unless it is fine.
    fn judge(&mut self, check: &'static str, is_fine: bool, fine: String, warning: String) {
        if is_fine {
            self.add(check, Finding::Ok, fine);
        } else {
            self.add(check, Finding::Warning, warning);
        }
    }
}

pub(crate) async fn doctor(global: &Global, code: Code, io: &mut Io) -> Result<(), CliError> {
    let mut report = Report::default();
    match config::names(io) {
        Ok(None) => report.add("configuration", Finding::Ok, "there is no configuration file"),
        Ok(Some(names)) => {
            let profiles = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            report.add("configuration", Finding::Ok, format!("profiles: {profiles}"));
        }
        Err(error) => report.fail("configuration", &error),
    }
    report.add("target", Finding::Ok, connect::target(global, &code, io));
    match connect::connect(global, code, io).await {
        Ok(connected) => {
            examine(&connected, io, &mut report).await;
            if let Err(error) = connected.close().await {
                report.fail("close", &error);
            }
        }
        Err(error) => report.fail("hub", &error),
    }
    show(&report, global.output, io);
    report.failed.map_or(Ok(()), |exit| Err(CliError::Reported(exit)))
}

async fn examine(connected: &Connected, io: &mut Io, report: &mut Report) {
    let client = &connected.client;
    let (sent, asked) = (io.now(), Instant::now());
    let access = match client.get_access().send().await {
        Ok(access) => access,
        Err(error) => return report.fail("hub", &error.into()),
    };
    let took = asked.elapsed();
    let Access { task_hub_name, version, role, now, .. } = access;
    let answered = format!("`{task_hub_name}` answers in {} ms", took.as_millis());
    report.add("hub", Finding::Ok, answered);
    let own = env!("CARGO_PKG_VERSION");
    report.judge(
        "version",
        version == own,
        own.to_owned(),
        format!("this program has {own}, the hub {version}; some commands may not work"),
    );
    // The hub read its clock somewhere between the request and the answer.
    let skew = (now - sent).abs() - TimeDelta::from_std(took).unwrap_or_default();
    report.judge(
        "clock",
        skew < SKEW_MAX,
        "the clocks agree".to_owned(),
        format!(
            "the clock of the hub differs by {}; `--since` and relative times are off by as much",
            human(skew)
        ),
    );
    let (fine, warning) = match role {
        Role::Admin => ("everything is allowed", ""),
        Role::Operate => ("instances may be changed", "purging is refused"),
        _ => ("reading is allowed", "every change is refused"),
    };
    report.judge("access", role == Role::Admin, fine.to_owned(), format!("{fine}; {warning}"));
    match client.get_hub().send().await {
        Ok(hub) => {
            let (disk, memory) = (bytes(hub.disk_bytes), bytes(hub.memory_bytes));
            let size = format!("{disk} on disk, {memory} in memory");
            report.add("store", Finding::Ok, size);
        }
        Err(error) => report.fail("store", &error.into()),
    }
    let suspended = InstanceFilter::new().status(RuntimeStatus::Suspended);
    match client.list_instances(&suspended).limit(1000).send().await {
        Ok(page) => {
            let suspensions = page.items.iter().filter_map(|it| it.suspension.as_ref());
            let count = suspensions.filter(|it| it.code.is_some()).count();
            let found = format!(
                "suspended by the runtime: {count}; `durable pending --status suspended` says why"
            );
            let fine = "no instance is suspended by the runtime".to_owned();
            report.judge("instances", count == 0, fine, found);
        }
        Err(error) => report.fail("instances", &error.into()),
    }
}

fn show(report: &Report, format: Format, io: &mut Io) {
    match format {
        Format::Json => io.write(&line(&report.checks)),
        Format::Jsonl => report.checks.iter().for_each(|check| io.write(&line(check))),
        _ => {
            let mut table = Table::new(["CHECK", "RESULT", "DETAIL"].into_iter());
            for Check { name, result, detail } in &report.checks {
                let result = format!("{result:?}").to_lowercase();
                table.add(vec![(*name).to_owned(), result, detail.clone()]);
            }
            io.write(&table.text(false));
        }
    }
}

fn line(value: &impl Serialize) -> String {
    // These values can be serialized.
    serde_json::to_string(value).unwrap_or_default() + "\n"
}
