//! Microsoft's sample applications: custom status, devices, sagas, orders, bounded concurrency, and
//! cron with timers.

use chrono::{DateTime, Timelike, Utc};
use durable::prelude::*;
use durable::protocol::TraceContext;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::common::{HOUR, MINUTE, SECOND, World, act, act_if, on_every_hub, on_unverified_hubs};

#[orchestrator]
async fn city_recommender(ctx: &OrchestrationContext, choice: u8) -> Result<String> {
    let (cities, seasons) = match choice {
        1 => (vec!["Tokyo", "Seattle"], vec!["Spring", "Summer"]),
        2 => (vec!["Seattle", "London"], vec!["Summer"]),
        _ => (vec![], vec![]),
    };
    ctx.set_custom_status(&json!({"recommendedCities": cities, "recommendedSeasons": seasons}))?;
    let chosen = ctx.wait_for_external_event::<String>("Choice").await?;
    Ok(format!("ticket to {chosen}"))
}

#[orchestrator]
async fn discount_decider(ctx: &OrchestrationContext, customer: String) -> Result<bool> {
    ctx.set_custom_status(&json!({"message": format!("30% for {customer}"), "discount": 30}))?;
    let deadline = ctx.create_timer(HOUR);
    let clicked = ctx.wait_for_external_event::<bool>("Clicked");
    let yes = match durable::race((clicked, deadline)).await {
        durable::task::Race2::First(clicked) => clicked?,
        durable::task::Race2::Second(()) => false,
    };
    ctx.clear_custom_status();
    Ok(yes)
}

#[tokio::test]
async fn a_custom_status_offers_what_an_event_then_chooses() -> Result<()> {
    on_every_hub(async |hub, _| {
        let run = hub.start(city_recommender(2)).await?;
        hub.settle().await;
        let offered = run.custom_status::<Value>().await?.unwrap();
        assert_eq!(offered["recommendedCities"], json!(["Seattle", "London"]));
        run.raise_event("Choice", &offered["recommendedCities"][1]).await?;
        assert_eq!(run.result().await?, "ticket to London");

        let run = hub.start(discount_decider("me".into())).await?;
        hub.settle().await;
        assert_eq!(run.custom_status::<Value>().await?.unwrap()["discount"], 30);
        assert!(!run.result().await?);
        assert_eq!(run.custom_status::<Value>().await?, None);
        Ok(())
    })
    .await
}

#[orchestrator]
async fn get_course_recommendations(
    ctx: &OrchestrationContext,
    major: String,
    university_year: u8,
) -> Result<Vec<String>> {
    Ok((1..=university_year).map(|year| format!("{major} {year}")).collect())
}

#[tokio::test]
async fn course_recommendations_take_several_inputs() -> Result<()> {
    on_every_hub(async |hub, _| {
        let run = hub.start(get_course_recommendations("Maths".into(), 2)).await?;
        assert_eq!(run.result().await?, ["Maths 1", "Maths 2"]);
        assert_eq!(run.details().await?.input.as_str(), r#"["Maths",2]"#);
        Ok(())
    })
    .await
}

#[orchestrator]
async fn device_provisioning(ctx: &OrchestrationContext, device: String) -> Result<String> {
    let key = act(format!("key of {device}")).await?;
    act(format!("mail {key}")).await?;
    ctx.wait_for_external_event::<()>("DeviceConnectionAck").await?;
    Ok(device)
}

#[orchestrator]
async fn provision_new_devices(ctx: &OrchestrationContext, count: u32) -> Result<Vec<String>> {
    let devices = (0..count).map(|n| {
        let device = format!("device-{n}");
        device_provisioning(device.clone()).instance_id(device)
    });
    Ok(durable::try_join_all(devices).await?)
}

#[tokio::test]
async fn devices_are_provisioned_by_children_that_wait_for_each() -> Result<()> {
    on_every_hub(async |hub, world| {
        let run = hub.start(provision_new_devices(5)).await?;
        hub.settle().await;
        for n in (0..5).rev() {
            let device = hub.instance(format!("device-{n}"))?;
            device.raise_event("DeviceConnectionAck", &()).await?;
        }
        assert_eq!(run.result().await?.len(), 5);
        assert_eq!(world.count("mail"), 5);
        Ok(())
    })
    .await
}

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
enum HttpError {
    #[error("HTTP status {0}")]
    Status(u16),
}

#[activity(name = "http_get")]
async fn http_get_site(url: String) -> Result<String, HttpError> {
    if url.ends_with("down") { Err(HttpError::Status(503)) } else { Ok("<html>".into()) }
}

#[orchestrator]
async fn check_site_available(ctx: &OrchestrationContext, url: String) -> Result<bool> {
    match http_get_site(url).await {
        Ok(_) => Ok(true),
        Err(failed) if matches!(failed.error(), Some(HttpError::Status(500..))) => Ok(false),
        Err(failed) => Err(failed.into()),
    }
}

#[tokio::test]
async fn a_site_is_checked_by_an_activity_with_an_error_of_its_own() -> Result<()> {
    on_every_hub(async |hub, _| {
        assert!(hub.start(check_site_available("http://up".into())).await?.result().await?);
        assert!(!hub.start(check_site_available("http://down".into())).await?.result().await?);
        Ok(())
    })
    .await
}

#[orchestrator]
async fn saga(ctx: &OrchestrationContext) -> Result<Vec<String>> {
    let mut undo = Vec::new();
    for (step, needs) in [("flight", "open"), ("hotel", "open"), ("car", "car")] {
        match act_if(needs.into(), format!("book {step}")).await {
            Ok(_) => undo.push(step),
            Err(_) => break,
        }
    }
    let mut undone = Vec::new();
    if undo.len() < 3 {
        for step in undo.into_iter().rev() {
            undone.push(act(format!("cancel {step}")).await?);
        }
    }
    Ok(undone)
}

#[tokio::test]
async fn a_saga_undoes_its_steps_in_reverse() -> Result<()> {
    on_every_hub(async |hub, world| {
        world.set("open");
        let run = hub.start(saga()).await?;
        assert_eq!(run.result().await?, ["cancel hotel", "cancel flight"]);
        world.set("car");
        assert_eq!(hub.start(saga()).await?.result().await?, Vec::<String>::new());
        Ok(())
    })
    .await
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
enum OrderError {
    #[error("only {left} of {item} left")]
    SoldOut { item: String, left: u32 },
}

#[activity]
async fn reserve_inventory(item: String, count: u32) -> Result<(), OrderError> {
    if count > 5 { Err(OrderError::SoldOut { item, left: 5 }) } else { Ok(()) }
}

#[activity(retry(
    max_number_of_attempts = 3,
    first_retry_interval = "5s",
    backoff_coefficient = 2.0
))]
async fn process_payment(ctx: &ActivityContext, cents: u32) -> Result<u32> {
    if ctx.attempt() < 3 { Err(Error::msg("gateway timeout")) } else { Ok(cents) }
}

#[orchestrator]
async fn order_processor(ctx: &OrchestrationContext, item: String, count: u32) -> Result<String> {
    act(format!("received {item}")).await?;
    if let Err(failed) = reserve_inventory(item.clone(), count).await {
        let why = failed.into_error().map_or_else(|| "crashed".into(), |error| error.to_string());
        act(format!("sorry: {why}")).await?;
        return Ok(why);
    }
    let paid = process_payment(count * 100).await?;
    act(format!("paid {paid}")).await?;
    Ok("done".into())
}

#[tokio::test]
async fn an_order_is_paid_in_the_third_attempt_or_sold_out() -> Result<()> {
    on_every_hub(async |hub, _| {
        let began = hub.now();
        let run = hub.start(order_processor("cup".into(), 2)).await?;
        assert_eq!(run.result().await?, "done");
        assert_eq!(hub.now(), began + 15 * SECOND);
        let run = hub.start(order_processor("cup".into(), 6)).await?;
        assert_eq!(run.result().await?, "only 5 of cup left");
        Ok(())
    })
    .await
}

#[activity]
async fn bounded_work(world: State<World>, n: u32) -> u32 {
    world.enter("work");
    tokio::task::yield_now().await;
    world.leave("work");
    n
}

#[orchestrator]
async fn bounded_coordinator(ctx: &OrchestrationContext, items: u32, most: usize) -> Result<u32> {
    let work = (0..items).map(bounded_work);
    Ok(durable::try_join_all(work).at_most(most).await?.into_iter().sum())
}

#[tokio::test]
async fn a_bounded_coordinator_has_no_more_than_four_at_once() -> Result<()> {
    on_every_hub(async |hub, world| {
        let run = hub.start(bounded_coordinator(40, 4)).await?;
        assert_eq!(run.result().await?, (0..40).sum::<u32>());
        assert!((1..=4).contains(&world.most("work")), "{}", world.most("work"));
        Ok(())
    })
    .await
}

#[activity]
async fn bad_task() -> Result<()> {
    panic!("bad task")
}

#[orchestrator]
async fn error_handling(ctx: &OrchestrationContext) -> Result<String> {
    act("good task".into()).await?;
    let Err(failed) = bad_task().await else { return Ok("no error".into()) };
    act("clean up".into()).await?;
    Ok(format!("compensated: {failed}"))
}

#[tokio::test]
async fn error_handling_cleans_up_after_a_task_that_panics() -> Result<()> {
    on_every_hub(async |hub, world| {
        let said = hub.start(error_handling()).await?.result().await?;
        assert!(said.contains("activity `bad_task` failed") && said.contains("bad task"), "{said}");
        assert_eq!(world.lines(), ["good task", "clean up"]);
        Ok(())
    })
    .await
}

/// Lists within lists are children.
#[orchestrator]
async fn sum_of_squares(ctx: &OrchestrationContext, items: Vec<Value>) -> Result<i64> {
    let (mut numbers, mut lists) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Value::Array(list) => lists.push(sum_of_squares(list)),
            other => numbers.push(square_of(other.as_i64().unwrap_or(0))),
        }
    }
    let (numbers, lists) =
        durable::try_join((durable::try_join_all(numbers), durable::try_join_all(lists))).await?;
    Ok(numbers.into_iter().chain(lists).sum())
}

#[activity]
fn square_of(n: i64) -> i64 {
    n * n
}

#[orchestrator]
async fn average_calculator(ctx: &OrchestrationContext, numbers: Vec<i64>) -> Result<f64> {
    let chunks = numbers.chunks(10).map(|chunk| compute_sum(chunk.to_vec()));
    let sums = durable::try_join_all(chunks).await?;
    #[allow(clippy::cast_precision_loss)]
    Ok(sums.into_iter().sum::<i64>() as f64 / numbers.len() as f64)
}

#[activity]
async fn compute_sum(numbers: Vec<i64>) -> i64 {
    numbers.iter().sum()
}

#[tokio::test]
async fn sums_of_squares_and_averages_are_computed() -> Result<()> {
    on_every_hub(async |hub, _| {
        let Value::Array(nested) = json!([1, [2, [3], 4], [[5]], []]) else { unreachable!() };
        assert_eq!(hub.start(sum_of_squares(nested)).await?.result().await?, 55);
        let average = hub.start(average_calculator((1..=100).collect())).await?.result().await?;
        assert!((average - 50.5).abs() < f64::EPSILON);
        Ok(())
    })
    .await
}

/// The next full quarter of an hour.
#[durable::deterministic]
fn next_quarter(now: DateTime<Utc>) -> DateTime<Utc> {
    let past = i64::from(now.minute() % 15 * 60 + now.second());
    now + chrono::TimeDelta::seconds(15 * 60 - past)
}

#[orchestrator]
async fn cron_by_hand(ctx: &OrchestrationContext, left: u32) -> Result<()> {
    ctx.create_timer(next_quarter(ctx.current_utc_datetime())).await;
    ctx.start(cron_job(ctx.current_utc_datetime()))?;
    if left == 1 {
        return Ok(());
    }
    ctx.continue_as_new(cron_by_hand(left - 1)).await
}

#[orchestrator]
async fn cron_job(ctx: &OrchestrationContext, due: DateTime<Utc>) -> Result<()> {
    act(format!("job at {}", due.format("%H:%M:%S"))).await?;
    Ok(())
}

#[tokio::test]
async fn cron_starts_a_job_each_quarter_of_an_hour() -> Result<()> {
    on_unverified_hubs(async |hub, world| {
        hub.advance(7 * MINUTE).await;
        hub.start(cron_by_hand(3)).await?.result().await?;
        hub.settle().await;
        assert_eq!(world.lines(), ["job at 00:15:00", "job at 00:30:00", "job at 00:45:00"]);
        Ok(())
    })
    .await
}

/// Grants up to `free` permits at a time. A message is the id of a requester, or empty for a permit that is
/// returned.
#[orchestrator]
async fn semaphore(ctx: &OrchestrationContext, free: u32, waiting: Vec<String>) -> Result<()> {
    let (mut free, mut waiting) = (free, waiting);
    match ctx.wait_for_external_event::<Option<String>>("message").await? {
        Some(who) => waiting.push(who),
        None => free += 1,
    }
    if free > 0 && !waiting.is_empty() {
        ctx.send_event(waiting.remove(0), "granted", &())?;
        free -= 1;
    }
    ctx.continue_as_new(semaphore(free, waiting)).await
}

#[orchestrator]
async fn semaphore_user(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    ctx.send_event("semaphore", "message", &Some(ctx.instance_id()))?;
    ctx.wait_for_external_event::<()>("granted").await?;
    let n = bounded_work(n).await?;
    ctx.create_timer(MINUTE).await;
    ctx.send_event("semaphore", "message", &None::<String>)?;
    Ok(n)
}

#[tokio::test]
async fn a_semaphore_of_events_lets_three_in_at_once() -> Result<()> {
    on_every_hub(async |hub, world| {
        let began = hub.now();
        hub.start(semaphore(3, Vec::new()).instance_id("semaphore")).await?;
        let mut users = Vec::new();
        for n in 0..12 {
            users.push(hub.start(semaphore_user(n)).await?);
        }
        for (n, user) in (0..).zip(users) {
            assert_eq!(user.result().await?, n);
        }
        assert_eq!(hub.now(), began + 4 * MINUTE, "twelve, three at once, a minute each");
        assert!(world.most("work") <= 3);
        Ok(())
    })
    .await
}

#[activity]
async fn traced(ctx: &ActivityContext) -> Option<String> {
    ctx.trace_context().map(|trace| trace.traceparent().to_owned())
}

#[orchestrator]
async fn correlated_child(ctx: &OrchestrationContext) -> Result<Option<String>> {
    Ok(traced().await?)
}

#[orchestrator]
async fn correlated(ctx: &OrchestrationContext) -> Result<Option<String>> {
    Ok(correlated_child().await?)
}

#[tokio::test]
async fn correlation_goes_down_to_the_activities_of_children() -> Result<()> {
    on_every_hub(async |hub, _| {
        let id = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = TraceContext::parse(id)?;
        let run = hub.start(correlated().trace_context(context)).await?;
        assert!(run.result().await?.unwrap().contains("0af7651916cd43dd8448eb211c80319c"));
        Ok(())
    })
    .await
}
