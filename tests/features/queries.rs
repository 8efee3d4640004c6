//! Queries: the instances that they find, the details of an instance, and purging by query.

use std::time::Duration;

use chrono::TimeDelta;
use durable::RuntimeStatus;
use durable::client::{InstanceQuery, PageToken};
use durable::prelude::*;
use durable::testing::TestHub;

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
