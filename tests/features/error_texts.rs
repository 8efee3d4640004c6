//! Error texts: the text of an error never contains that of its source, because a program that
//! prints an error with its causes would print it twice.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use durable::client::{
    EntityError, HubError, InvalidEvent, InvalidPayload, ManageError, OpenError, ResultError,
    StartError,
};
use durable::prelude::*;
use durable::schedule::{InvalidSchedule, Schedule, ScheduleError};
use durable::store::StoreError;
use durable::testing::{HistoryFileError, TestHub};
use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

fn io_error() -> io::Error {
    io::Error::other("the disk is on fire")
}

fn store_error() -> StoreError {
    StoreError::Io { doing: "cannot write".into(), source: Arc::new(io_error()) }
}

fn no_json() -> InvalidPayload {
    let source = Arc::new(serde_json::Error::io(io_error()));
    InvalidPayload::NoJson { what: "the input".into(), source }
}

fn not_readable() -> InvalidPayload {
    let source = Arc::new(serde_json::Error::io(io_error()));
    InvalidPayload::NotReadable { what: "the event".into(), type_name: "f64", source }
}

fn path() -> PathBuf {
    "somewhere".into()
}

/// An error of each kind that has a source.
fn errors() -> Vec<Box<dyn StdError>> {
    let hub = || HubError::Store(store_error());
    let invalid_id = || durable::InstanceId::new("no/id").unwrap_err();
    let no_thread = io_error();
    let invalid_entity = durable::EntityId::new("counter", "x".repeat(300)).unwrap_err();
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
        Box::new(no_json()),
        Box::new(not_readable()),
        Box::new(StartError::InvalidInput { name: "greet".into(), reason: Box::new(no_json()) }),
        Box::new(ManageError::InvalidEvent(InvalidEvent::Payload(Box::new(not_readable())))),
        Box::new(EntityError::<Error>::InvalidOperation(Box::new(no_json()).into())),
        Box::new(EntityError::<Error>::InvalidOperation(invalid_entity.into())),
        Box::new(InvalidSchedule::InstanceIdPrefix(invalid_id())),
        Box::new(HistoryFileError::Read { path: path(), source: io_error() }),
        Box::new(HistoryFileError::Write { path: path(), source: io_error() }),
        Box::new(HistoryFileError::Malformed {
            path: path(),
            source: serde::de::Error::custom("the disk is on fire"),
        }),
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

/// An error with its causes, one in a line.
fn with_causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push('\n');
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[orchestrator]
async fn weighs(ctx: &OrchestrationContext, kilos: f64) -> Result<f64> {
    let more = ctx.wait_for_external_event::<f64>("more").await?;
    Ok(kilos + more)
}

#[derive(Default, Serialize, Deserialize)]
struct Scales(f64);

#[entity]
impl Scales {
    fn put(&mut self, kilos: f64) {
        self.0 += kilos;
    }
}

#[tokio::test]
async fn an_error_of_a_client_says_what_failed_and_its_source_says_why() -> Result<()> {
    let hub = TestHub::open().await?;
    let again = "again; JSON has no NaN and no infinity, and is read up to 127 levels deep\n\
                 invalid type: null, expected f64 at line 1 column 4";
    let start = hub.start(weighs(f64::NAN)).await.unwrap_err();
    let parameter = "parameter `kilos` was written as JSON that cannot be read as `f64`";
    let input = "the input of `weighs` cannot be stored";
    assert_eq!(with_causes(&start), format!("{input}\n{parameter} {again}"));
    let signal = hub.signal_entity(Scales::at("a").put(f64::NAN)).await.unwrap_err();
    assert_eq!(with_causes(&signal), format!("{parameter} {again}"));
    let signal = hub.signal_entity(Scales::at("x".repeat(300)).put(1.0)).await.unwrap_err();
    assert!(signal.to_string().contains("longer than 256 characters"), "{signal}");

    let run = hub.start(weighs(1.0).instance_id("w")).await?;
    let unnamed = run.raise_event("", &1.0).await.unwrap_err();
    assert_eq!(
        with_causes(&unnamed),
        "an external event cannot have a name of 0 characters; use 1 to 256"
    );
    let keyed = BTreeMap::from([((1, 2), 3)]);
    let raised = run.raise_event("more", &keyed).await.unwrap_err();
    assert_eq!(with_causes(&raised), "the event has no JSON form\nkey must be a string");
    run.raise_event("more", &1.0).await?;
    run.result().await?;
    let no_bool = "invalid type: floating point `2.0`, expected a boolean at line 1 column 3";
    let read = run.details().await?.output_as::<bool>().unwrap_err();
    let expected = format!("the result of instance `w` cannot be read as `bool`\n{no_bool}");
    assert_eq!(with_causes(&read), expected);
    hub.call_entity(Scales::at("a").put(2.0)).await?;
    let scales = durable::EntityId::new("scales", "a")?;
    let read = hub.entity(&scales).await?.expect("it has a state").state_as::<bool>().unwrap_err();
    let expected = format!("the state of `@scales@a` cannot be read as `bool`\n{no_bool}");
    assert_eq!(with_causes(&read), expected);

    let hourly = Schedule::every(Duration::from_hours(1)).instance_id_prefix("a/b");
    let scheduled = hub.create_schedule("hourly", hourly.of(weighs(1.0))).await.unwrap_err();
    let prefix = "the ids of started instances cannot begin with the given prefix";
    let expected = format!("{prefix}\n`a/b` cannot be an instance id: ");
    assert!(with_causes(&scheduled).starts_with(&expected), "{scheduled:?}");
    Ok(())
}

#[test]
fn every_cause_can_be_reached() {
    let is_of_id = |error: &dyn StdError| {
        let text = with_causes(error);
        text.contains("cannot be an instance id") || text.contains("cannot name an entity")
    };
    for error in errors().into_iter().filter(|error| !is_of_id(&**error)) {
        let mut last: &dyn StdError = &*error;
        while let Some(source) = last.source() {
            last = source;
        }
        assert_eq!(last.to_string(), "the disk is on fire", "{error}");
    }
}

/// This also covers types that are added later.
#[test]
fn no_declared_text_names_its_source_or_has_gaps() {
    // These tests are part of several packages.
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
            let has_gap = says.lines().any(|line| line.trim().contains("   "));
            assert!(!has_gap, "{}: `{says}` has a gap between two words", file.display());
            let variant = rest.trim_start().split(['{', '\n']).next().unwrap();
            let repeats = says.contains("{source}")
                || (says.contains("{0}")
                    && ["#[from]", "#[source]"].iter().any(|it| variant.contains(it)));
            assert!(!repeats, "{}: `{says}` repeats the source of `{variant}`", file.display());
        }
    }
}
