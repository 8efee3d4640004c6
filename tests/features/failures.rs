//! Failures of instances: the type of the cause, how large one may be, and how many causes it may have.

use std::error::Error as StdError;
use std::fmt;

use durable::client::ResultError;
use durable::prelude::*;
use durable::testing::{RecordedHistory, TestHub, verify_replay};
use durable::{OrchestrationHandle, Orchestrator, RuntimeStatus};
use serde::{Deserialize, Serialize};

/// Why an instance failed: the types of the failure and of its causes.
pub(super) async fn failure_types<O: Orchestrator>(
    run: &OrchestrationHandle<O>,
) -> Result<Vec<String>> {
    let Err(ResultError::Failed(failed)) = run.result().await else { panic!("it fails") };
    Ok(failed.details().chain().map(|it| it.error_type.clone()).collect())
}

/// An error with causes of its own kind.
#[derive(Debug)]
struct Broken(Option<Box<Broken>>);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl StdError for Broken {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.as_deref().map(|source| source as _)
    }
}

/// An error that is its own source.
#[derive(Debug)]
struct Endless;

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("endless")
    }
}

impl StdError for Endless {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self)
    }
}

#[activity]
async fn breaks(causes: u32) -> Result<()> {
    Err((0..causes).fold(Broken(None), |source, _| Broken(Some(Box::new(source)))).into())
}

#[activity]
async fn breaks_endlessly() -> Result<()> {
    Err(Endless.into())
}

/// The number of links of the failure, and the message of the last one.
#[orchestrator]
async fn survives(ctx: &OrchestrationContext, causes: Option<u32>) -> Result<(usize, String)> {
    let failed = match causes {
        Some(causes) => breaks(causes).await.unwrap_err(),
        None => breaks_endlessly().await.unwrap_err(),
    };
    let last = failed.details().chain().last().map(|last| last.message.clone());
    Ok((failed.details().chain().count(), last.unwrap_or_default()))
}

#[tokio::test]
async fn a_failure_with_many_causes_is_stored_and_read_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let hub = TaskHub::open(folder.path().join("hub")).await?;
    let cases = [
        (Some(3), 4, "broken"),
        (Some(63), 64, "broken"),
        (Some(64), 64, "2 more causes are left out"),
        (Some(5_000), 64, "4938 more causes are left out"),
        (None, 64, "at least 10002 more causes are left out"),
    ];
    for (causes, links, last) in cases {
        let run = hub.start(survives(causes).instance_id(format!("{causes:?}"))).await?;
        assert_eq!(run.result().await?, (links, last.to_owned()));
    }
    hub.shutdown().await?;
    let hub = TaskHub::open(folder.path().join("hub")).await?;
    for (causes, ..) in cases {
        let run = hub.instance(format!("{causes:?}"))?;
        assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Completed);
        verify_replay(&RecordedHistory::of(&run).await?)?;
    }
    hub.shutdown().await?;
    Ok(())
}

#[orchestrator]
async fn nested(ctx: &OrchestrationContext, levels: u32) -> Result<()> {
    if levels == 0 {
        return Err(Error::msg("the bottom"));
    }
    Ok(nested(levels - 1).instance_id(format!("level-{}", levels - 1)).await?)
}

#[tokio::test]
async fn a_failure_that_passes_through_many_levels_stays_small() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.verify_replay(false)).open().await?;
    let levels = 300;
    let run = hub.start(nested(levels).instance_id(format!("level-{levels}"))).await?;
    let failed = run.result().await.unwrap_err().to_string();
    assert!(failed.len() < 1_200, "{} bytes: {failed}", failed.len());
    assert!(failed.ends_with("orchestration `nested` failed: the bottom"), "{failed}");

    let folder = tempfile::tempdir()?;
    let (top, path) = (run.history().await?, folder.path().join("top.json"));
    let recorded = RecordedHistory::of(&run).await?;
    recorded.save(&path)?;
    assert!(std::fs::metadata(&path)?.len() < 500_000);
    verify_replay(&RecordedHistory::load(&path)?)?;
    drop(run);
    let hub = hub.reopen().await?;
    assert_eq!(hub.instance(format!("level-{levels}"))?.history().await?, top);
    Ok(())
}

#[activity]
async fn says(bytes: usize) -> Result<()> {
    Err(Error::msg("x".repeat(bytes)))
}

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("rejected")]
struct Rejected(String);

#[activity]
async fn rejects(bytes: usize) -> Result<(), Rejected> {
    Err(Rejected("x".repeat(bytes)))
}

#[orchestrator]
async fn hears(ctx: &OrchestrationContext, bytes: usize) -> Result<(usize, bool, Option<usize>)> {
    let said = says(bytes).await.unwrap_err();
    let rejected = rejects(bytes).await.unwrap_err();
    let read = rejected.error().map(|Rejected(text)| text.len());
    if read.is_none() {
        assert!(rejected.to_string().contains("its value of"), "{rejected}");
    }
    let said = &said.details().message;
    Ok((said.len(), said.ends_with(" more bytes are left out)"), read))
}

#[orchestrator]
async fn fails_loudly(ctx: &OrchestrationContext, bytes: usize) -> Result<()> {
    Err(Error::msg("x".repeat(bytes)))
}

#[derive(Default, Serialize, Deserialize)]
struct Loud {}

#[entity]
impl Loud {
    fn shout(&mut self, bytes: usize) -> Result<()> {
        Err(Error::msg("x".repeat(bytes)))
    }
}

#[tokio::test]
async fn a_failure_is_no_larger_than_a_value_may_be() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.max_payload(1000)).open().await?;
    assert_eq!(hub.start(hears(900)).await?.result().await?, (900, false, Some(900)));
    let (said, is_cut, rejected) = hub.start(hears(100_000)).await?.result().await?;
    assert!(said < 1_100 && is_cut && rejected.is_none(), "{said} {is_cut} {rejected:?}");

    let run = hub.start(fails_loudly(100_000)).await?;
    assert!(matches!(run.result().await, Err(ResultError::Failed(_))));
    let failure = run.details().await?.failure.expect("it failed");
    assert!(failure.message.len() < 1_100, "{}", failure.message);
    let failed = hub.call_entity(Loud::at("a").shout(100_000)).await.unwrap_err().to_string();
    assert!(failed.len() < 1_200, "{failed}");
    Ok(())
}

#[activity]
pub(super) async fn parses(text: &str) -> Result<u32> {
    Ok(text.parse::<u32>()?)
}

#[orchestrator]
pub(super) async fn passes_on(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(parses("x").await?)
}

#[tokio::test]
async fn failure_details_name_the_type_of_the_cause() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(passes_on()).await?;
    let Err(ResultError::Failed(failed)) = run.result().await else { panic!("it fails") };
    assert!(failed.details().is_caused_by::<std::num::ParseIntError>());
    assert!(!failed.details().is_caused_by::<std::fmt::Error>());
    Ok(())
}
