//! Registration: by attribute, by hand, twice, and not at all.

use durable::client::{OpenError, StartError};
use durable::prelude::*;

mod one {
    use durable::prelude::*;

    #[activity(name = "the same")]
    pub(super) async fn first() {}

    #[orchestrator]
    pub(super) async fn calls_one(ctx: &OrchestrationContext) -> Result<u32> {
        Ok(numbered().await?)
    }

    #[activity(version = "1")]
    pub(super) async fn numbered() -> u32 {
        1
    }
}

mod two {
    use durable::prelude::*;

    #[activity(name = "numbered", version = "2")]
    pub(super) async fn other_numbered() -> u32 {
        2
    }

    #[orchestrator(name = "renamed")]
    pub(super) async fn calls_two(ctx: &OrchestrationContext) -> Result<u32> {
        Ok(other_numbered().await?)
    }
}

/// A second definition of a name. It has no attribute, because that would break every test of this
/// program.
mod twice {

    pub(super) struct Second;

    stand_in!(Second for super::one::first, line: 4711, file: "elsewhere.rs");
}

#[tokio::test]
async fn versions_of_one_name_coexist() -> Result<()> {
    let hub = TaskHub::builder()
        .in_memory()
        .only_registered()
        .register::<one::calls_one>()
        .register::<two::calls_two>()
        .register::<one::numbered>()
        .register::<two::other_numbered>()
        .open()
        .await?;
    assert_eq!(hub.start(one::calls_one()).await?.result().await?, 1);
    let run = hub.start(two::calls_two()).await?;
    assert_eq!(run.result().await?, 2);
    assert_eq!(run.status().await?.name, "renamed");
    hub.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn a_duplicate_name_is_rejected_with_both_source_locations() {
    let opened = TaskHub::builder()
        .in_memory()
        .only_registered()
        .register::<one::first>()
        .register::<twice::Second>()
        .open()
        .await;
    let Err(error @ OpenError::Registry(_)) = opened else { panic!("{opened:?}") };
    let said = error.to_string();
    assert!(said.starts_with("two activities have the name `the same`: one at "), "{said}");
    assert!(said.contains("tests/registration/names.rs:"), "{said}");
    assert!(said.contains("elsewhere.rs:4711"), "{said}");
}

#[tokio::test]
async fn registering_an_annotated_function_by_hand_is_allowed() -> Result<()> {
    let hub = TaskHub::builder()
        .in_memory()
        .only_registered()
        .register::<one::first>()
        .register::<one::first>()
        .open()
        .await?;
    hub.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn starting_an_unregistered_orchestration_lists_the_registered_ones() -> Result<()> {
    let hub = TaskHub::builder()
        .in_memory()
        .only_registered()
        .register::<two::calls_two>()
        .open()
        .await?;
    let error = hub.start(one::calls_one()).await.unwrap_err();
    assert!(matches!(error, StartError::NotRegistered { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("`calls_one` is not registered; registered: `renamed`"), "{said}");
    assert!(said.contains("use that_crate as _;"), "{said}");
    hub.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn an_activity_that_is_not_registered_fails_its_call_by_name() -> Result<()> {
    let hub = TaskHub::builder()
        .in_memory()
        .only_registered()
        .register::<one::calls_one>()
        .open()
        .await?;
    let error = hub.start(one::calls_one()).await?.result().await.unwrap_err().to_string();
    assert!(error.contains("activity `numbered` (version 1) is not registered"), "{error}");
    hub.shutdown().await?;
    Ok(())
}

#[activity]
async fn wants(_pool: State<Vec<u8>>) {}

#[tokio::test]
async fn missing_shared_state_is_found_when_opening() {
    let opened = TaskHub::builder().in_memory().only_registered().register::<wants>().open().await;
    let said = opened.unwrap_err().to_string();
    assert!(said.contains("for activity `wants`"), "{said}");
    assert!(said.contains("TaskHub::builder().state(..)"), "{said}");
}
