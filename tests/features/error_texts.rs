//! Error texts: the text of an error never contains that of its source, because a program that
//! prints an error with its causes would print it twice.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use durable::client::{EntityError, HubError, ManageError, OpenError, ResultError, StartError};
use durable::prelude::*;
use durable::schedule::ScheduleError;
use durable::store::StoreError;
use durable::testing::{HistoryFileError, TestHub};
use walkdir::WalkDir;

fn io_error() -> io::Error {
    io::Error::other("the disk is on fire")
}

fn store_error() -> StoreError {
    StoreError::Io { doing: "cannot write".into(), source: Arc::new(io_error()) }
}

fn path() -> PathBuf {
    "somewhere".into()
}

/// An error of each kind that has a source.
fn errors() -> Vec<Box<dyn StdError>> {
    let hub = || HubError::Store(store_error());
    let invalid_id = || durable::InstanceId::new("no/id").unwrap_err();
    let no_thread = io_error();
    vec![
        Box::new(store_error()),
        Box::new(StoreError::Exhausted {
            doing: "cannot write".into(),
            source: Arc::new(io_error()),
        }),
        Box::new(StoreError::backend("cannot commit", io_error())),
        Box::new(StoreError::unavailable("cannot commit", io_error())),
        Box::new(OpenError::Store(store_error())),
        Box::new(OpenError::Thread(no_thread)),
        Box::new(hub()),
        Box::new(ManageError::Hub(hub())),
        Box::new(ManageError::NoRoom(store_error())),
        Box::new(ManageError::Start(Box::new(StartError::NoRoom(store_error())))),
        Box::new(ManageError::InvalidInstanceId(invalid_id())),
        Box::new(StartError::NoRoom(store_error())),
        Box::new(StartError::Hub(hub())),
        Box::new(EntityError::<Error>::NoRoom(store_error())),
        Box::new(EntityError::<Error>::Hub(hub())),
        Box::new(ResultError::<Error>::Hub(hub())),
        Box::new(ScheduleError::InvalidId(invalid_id())),
        Box::new(HistoryFileError::Read { path: path(), source: io_error() }),
        Box::new(HistoryFileError::Write { path: path(), source: io_error() }),
    ]
}

#[test]
fn no_error_repeats_the_text_of_its_source() {
    for error in errors() {
        repeats_nothing(&*error);
    }
}

fn repeats_nothing(mut error: &dyn StdError) {
    while let Some(source) = error.source() {
        let (text, cause) = (error.to_string(), source.to_string());
        assert!(!text.contains(&cause), "`{text}` contains its source, `{cause}`");
        error = source;
    }
}

#[activity]
async fn cannot_write() -> Result<()> {
    Err(store_error())?
}

#[orchestrator]
async fn cannot_go_on(ctx: &OrchestrationContext, levels: u32) -> Result<()> {
    match levels {
        0 => cannot_write().await?,
        _ => cannot_go_on(levels - 1).await?,
    }
    Ok(())
}

#[tokio::test]
async fn no_failed_call_repeats_the_text_of_its_source() -> Result<()> {
    let only = |hub: durable::client::TaskHubBuilder| {
        hub.only_registered().register::<cannot_write>().register::<cannot_go_on>()
    };
    let hub = TestHub::builder().configure(only).open().await?;
    for levels in 0..3 {
        let failed = hub.start(cannot_go_on(levels)).await?.result().await.unwrap_err();
        repeats_nothing(&failed);
        let shown = format!("{:#}", anyhow::Error::from(failed));
        assert!(shown.ends_with("`cannot_write` failed: cannot write: the disk is on fire"));
        assert_eq!(shown.matches("cannot write").count(), 1, "{shown}");
        assert_eq!(shown.matches("on fire").count(), 1, "{shown}");
    }
    Ok(())
}

#[test]
fn every_cause_can_be_reached() {
    let is_io = |error: &dyn StdError| !error.to_string().contains("id");
    for error in errors().into_iter().filter(|error| is_io(&**error)) {
        let mut last: &dyn StdError = &*error;
        while let Some(source) = last.source() {
            last = source;
        }
        assert_eq!(last.to_string(), "the disk is on fire", "{error}");
    }
}

/// Of types that are added later, too.
#[test]
fn no_declared_text_names_its_source() {
    // These tests are a part of several packages.
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let source = folders.map(|folder| folder.join("durable/src")).find(|source| source.exists());
    let source = source.expect("the workspace has the library");
    let files = WalkDir::new(source).into_iter().map(|entry| entry.unwrap().into_path());
    for file in files.filter(|file| file.extension().is_some_and(|ending| ending == "rs")) {
        let text = std::fs::read_to_string(&file).unwrap();
        // Examples in the docs are users' code.
        let code: Vec<_> = text.lines().filter(|line| !line.trim().starts_with("//")).collect();
        let code = code.join("\n");
        for declared in code.split("#[error(").skip(1) {
            let (says, rest) = declared.split_once(")]").unwrap();
            let variant = rest.trim_start().split(['{', '\n']).next().unwrap();
            let repeats = says.contains("{source}")
                || (says.contains("{0}")
                    && ["#[from]", "#[source]"].iter().any(|it| variant.contains(it)));
            assert!(!repeats, "{}: `{says}` repeats the source of `{variant}`", file.display());
        }
    }
}
