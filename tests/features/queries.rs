//! Queries: the instances that they find, the details of an instance, and purging by query.

use std::time::Duration;

use chrono::TimeDelta;
use durable::client::{InstanceQuery, PageToken};
use durable::prelude::*;
use durable::testing::TestHub;
use durable::{InstanceId, RuntimeStatus};

use super::children::tells_the_time;
use super::failures::passes_on;
use super::manage::{steps, waits_an_hour};
use super::retries::waits_longer_each_time;

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn instances_are_queried_by_name_status_time_tag_and_id() -> Result<()> {
    let hub = TestHub::open().await?;
    let began = hub.now();
    for n in 0..25 {
        let call =
            waits_an_hour().instance_id(format!("w-{n:02}")).tag("parity", (n % 2).to_string());
        hub.start(call).await?;
        hub.advance(Duration::from_secs(1)).await;
    }
    hub.start(steps("down".into()).instance_id("s")).await?.result().await.unwrap_err();
    let count = async |query: InstanceQuery| hub.count(&query.page_size(7)).await;
    assert_eq!(count(InstanceQuery::new()).await?, 26);
    assert_eq!(count(InstanceQuery::new().of::<waits_an_hour>()).await?, 25);
    assert_eq!(count(InstanceQuery::new().status(RuntimeStatus::Failed)).await?, 1);
    assert_eq!(count(InstanceQuery::new().id_prefix("w-1")).await?, 10);
    assert_eq!(count(InstanceQuery::new().tag("parity", "1")).await?, 12);
    let from = began + TimeDelta::seconds(20);
    assert_eq!(count(InstanceQuery::new().created_from(from)).await?, 6);
    assert_eq!(count(InstanceQuery::new().created_to(from)).await?, 20);

    let query = InstanceQuery::new().of::<waits_an_hour>().page_size(10);
    let mut ids = Vec::new();
    let mut next = Some(query);
    while let Some(query) = next {
        let page = hub.query(&query).await?;
        assert!(page.items.len() <= 10);
        ids.extend(page.items.into_iter().map(|it| it.instance_id.as_str().to_owned()));
        // A client may keep the token as text.
        let token = page.next.map(|token| token.to_string().parse::<PageToken>()).transpose()?;
        next = token.map(|token| query.after(token));
    }
    assert_eq!(ids, (0..25).map(|n| format!("w-{n:02}")).collect::<Vec<_>>());

    assert_eq!(hub.purge(&InstanceQuery::new()).await?, 1, "what has not ended stays");
    Ok(())
}

#[tokio::test]
async fn details_give_status_times_tags_input_and_output() -> Result<()> {
    let hub = TestHub::open().await?;
    let began = hub.now();
    let call = waits_longer_each_time().instance_id("asked").tag("team", "a");
    hub.start(call).await?.result().await?;
    let details = hub.instance("asked")?.details().await?;
    assert_eq!(details.status.name, "waits_longer_each_time");
    assert_eq!(details.status.tags["team"], "a");
    assert_eq!(details.status.created_at.to_datetime(), began);
    assert_eq!(details.status.last_updated_at.to_datetime(), began + 6 * HOUR);
    assert_eq!((details.input.as_str(), details.output.unwrap().as_str()), ("null", "5"));
    assert_eq!(details.failure, None);
    Ok(())
}

#[orchestrator]
async fn ends_after(ctx: &OrchestrationContext, hours: u32) {
    ctx.create_timer(hours * HOUR).await;
}

#[tokio::test]
async fn instances_are_queried_by_end_time() -> Result<()> {
    let hub = TestHub::open().await?;
    let began = hub.now();
    for hours in 1..=6 {
        hub.start(ends_after(hours)).await?;
    }
    hub.advance(5 * HOUR).await;
    let all = InstanceQuery::new();
    assert_eq!(hub.count(&all.clone().ended_from(began + 3 * HOUR)).await?, 3);
    assert_eq!(hub.count(&all.clone().ended_to(began + 3 * HOUR)).await?, 2);
    assert_eq!(hub.count(&all.ended_from(began).ended_to(began + 9 * HOUR)).await?, 5);
    Ok(())
}

#[tokio::test]
async fn purge_removes_the_instances_that_a_query_finds() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.start(tells_the_time()).await?.result().await?;
    hub.start(passes_on()).await?.result().await.unwrap_err();
    hub.advance(HOUR).await;
    let (late, failed) = (hub.now(), InstanceQuery::new().status(RuntimeStatus::Failed));
    hub.start(passes_on()).await?.result().await.unwrap_err();
    assert_eq!(hub.purge(&failed.clone().created_to(late)).await?, 1);
    assert_eq!(hub.count(&failed).await?, 1);
    assert_eq!(hub.count(&InstanceQuery::new()).await?, 2);
    Ok(())
}

#[orchestrator]
async fn counts_hours(ctx: &OrchestrationContext, hours: u32) -> Result<u32> {
    for _ in 0..hours {
        ctx.create_timer(HOUR).await;
    }
    Ok(hours)
}

#[tokio::test]
async fn a_query_with_values_returns_what_details_returns() -> Result<()> {
    let hub = TestHub::open().await?;
    // Short and long histories that end in every way, and one that runs.
    hub.start(counts_hours(1).instance_id("a short")).await?;
    hub.start(counts_hours(30).instance_id("b long")).await?;
    hub.start(counts_hours(300).instance_id("c terminated")).await?;
    hub.start(counts_hours(9000).instance_id("d runs")).await?;
    hub.start(passes_on().instance_id("e failed")).await?.result().await.unwrap_err();
    hub.advance(40 * HOUR).await;
    hub.instance("c terminated")?.terminate("no longer needed").await?;

    let query = InstanceQuery::new().with_values().page_size(2);
    let found = hub.stream(query).try_collect().await?;
    assert_eq!(found.len(), 5);
    for found in &found {
        let id = &found.status.instance_id;
        assert_eq!(*found, hub.instance(id)?.details().await?, "{id}");
    }
    let [short, long, terminated, runs, failed] = &found[..] else { unreachable!() };
    assert_eq!((short.input_as::<u32>()?, short.output_as::<u32>()?), (1, Some(1)));
    assert_eq!((long.input_as::<u32>()?, long.output_as::<u32>()?), (30, Some(30)));
    assert!(long.status.history_len > 100, "only its ends are read");
    assert_eq!(terminated.termination_reason.as_deref(), Some("no longer needed"));
    assert_eq!((runs.input_as::<u32>()?, &runs.output, &runs.failure), (9000, &None, &None));
    assert!(failed.failure.is_some() && failed.output.is_none());
    Ok(())
}

#[orchestrator]
async fn repeats(ctx: &OrchestrationContext, text: String, times: usize) -> String {
    text.repeat(times)
}

#[tokio::test]
async fn a_page_with_values_ends_early_if_they_are_large() -> Result<()> {
    let hub = TestHub::open().await?;
    for id in ["a", "b", "c", "d", "e"] {
        let call = repeats("x".repeat(1000), 900).instance_id(id);
        hub.start(call).await?.result().await?;
    }
    let query = InstanceQuery::new().with_values();
    let page = hub.query(&query).await?;
    assert_eq!(page.items.len(), 5, "900 kB each are less than 4 MiB by the fourth");
    for id in ["f", "g"] {
        let call = repeats("x".repeat(1000), 900).instance_id(id);
        hub.start(call).await?.result().await?;
    }
    let page = hub.query(&query).await?;
    assert_eq!(page.items.len(), 5);
    let rest = hub.query(&query.after(page.next.expect("there are two more"))).await?;
    assert_eq!((rest.items.len(), rest.next), (2, None));
    Ok(())
}

#[tokio::test]
async fn a_query_with_values_reads_the_current_execution() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.start(begins_anew(1).instance_id("anew")).await?.result().await?;
    let page = hub.query(&InstanceQuery::new().with_values()).await?;
    let anew = &page.items[0];
    assert_eq!((anew.input_as::<u32>()?, anew.output_as::<u32>()?), (3, Some(3)));
    Ok(())
}

#[orchestrator]
async fn begins_anew(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    if n == 3 { Ok(n) } else { ctx.continue_as_new(begins_anew(n + 1)).await }
}

#[tokio::test]
async fn a_page_reads_no_more_instances_than_the_query_allows() -> Result<()> {
    let hub = TestHub::open().await?;
    for n in 0..25 {
        hub.start(waits_an_hour().instance_id(format!("w-{n:02}"))).await?;
    }
    hub.start(counts_hours(0).instance_id("x")).await?.result().await?;
    let rare = InstanceQuery::new().of::<counts_hours>().max_scanned(10);
    let page = hub.query(&rare).await?;
    assert_eq!((page.items.len(), page.scanned), (0, 10), "it stops before it has found any");
    let next = page.next.expect("the search goes on");
    assert_eq!(next.to_string(), "w-09");
    let last = hub.query(&rare.clone().after(next.to_string().parse::<PageToken>()?)).await?;
    assert_eq!((last.items.len(), last.scanned), (0, 10));
    let found = hub.stream(rare.clone().with_values()).try_collect().await?;
    assert_eq!(found.len(), 1, "a stream reads all pages");
    assert_eq!(hub.count(&rare).await?, 1, "a count reads all instances");
    Ok(())
}

#[tokio::test]
async fn instances_are_counted_by_status_and_name_at_once() -> Result<()> {
    let hub = TestHub::open().await?;
    for n in 0..25 {
        hub.start(waits_an_hour().instance_id(format!("w-{n:02}"))).await?;
    }
    hub.start(passes_on().instance_id("p")).await?.result().await.unwrap_err();
    hub.settle().await;
    let all = InstanceQuery::new();
    let counts = hub.counts(&all).await?;
    assert_eq!((counts.total, counts.scanned, counts.next), (26, 26, None));
    assert_eq!(counts.by_status[&RuntimeStatus::Failed], 1);
    assert_eq!(counts.by_status[&RuntimeStatus::Running], 25);
    let names: Vec<_> =
        counts.by_name.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(names, [("passes_on", 1), ("waits_an_hour", 25)]);

    let some = hub.counts(&all.clone().max_scanned(20)).await?;
    assert_eq!((some.total, some.scanned), (20, 20));
    let rest = hub.counts(&all.after(some.next.expect("there are more"))).await?;
    assert_eq!((rest.total, rest.next), (6, None));
    Ok(())
}

#[tokio::test]
async fn the_newest_or_the_oldest_instances_come_first() -> Result<()> {
    let hub = TestHub::open().await?;
    for id in ["c", "a", "d", "b"] {
        hub.start(waits_an_hour().instance_id(id)).await?;
        hub.advance(Duration::from_secs(1)).await;
    }
    let ids = async |query: InstanceQuery| -> Result<String> {
        let found = hub.stream(query.page_size(3)).try_collect().await?;
        Ok(found.iter().map(|it| it.instance_id.as_str()).collect())
    };
    let newest = InstanceQuery::new().newest_first();
    assert_eq!(ids(newest.clone()).await?, "bdac");
    assert_eq!(ids(InstanceQuery::new().oldest_first()).await?, "cadb");
    assert_eq!(ids(InstanceQuery::new()).await?, "abcd");

    let page = hub.query(&newest.clone().page_size(2)).await?;
    let next = page.next.expect("there are more").to_string();
    hub.start(waits_an_hour().instance_id("e")).await?;
    hub.instance("d")?.terminate("no longer needed").await?;
    hub.settle().await;
    hub.instance("d")?.purge().await?;
    let token: PageToken = next.parse()?;
    assert_eq!(ids(newest.clone().after(token)).await?, "ac", "the position of `d` remains");
    assert_eq!(ids(newest.clone().after(InstanceId::new("a")?)).await?, "c");
    assert_eq!(ids(newest.clone().after(InstanceId::new("d")?)).await?, "", "it was purged");
    let values = hub.stream(newest.with_values().page_size(2)).try_collect().await?;
    let values: String = values.iter().map(|it| it.status.instance_id.as_str()).collect();
    assert_eq!(values, "ebac");
    Ok(())
}

#[tokio::test]
async fn failed_instances_are_found_by_the_text_and_the_type_of_their_failure() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.start(passes_on().instance_id("p")).await?.result().await.unwrap_err();
    hub.start(waits_an_hour().instance_id("w")).await?;
    let failure = hub.instance("p")?.details().await?.failure.expect("it has failed");
    let cause = failure.chain().last().expect("the first is the failure itself");
    let ids = async |query: InstanceQuery| -> Result<String> {
        let found = hub.stream(query).try_collect().await?;
        Ok(found.iter().map(|it| it.instance_id.as_str()).collect())
    };
    let all = InstanceQuery::new;
    assert_eq!(ids(all().failure_contains(&*cause.message)).await?, "p");
    assert_eq!(ids(all().failure_contains("no such text")).await?, "");
    assert_eq!(ids(all().failure_type(&*failure.error_type).newest_first()).await?, "p");
    assert_eq!(ids(all().failure_type("no::Such")).await?, "");
    let running = all().status(RuntimeStatus::Running).failure_contains("");
    assert_eq!(ids(running).await?, "", "it has not failed");
    assert_eq!(hub.counts(&all().failure_contains("")).await?.total, 1);
    Ok(())
}
