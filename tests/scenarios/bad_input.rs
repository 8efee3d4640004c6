//! Invalid input: each kind has its error, and the instance stays usable.

use std::time::Duration;

use durable::RuntimeStatus;
use durable::client::{HubError, ManageError, OpenError, ResultError, StartError};
use durable::prelude::*;
use durable::protocol::FailureDetails;
use serde_json::json;

use crate::common::{DAY, MINUTE, SECOND, World, act, builder, on_every_hub, patiently};

const KILO: usize = 1024;

#[orchestrator]
async fn echoes(ctx: &OrchestrationContext, text: String) -> Result<String> {
    Ok(text)
}

#[tokio::test]
async fn an_id_has_256_characters_and_not_257() -> Result<()> {
    on_every_hub(async |hub, _| {
        for id in ["x".repeat(256), "\u{e4}".repeat(256), "a b:c@d%.".into()] {
            let run = hub.start(echoes("e".into()).instance_id(id.clone())).await?;
            assert_eq!(run.result().await?, "e");
            assert_eq!(hub.instance(&id)?.status().await?.instance_id.as_str(), id);
        }
        for (id, why) in [
            ("x".repeat(257), "longer than 256"),
            (String::new(), "empty"),
            ("@entity".into(), "reserved for entities"),
            ("a/b".into(), "contains one of"),
            ("a\nb".into(), "control character"),
        ] {
            let refused = hub.start(echoes("e".into()).instance_id(id.clone())).await;
            assert!(matches!(refused, Err(StartError::InvalidInstanceId(_))), "{refused:?}");
            let message = refused.unwrap_err().to_string();
            assert!(message.contains(why), "{message}");
            let message = hub.instance(&id).unwrap_err().to_string();
            assert!(message.contains(why), "{message}");
        }
        Ok(())
    })
    .await
}

#[orchestrator]
async fn child_with_id(ctx: &OrchestrationContext, id: String) -> Result<String> {
    let failed = echoes("e".into()).instance_id(id).await.unwrap_err();
    Ok(format!("{} {failed}", failed.details().error_type))
}

#[tokio::test]
async fn a_child_with_a_bad_id_or_that_of_its_parent_fails_the_call_only() -> Result<()> {
    on_every_hub(async |hub, _| {
        let run = hub.start(child_with_id("x".repeat(257)).instance_id("p")).await?;
        let said = run.result().await?;
        assert!(said.starts_with(FailureDetails::INVALID_INPUT), "{said}");
        assert!(said.contains("longer than 256"), "{said}");
        let cyclic = hub.start(child_with_id("cyclic".into()).instance_id("cyclic")).await?;
        let said = patiently(async { Ok(cyclic.result().await?) }).await?;
        assert!(said.starts_with(FailureDetails::INSTANCE_EXISTS), "{said}");
        Ok(())
    })
    .await
}

#[orchestrator]
async fn three_events(ctx: &OrchestrationContext, name: String) -> Result<Vec<u32>> {
    let mut numbers = Vec::new();
    while numbers.len() < 3 {
        match ctx.wait_for_external_event::<u32>(&name).await {
            Ok(number) => numbers.push(number),
            Err(wrong) => ctx.set_custom_status(&wrong.to_string())?,
        }
    }
    Ok(numbers)
}

#[tokio::test]
async fn odd_names_and_wrong_types_of_events_do_no_harm() -> Result<()> {
    on_every_hub(async |hub, _| {
        for name in ["a/b \u{e4}\n#?", " ", &"long".repeat(64), "STRASSE"] {
            let run = hub.start(three_events(name.into())).await?;
            run.raise_event("another", &1).await?;
            run.raise_event(name, &1).await?;
            for wrong in [json!("one"), json!(null), json!(-1), json!(4_294_967_296_u64)] {
                run.raise_event(&name.to_lowercase(), &wrong).await?;
            }
            run.raise_event(name, &2).await?;
            hub.settle().await;
            let said = run.custom_status::<String>().await?.unwrap();
            assert!(said.contains("cannot be read as `u32`"), "{said}");
            run.raise_event(name, &3).await?;
            assert_eq!(run.result().await?, [1, 2, 3]);
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_event_without_a_name_is_refused() -> Result<()> {
    on_every_hub(async |hub, _| {
        let run = hub.start(three_events("n".into())).await?;
        let refused = run.raise_event("", &1).await.unwrap_err();
        assert!(matches!(refused, ManageError::InvalidEvent(_)), "{refused:?}");
        Ok(())
    })
    .await
}

#[activity]
async fn grows(bytes: usize) -> String {
    "x".repeat(bytes)
}

#[activity]
async fn takes(text: String) -> usize {
    text.len()
}

#[orchestrator]
async fn too_large(ctx: &OrchestrationContext, bytes: usize) -> Result<Vec<String>> {
    let text = "x".repeat(bytes);
    let mut said = Vec::new();
    let mut note = |failed: &TaskFailed| {
        said.push(format!("{}: {failed}", failed.details().error_type));
    };
    note(&grows(bytes).await.unwrap_err());
    note(&takes(text.clone()).await.unwrap_err());
    note(&echoes(text.clone()).await.unwrap_err());
    said.push(ctx.send_event(ctx.instance_id().as_str(), "e", &text).unwrap_err().to_string());
    said.push(ctx.start(echoes(text.clone())).unwrap_err().to_string());
    said.push(ctx.set_custom_status(&text).unwrap_err().to_string());
    takes("x".into()).await?;
    Ok(said)
}

#[orchestrator]
async fn returns_much(ctx: &OrchestrationContext, bytes: usize) -> Result<String> {
    Ok("x".repeat(bytes))
}

#[orchestrator]
async fn begins_anew_with_much(ctx: &OrchestrationContext, _text: String) -> Result<String> {
    if ctx.generation() > 0 {
        return Ok("begun anew".into());
    }
    let much = "x".repeat(2 * KILO);
    ctx.continue_as_new(begins_anew_with_much(much)).await
}

#[tokio::test]
async fn a_payload_over_the_limit_is_an_error_where_it_is_created() -> Result<()> {
    let hub = builder(&World::default())
        .configure(|hub| hub.max_payload(4 * KILO).max_custom_status(KILO))
        .open()
        .await?;
    let said = hub.start(too_large(8 * KILO)).await?.result().await?;
    for said in &said[..3] {
        assert!(said.starts_with(FailureDetails::PAYLOAD_TOO_LARGE), "{said}");
    }
    for said in &said {
        assert!(said.contains("8194 bytes") && said.contains("TaskHub::builder().max_"), "{said}");
    }
    let refused = hub.start(echoes("x".repeat(8 * KILO))).await;
    assert!(matches!(refused, Err(StartError::InvalidInput { .. })), "{refused:?}");
    Ok(())
}

/// Fails with the type of the error.
fn is_too_large(failed: Result<String, ResultError>) {
    let Err(ResultError::Failed(failed)) = failed else { panic!("{failed:?}") };
    let types: Vec<_> = failed.details().chain().map(|it| it.error_type.as_str()).collect();
    assert!(types.contains(&FailureDetails::PAYLOAD_TOO_LARGE), "{types:?}: {failed}");
    assert!(failed.to_string().contains("max_payload"), "{failed}");
}

async fn a_result_that_is_too_large(verify: bool) -> Result<()> {
    let hub = builder(&World::default())
        .configure(|hub| hub.max_payload(KILO).verify_replay(verify))
        .open()
        .await?;
    is_too_large(hub.start(returns_much(2 * KILO)).await?.result().await);
    Ok(())
}

#[tokio::test]
async fn a_next_input_over_the_limit_fails_the_instance() -> Result<()> {
    let hub = builder(&World::default()).configure(|hub| hub.max_payload(KILO)).open().await?;
    is_too_large(hub.start(begins_anew_with_much("x".into())).await?.result().await);
    Ok(())
}

#[tokio::test]
async fn a_result_over_the_limit_fails_the_instance() -> Result<()> {
    a_result_that_is_too_large(false).await
}

#[tokio::test]
async fn a_result_over_the_limit_is_the_same_in_a_shadow_replay() -> Result<()> {
    a_result_that_is_too_large(true).await
}

#[orchestrator]
async fn hears_a_panic(ctx: &OrchestrationContext) -> Result<bool> {
    Ok(panics_always(7).await.unwrap_err().error().is_none())
}

#[tokio::test]
async fn a_panic_is_not_a_returned_error() -> Result<()> {
    on_every_hub(async |hub, _| {
        assert!(hub.start(hears_a_panic()).await?.result().await?);
        Ok(())
    })
    .await
}

#[orchestrator]
async fn nonsense_policies(ctx: &OrchestrationContext) -> Result<Vec<String>> {
    let good = || RetryPolicy::new(3, SECOND);
    let policies = [
        RetryPolicy::new(0, SECOND),
        RetryPolicy::new(3, Duration::ZERO),
        good().backoff_coefficient(f64::NAN),
        good().backoff_coefficient(-2.0),
        good().max_retry_interval(Duration::ZERO),
        good().retry_timeout(Duration::ZERO),
        good().jitter(7.0),
    ];
    let mut said = Vec::new();
    for policy in policies {
        said.push(act("a".into()).retry(policy.clone()).await.unwrap_err().to_string());
        said.push(echoes("a".into()).retry(policy).await.unwrap_err().to_string());
    }
    act("b".into()).retry(good().backoff_coefficient(f64::MAX).jitter(1.0)).await?;
    Ok(said)
}

#[tokio::test]
async fn an_invalid_retry_policy_is_an_error_and_the_orchestrator_continues() -> Result<()> {
    on_every_hub(async |hub, world| {
        let said = hub.start(nonsense_policies()).await?.result().await?;
        assert_eq!(said.len(), 14);
        for said in said {
            assert!(said.contains("the retry policy's `"), "{said}");
        }
        assert_eq!(world.lines(), ["b"]);
        Ok(())
    })
    .await
}

#[activity]
async fn always_fails(ctx: &ActivityContext) -> Result<()> {
    Err(Error::msg(format!("attempt {}", ctx.attempt())))
}

#[orchestrator]
async fn huge_intervals(ctx: &OrchestrationContext) -> Result<()> {
    let policy = RetryPolicy::new(3, Duration::MAX).backoff_coefficient(f64::MAX);
    Ok(always_fails().retry(policy).timeout(Duration::MAX).await?)
}

/// Retries its own failures forever: a child that is retried and calls itself.
#[orchestrator]
async fn cyclic_retries(ctx: &OrchestrationContext, depth: u32) -> Result<()> {
    if depth == 0 {
        return Err(Error::msg("the bottom"));
    }
    let policy = RetryPolicy::new(2, SECOND);
    Ok(cyclic_retries(depth - 1).retry(policy).await?)
}

#[tokio::test]
async fn endless_intervals_and_cyclic_retries_end_or_can_be_ended() -> Result<()> {
    on_every_hub(async |hub, _| {
        let run = hub.start(huge_intervals()).await?;
        hub.advance(1_000 * DAY).await;
        assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Running);
        run.terminate("enough").await?;
        let began = hub.now();
        let failed = hub.start(cyclic_retries(5)).await?.result().await.unwrap_err();
        assert!(failed.to_string().ends_with("the bottom"), "{failed}");
        assert!(hub.now() < began + MINUTE);
        Ok(())
    })
    .await
}

#[orchestrator]
async fn poisoned(ctx: &OrchestrationContext) -> Result<String> {
    let policy = RetryPolicy::new(3, SECOND);
    let failed = panics_always(7).retry(policy).await.unwrap_err();
    let again = panics_blocking(7).await.unwrap_err();
    assert_eq!(failed.details().error_type, FailureDetails::PANIC);
    assert_eq!(again.details().error_type, FailureDetails::PANIC);
    Ok(failed.to_string())
}

#[activity]
async fn panics_always(n: u32) -> Result<()> {
    panic!("poison {n}")
}

#[activity]
fn panics_blocking(n: u32) -> Result<()> {
    panic!("poison {n}")
}

#[orchestrator]
async fn panics_itself(ctx: &OrchestrationContext) -> Result<()> {
    let nothing = Vec::<u32>::new().into_iter().next();
    act(format!("{}", nothing.expect("something"))).await?;
    Ok(())
}

#[tokio::test]
async fn poisonous_values_fail_their_call_or_instance_and_the_hub_continues() -> Result<()> {
    on_every_hub(async |hub, _| {
        let said = hub.start(poisoned()).await?.result().await?;
        assert!(said.contains("panics_always") && said.contains("poison 7"), "{said}");
        let failed = hub.start(panics_itself()).await?.result().await.unwrap_err().to_string();
        assert!(failed.contains("something") && failed.contains("bad_input.rs"), "{failed}");
        assert_eq!(hub.start(echoes("fine".into())).await?.result().await?, "fine");
        Ok(())
    })
    .await
}

#[orchestrator]
async fn fails_loudly(ctx: &OrchestrationContext, bytes: usize) -> Result<()> {
    Err(Error::msg("\u{2603}\u{1f980}".repeat(bytes / 7)))
}

#[orchestrator]
async fn hears(ctx: &OrchestrationContext, bytes: usize) -> Result<usize> {
    let failed = fails_loudly(bytes).await.unwrap_err();
    Ok(failed.details().message.len())
}

#[tokio::test]
async fn a_long_non_ascii_error_is_kept_complete() -> Result<()> {
    on_every_hub(async |hub, _| {
        let bytes = 1024 * KILO / 7 * 7;
        let failed = hub.start(fails_loudly(bytes)).await?.result().await.unwrap_err().to_string();
        assert!(failed.ends_with("\u{2603}\u{1f980}"));
        assert_eq!(hub.start(hears(bytes)).await?.result().await?, bytes);
        Ok(())
    })
    .await
}

#[orchestrator]
async fn awaits_nothing(ctx: &OrchestrationContext) {}

#[orchestrator]
async fn calls_unknown(ctx: &OrchestrationContext) -> Result<String> {
    let failed = takes("x".into()).await.unwrap_err();
    let child = awaits_nothing().await.unwrap_err();
    Ok(format!("{failed} | {child}"))
}

#[tokio::test]
async fn unknown_names_are_refused_at_the_start_or_fail_the_call() -> Result<()> {
    let hub = durable::testing::TestHub::builder()
        .configure(|hub| hub.only_registered().register::<calls_unknown>())
        .open()
        .await?;
    let refused = hub.start(awaits_nothing()).await.unwrap_err();
    assert!(matches!(refused, StartError::NotRegistered { .. }));
    assert!(refused.to_string().contains("registered: `calls_unknown`"), "{refused}");
    let said = hub.start(calls_unknown()).await?.result().await?;
    assert!(said.contains("`takes`") && said.contains("`awaits_nothing`"), "{said}");
    assert!(said.contains("is not registered"), "{said}");
    Ok(())
}

#[tokio::test]
async fn an_orchestrator_that_awaits_nothing_has_completed_when_it_is_started() -> Result<()> {
    on_every_hub(async |hub, _| {
        let began = hub.now();
        let run = hub.start(awaits_nothing()).await?;
        // The first episode is part of the start, so nothing has to be waited for.
        let status = run.status().await?;
        assert_eq!(status.runtime_status, RuntimeStatus::Completed);
        assert_eq!(hub.now(), began);
        Ok(())
    })
    .await
}

#[orchestrator]
async fn asks_much(ctx: &OrchestrationContext, count: u32) -> Result<usize> {
    Ok(durable::try_join_all((0..count).map(|_| takes("x".into()))).await?.len())
}

#[tokio::test]
async fn the_limits_of_actions_and_events_are_named() -> Result<()> {
    let hub = builder(&World::default())
        .configure(|hub| hub.max_actions(50).max_unread_events(10))
        .open()
        .await?;
    assert_eq!(hub.start(asks_much(50)).await?.result().await?, 50);
    let failed = hub.start(asks_much(52)).await?.result().await.unwrap_err().to_string();
    assert!(failed.contains("max_actions") && failed.contains("more than 50"), "{failed}");
    let run = hub.start(three_events("n".into())).await?;
    for n in 0..10 {
        run.raise_event("unread", &n).await?;
    }
    run.raise_event("n", &1).await?;
    hub.settle().await;
    assert_eq!(run.status().await?.runtime_status, RuntimeStatus::Running);
    run.raise_event("unread", &10).await?;
    let failed = run.result().await.unwrap_err().to_string();
    assert!(failed.contains("max_unread_events") && failed.contains("more than 10"), "{failed}");
    Ok(())
}

#[tokio::test]
async fn invalid_settings_are_rejected_by_name() -> Result<()> {
    let hub = || builder(&World::default());
    let none = hub().configure(|hub| hub.activity_concurrency(0)).open().await.unwrap_err();
    assert!(none.to_string().contains("`activity_concurrency` must be at least 1"), "{none}");
    let none = hub().configure(|hub| hub.partitions(0)).open().await.unwrap_err();
    assert!(none.to_string().contains("`partitions` must be at least 1"), "{none}");
    let missing = TaskHub::builder().in_memory().open().await.unwrap_err();
    assert!(matches!(missing, OpenError::MissingState(_)), "{missing}");
    assert!(missing.to_string().contains("World"), "{missing}");
    let nowhere = TaskHub::builder().state(World::default()).open().await.unwrap_err();
    assert!(nowhere.to_string().contains("needs a store"), "{nowhere}");
    Ok(())
}

#[tokio::test]
async fn requests_for_a_missing_instance_name_it() -> Result<()> {
    on_every_hub(async |hub, _| {
        let nobody = hub.instance("nobody")?;
        let refused = [
            nobody.suspend("").await,
            nobody.resume("").await,
            nobody.terminate("").await,
            nobody.terminate_recursively("").await,
            nobody.rewind("").await,
            nobody.restart().await,
            nobody.restart_as("somebody").await.map(drop),
            nobody.purge().await,
            nobody.purge_recursively().await.map(drop),
            nobody.raise_event("name", &1).await,
            nobody.status().await.map(drop).map_err(ManageError::from),
            nobody.details().await.map(drop).map_err(ManageError::from),
            nobody.history().await.map(drop).map_err(ManageError::from),
            nobody.custom_status::<u32>().await.map(drop).map_err(ManageError::from),
            nobody.watch_custom_status::<u32>().await.map(drop).map_err(ManageError::from),
            nobody.wait_for_start().await.map_err(ManageError::from),
            nobody.wait_for_completion().await.map(drop).map_err(ManageError::from),
        ];
        for refused in refused {
            let Err(ManageError::Hub(HubError::NoSuchInstance(id))) = &refused else {
                panic!("{refused:?}");
            };
            assert_eq!(id.as_str(), "nobody");
        }
        let restarted = nobody.restart_as("a/b").await.unwrap_err();
        assert!(restarted.to_string().contains("a/b"), "{restarted}");
        let other = hub.start(echoes("e".into()).instance_id("other")).await?;
        other.result().await?;
        let wrong = hub.find_instance::<awaits_nothing>("other").await.unwrap_err();
        assert!(wrong.to_string().contains("`echoes`, not `awaits_nothing`"), "{wrong}");
        Ok(())
    })
    .await
}

#[orchestrator]
async fn acts_once(ctx: &OrchestrationContext) -> Result<String> {
    Ok(act("once".into()).await?)
}

#[tokio::test]
async fn a_test_hub_misses_state_only_where_an_activity_needs_it() -> Result<()> {
    let hub = durable::testing::TestHub::open().await?;
    assert_eq!(hub.start(echoes("no state".into())).await?.result().await?, "no state");
    let failed = hub.start(acts_once()).await?.result().await.unwrap_err().to_string();
    assert!(
        failed.contains("World") && failed.contains("TaskHub::builder().state(..)"),
        "{failed}"
    );
    Ok(())
}
