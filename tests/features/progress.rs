//! Watching the custom status of instances, and the reasons why they stopped.

use std::time::Duration;

use durable::client::{HubError, InstanceQuery, LifecycleKind};
use durable::prelude::*;
use durable::task::Elapsed;
use durable::testing::TestHub;

const MINUTE: Duration = Duration::from_mins(1);

#[activity]
async fn import_page(page: u32) -> Result<u32> {
    Ok(page)
}

/// Reports its progress every minute.
#[orchestrator]
async fn import(ctx: &OrchestrationContext, pages: u32) -> Result<u32> {
    for page in 1..=pages {
        import_page(page).await?;
        ctx.set_custom_status(&page)?;
        ctx.create_timer(MINUTE).await;
    }
    Ok(pages)
}

/// Reports its progress in each of its executions.
#[orchestrator]
async fn import_anew(ctx: &OrchestrationContext, page: u32, pages: u32) -> Result<()> {
    ctx.set_custom_status(&page)?;
    ctx.create_timer(MINUTE).await;
    if page == pages {
        return Ok(());
    }
    ctx.continue_as_new(import_anew(page + 1, pages)).await
}

/// Asks a question, waits forever, and reports the answer.
#[orchestrator]
async fn asks(ctx: &OrchestrationContext) -> Result<()> {
    ctx.set_custom_status(&"asking")?;
    let answer = ctx.wait_for_external_event::<String>("Answer").await?;
    ctx.set_custom_status(&answer)?;
    Ok(ctx.wait_for_external_event::<()>("End").await?)
}

#[orchestrator]
async fn breaks_down(ctx: &OrchestrationContext) -> Result<()> {
    Err(Error::msg("out of paper"))
}

#[tokio::test]
async fn a_watch_yields_each_custom_status_and_ends_with_the_instance() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(import(4)).await?;
    let mut watch = run.watch_custom_status::<u32>().await?;
    let mut said = Vec::new();
    while let Some(page) = watch.next().await? {
        said.push(page);
    }
    assert_eq!(said, [1, 2, 3, 4]);
    assert_eq!(watch.next().await?, None, "it stays at its end");
    assert_eq!(run.result().await?, 4);
    Ok(())
}

#[tokio::test]
async fn a_watch_of_an_ended_instance_yields_the_last_custom_status() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(import(2)).await?;
    run.result().await?;
    let mut watch = run.watch_custom_status::<u32>().await?;
    assert_eq!(watch.next().await?, Some(2));
    assert_eq!(watch.next().await?, None);
    Ok(())
}

#[tokio::test]
async fn a_watch_continues_across_continue_as_new() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(import_anew(1, 4)).await?;
    let mut watch = run.watch_custom_status::<u32>().await?;
    let mut said = Vec::new();
    while let Some(page) = watch.next().await? {
        said.push(page);
    }
    assert_eq!(said, [1, 2, 3, 4]);
    Ok(())
}

#[tokio::test]
async fn a_watch_continues_across_a_suspension() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(asks()).await?;
    let mut watch = run.watch_custom_status::<String>().await?;
    assert_eq!(watch.next().await?.as_deref(), Some("asking"));
    run.suspend("lunch").await?;
    run.raise_event("Answer", "42").await?;
    run.resume("back").await?;
    assert_eq!(watch.next().await?.as_deref(), Some("42"));
    run.terminate("enough").await?;
    assert_eq!(watch.next().await?, None);
    Ok(())
}

#[tokio::test]
async fn several_watches_of_an_instance_yield_the_same() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(asks()).await?;
    let mut first = run.watch_custom_status::<String>().await?;
    assert_eq!(first.next().await?.as_deref(), Some("asking"));
    run.raise_event("Answer", "42").await?;
    let mut second = run.watch_custom_status::<String>().await?;
    assert_eq!(second.next().await?.as_deref(), Some("42"));
    assert_eq!(first.next().await?.as_deref(), Some("42"));
    drop(first);
    run.raise_event("End", &()).await?;
    assert_eq!(second.next().await?, None);
    Ok(())
}

#[tokio::test]
async fn a_watch_wakes_in_a_hub_with_real_time() -> Result<()> {
    let hub = TaskHub::builder().in_memory().open().await?;
    let run = hub.start(asks()).await?;
    let mut watch = run.watch_custom_status::<String>().await?;
    assert_eq!(watch.next().await?.as_deref(), Some("asking"));
    let (answered, said) = tokio::join!(run.raise_event("Answer", "42"), watch.next());
    answered?;
    assert_eq!(said?.as_deref(), Some("42"));
    hub.shutdown().await?;
    assert!(matches!(watch.next().await, Err(HubError::ShutDown)));
    Ok(())
}

#[tokio::test]
async fn an_unreadable_custom_status_is_an_error_and_the_watch_continues() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(asks().instance_id("odd")).await?;
    let mut watch = run.watch_custom_status::<u32>().await?;
    let error = watch.next().await.unwrap_err();
    assert!(matches!(error, HubError::Unreadable { .. }), "{error:?}");
    assert_eq!(error.to_string(), "the custom status of instance `odd` cannot be read as `u32`");
    let error = run.custom_status::<u32>().await.unwrap_err();
    assert!(matches!(error, HubError::Unreadable { .. }), "{error:?}");
    run.terminate("enough").await?;
    assert_eq!(watch.next().await?, None);
    let missing = hub.instance("nobody")?.watch_custom_status::<u32>().await;
    assert!(matches!(missing, Err(HubError::NoSuchInstance(_))));
    Ok(())
}

#[tokio::test]
async fn wait_for_custom_status_ends_with_a_match_or_with_the_instance() -> Result<()> {
    let hub = TestHub::open().await?;
    let began = hub.now();
    let run = hub.start(import(10)).await?;
    assert_eq!(run.wait_for_custom_status(|page: &u32| *page >= 4).await?, Some(4));
    assert_eq!(hub.now(), began + 3 * MINUTE);
    assert_eq!(run.wait_for_custom_status(|page: &u32| *page == 99).await?, None);
    assert_eq!(run.result().await?, 10);
    Ok(())
}

#[tokio::test]
async fn a_client_timeout_counts_in_the_time_of_the_hub() -> Result<()> {
    let hub = TestHub::open().await?;
    let began = hub.now();
    let run = hub.start(import(10)).await?;
    let wait = run.wait_for_custom_status(|page: &u32| *page == 8);
    assert!(matches!(hub.timeout(MINUTE * 5 / 2, wait).await, Err(Elapsed)));
    assert_eq!(hub.now(), began + MINUTE * 5 / 2);
    let wait = run.wait_for_custom_status(|page: &u32| *page == 8);
    assert_eq!(hub.timeout(10 * MINUTE, wait).await.expect("it is in time")?, Some(8));
    assert_eq!(hub.now(), began + 7 * MINUTE);
    let silent = hub.start(asks()).await?;
    let late = hub.timeout(100 * MINUTE, silent.result()).await;
    assert!(matches!(late, Err(Elapsed)));
    assert_eq!(hub.timeout(MINUTE, std::future::ready(7)).await, Ok(7));
    Ok(())
}

#[tokio::test]
async fn a_lifecycle_event_has_the_reason_of_a_stop() -> Result<()> {
    let hub = TestHub::open().await?;
    let mut events = hub.lifecycle();
    hub.start(breaks_down()).await?.result().await.unwrap_err();
    let run = hub.start(asks().instance_id("asks")).await?;
    run.suspend("lunch").await?;
    run.resume("back").await?;
    run.terminate("enough").await?;
    let again = asks().instance_id("asks").replace_if([RuntimeStatus::Terminated]);
    hub.start(again).await?;
    let again = asks().instance_id("asks").replace_if([RuntimeStatus::Running]);
    hub.start(again).await?;
    let mut told = Vec::new();
    while let Some(event) = events.try_recv()? {
        if event.kind != LifecycleKind::Started {
            told.push((event.kind, event.reason));
        }
    }
    let expected = [
        (LifecycleKind::Failed, "out of paper"),
        (LifecycleKind::Suspended, "lunch"),
        (LifecycleKind::Resumed, "back"),
        (LifecycleKind::Terminated, "enough"),
        (LifecycleKind::Terminated, "another instance was started under its id"),
    ];
    assert_eq!(told, expected.map(|(kind, reason)| (kind, Some(reason.to_owned()))));
    Ok(())
}

#[orchestrator]
async fn says_too_much(ctx: &OrchestrationContext) -> Result<String> {
    ctx.set_custom_status(&"busy")?;
    let refused = ctx.set_custom_status(&"x".repeat(20_000)).unwrap_err();
    ctx.wait_for_external_event::<bool>("done").await?;
    ctx.clear_custom_status();
    Ok(refused.to_string())
}

#[tokio::test]
async fn a_custom_status_is_limited_and_can_be_queried_and_cleared() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(says_too_much()).await?;
    hub.settle().await;
    assert_eq!(run.custom_status::<String>().await?.as_deref(), Some("busy"));
    assert_eq!(hub.count(&InstanceQuery::new().custom_status(&"busy")).await?, 1);
    run.raise_event("done", &true).await?;
    let refused = run.result().await?;
    assert!(refused.starts_with("the custom status has 20002 bytes"), "{refused}");
    assert_eq!(run.custom_status::<String>().await?, None);
    assert_eq!(hub.count(&InstanceQuery::new().custom_status(&"busy")).await?, 0);
    Ok(())
}
