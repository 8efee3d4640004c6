//! What each command does: one file per group of commands.

mod act;
mod backup;
mod batches;
mod compare;
mod doctor;
mod documents;
mod entities;
mod history;
mod hub;
mod instances;
mod pending;
mod schedules;
mod start;
mod store;
mod stuck;
mod top;
mod tree;
mod ui;
mod watch;

use std::path::Path;

use durable::protocol::Json;
use durable_http::client::{Page, Request};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::args::{Command, Global, Paged, StoreCommand};
use crate::error::CliError;
use crate::session::{Io, Session};

pub(crate) use doctor::doctor;

/// The maximum number of items in a page of the API.
const PAGE: usize = 1000;

/// The folder of the hub, if the command itself names it.
pub(crate) fn folder(command: &Command) -> Option<&Path> {
    match command {
        Command::Store(StoreCommand::Backup(backup)) => backup.folder.as_deref(),
        _ => None,
    }
}

/// Runs a command that needs no hub.
pub(crate) fn run_without_hub(
    command: &Command,
    global: &Global,
    io: &mut Io,
) -> Option<Result<(), CliError>> {
    Some(match command {
        Command::Completions { shell } => documents::completions(*shell, io),
        Command::Man { out } => documents::man(out.as_deref(), io),
        Command::Skill => {
            documents::skill(io);
            Ok(())
        }
        Command::Store(StoreCommand::Backup(_)) => return None,
        Command::Store(command) => store::run(command, global, io),
        Command::Replay(replay) if Path::new(&replay.history).is_file() => {
            compare::replay_file(replay, io)
        }
        _ => return None,
    })
}

pub(crate) async fn run(command: Command, session: &mut Session<'_>) -> Result<(), CliError> {
    let Some(interval) = session.global.watch else { return once(&command, session).await };
    let is_repeatable = matches!(
        command,
        Command::List(_)
            | Command::Count(_)
            | Command::Get(_)
            | Command::Pending(_)
            | Command::Tree(_)
            | Command::Locks(_)
            | Command::Top
            | Command::Activity(_)
    );
    if !is_repeatable {
        return Err(CliError::Usage("this command cannot be repeated with `--watch`".to_owned()));
    }
    loop {
        if session.io.is_terminal {
            // To the top of an empty screen.
            session.io.write("\x1b[2J\x1b[H");
        }
        once(&command, session).await?;
        tokio::time::sleep(interval).await;
    }
}

async fn once(command: &Command, session: &mut Session<'_>) -> Result<(), CliError> {
    match command {
        Command::List(list) => instances::list(list, session).await,
        Command::Count(count) => instances::count(count, session).await,
        Command::Get(get) => instances::get(get, session).await,
        Command::Pending(of) => pending::pending(of, session).await,
        Command::History(history) => history::history(history, session).await,
        Command::Timeline(timeline) => history::timeline(timeline, session).await,
        Command::Tree(get) => tree::tree(get, session).await,
        Command::Start(start) => start::start(start, session).await,
        Command::Wait(wait) => start::wait(wait, session).await,
        Command::Result(result) => start::result(result, session).await,
        Command::Raise(raise) => act::raise(raise, session).await,
        Command::Suspend(steered) => act::suspend(steered, session).await,
        Command::Resume(steered) => act::resume(steered, session).await,
        Command::Terminate(terminate) => act::terminate(terminate, session).await,
        Command::Rewind(steered) => act::rewind(steered, session).await,
        Command::Restart(restart) => act::restart(restart, session).await,
        Command::Purge(purge) => act::purge(purge, session).await,
        Command::Batch(command) => batches::run(command, session).await,
        Command::Entity(command) => entities::run(command, session).await,
        Command::Locks(locks) => entities::locks(locks, session).await,
        Command::Schedule(command) => schedules::run(command, session).await,
        Command::Activity(command) => hub::activity(command, session).await,
        Command::Top => top::top(session).await,
        Command::Watch(watch) => watch::watch(watch, session).await,
        Command::Hub { command } => hub::run(command.as_ref(), session).await,
        Command::Replay(replay) => compare::replay(replay, session).await,
        Command::Diff(diff) => compare::diff(diff, session).await,
        Command::Export(export) => compare::export(export, session).await,
        Command::Ui(ui) => ui::ui(ui, session).await,
        Command::Store(StoreCommand::Backup(backup)) => backup::backup(backup, session).await,
        Command::Completions { .. }
        | Command::Doctor
        | Command::Man { .. }
        | Command::Skill
        | Command::Store(_) => Ok(()),
    }
}

/// JSON that was given as an argument: itself, the content of `@FILE`, or stdin for `-`.
fn input(given: Option<&String>, session: &mut Session<'_>) -> Result<Json, CliError> {
    let Some(given) = given else { return Ok(Json::null()) };
    let text = match given.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|source| CliError::File { path: path.into(), source })?,
        None if given == "-" => session.io.all_input()?,
        None => given.clone(),
    };
    Json::parse(text.trim()).map_err(|error| {
        let shown: String = text.trim().chars().take(40).collect();
        let hint = "put a text into quotes, as in `-i '\"yes\"'`";
        CliError::Usage(format!("the input `{shown}` is not JSON: {error}; {hint}"))
    })
}

fn parsed(text: String) -> Result<Box<RawValue>, CliError> {
    RawValue::from_string(text)
        .map_err(|source| CliError::Json { what: "the answer of the hub".to_owned(), source })
}

/// The items of a part of a list.
async fn paged<T>(
    request: Request<Page<T>>,
    page: &Paged,
) -> Result<(Vec<Box<RawValue>>, bool), CliError> {
    let request = match &page.after {
        Some(after) => request.after(after),
        None => request,
    };
    all(request, page.limit).await
}

/// The items of a list, page by page, as the API shows them: at most `limit`; and whether more
/// follow.
async fn all<T>(
    request: Request<Page<T>>,
    limit: usize,
) -> Result<(Vec<Box<RawValue>>, bool), CliError> {
    #[derive(Deserialize)]
    struct Raw {
        items: Vec<Box<RawValue>>,
        #[serde(default)]
        next: Option<String>,
    }

    let mut items = Vec::new();
    let mut request = request;
    loop {
        request = request.limit(PAGE.min(limit - items.len()).max(1));
        let text = request.text().await?;
        let page: Raw = serde_json::from_str(&text)
            .map_err(|source| CliError::Json { what: "the answer of the hub".into(), source })?;
        items.extend(page.items);
        let Some(next) = page.next else { return Ok((items, false)) };
        if items.len() >= limit {
            return Ok((items, true));
        }
        request = request.after(next);
    }
}
