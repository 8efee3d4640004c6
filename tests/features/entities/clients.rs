//! Entities and clients: signals, calls, queries, deletion.

use std::time::Duration;

use durable::EntityId;
use durable::client::{EntityError, EntityQuery, InstanceQuery};

use super::*;

#[tokio::test]
async fn a_client_signals_calls_and_reads_in_order() -> Result<()> {
    let hub = TestHub::open().await?;
    let tally_of = Tally::at("client");
    assert!(hub.entity_state::<Tally>("client").await?.is_none());
    for n in 0..20 {
        hub.signal_entity(tally_of.note(n)).await?;
    }
    assert_eq!(hub.call_entity(tally_of.seen()).await?, (0..20).collect::<Vec<_>>());
    hub.signal_entity_at(Duration::from_hours(1), tally_of.add(1)).await?;
    assert_eq!(tally(&hub, "client").await?, 0);
    hub.advance(Duration::from_hours(2)).await;
    assert_eq!(tally(&hub, "client").await?, 1);
    let failed = hub.call_entity(tally_of.add_and_fail(3)).await.unwrap_err();
    assert!(matches!(failed, EntityError::Failed(_)), "{failed:?}");
    assert!(failed.to_string().contains("3 is too many"), "{failed}");
    assert_eq!(tally(&hub, "client").await?, 1);
    Ok(hub.shutdown().await?)
}

#[tokio::test]
async fn invalid_entity_requests_of_a_client_are_rejected() -> Result<()> {
    let hub = TestHub::builder().configure(|hub| hub.max_payload(1000)).open().await?;
    let bad_key = hub.signal_entity(Tally::at("a#b").add(1)).await.unwrap_err();
    assert!(bad_key.to_string().contains("`/ \\ # ?`"), "{bad_key}");
    let id = EntityId::new("nobody", "x")?;
    let unknown = hub.signal_entity(id.handle().operation::<()>("add", &1)).await.unwrap_err();
    assert!(unknown.to_string().contains("entity `nobody` is not registered"), "{unknown}");
    let large = Tally::at("a").forward(&"x".repeat(2000), 1);
    let large = hub.call_entity(large).await.unwrap_err();
    assert!(large.to_string().contains("may have 1000"), "{large}");
    let id = EntityId::new("tally", "x")?;
    let jump = hub.call_entity(id.handle().operation::<()>("jump", &1)).await.unwrap_err();
    assert!(jump.to_string().contains("has no operation `jump`"), "{jump}");
    let outside = Tally::at("a").add(1).signal().unwrap_err();
    assert!(outside.to_string().contains("hub.signal_entity"), "{outside}");
    let outside = Tally::at("a").add(1).await.unwrap_err();
    assert!(outside.to_string().contains("hub.call_entity"), "{outside}");
    Ok(hub.shutdown().await?)
}

#[tokio::test]
async fn entities_are_queried_by_name_key_time_and_page() -> Result<()> {
    let hub = TestHub::open().await?;
    for n in 0..25 {
        hub.call_entity(Tally::at(format!("page-{n:02}")).add(n)).await?;
    }
    let between = hub.now() + chrono::TimeDelta::minutes(5);
    hub.advance(Duration::from_mins(10)).await;
    hub.call_entity(Tally::at("page-03").add(1)).await?;
    hub.call_entity(Tally::at("x-later").add(1)).await?;

    let query = EntityQuery::new().of::<Tally>().key_prefix("page-").page_size(10);
    assert!(hub.query(&query).await?.items.len() <= 10);
    let found = hub.stream(query).try_collect().await?;
    let keys: Vec<_> = found.iter().map(|entity| entity.entity_id.key().to_owned()).collect();
    assert_eq!(keys, (0..25).map(|n| format!("page-{n:02}")).collect::<Vec<_>>());
    assert_eq!(found[7].state_as::<Tally>()?.map(|tally| tally.value), Some(7));

    let recent = EntityQuery::new().name("TALLY").modified_from(between).leave_out_state();
    let recent = hub.query(&recent).await?.items;
    let keys: Vec<_> = recent.iter().map(|entity| entity.entity_id.key()).collect();
    assert_eq!(keys, ["page-03", "x-later"]);
    assert!(recent.iter().all(|entity| entity.state.is_none()));
    let early = EntityQuery::new().of::<Tally>().modified_to(between);
    assert_eq!(hub.query(&early).await?.items.len(), 24);
    assert_eq!(hub.count(&InstanceQuery::new()).await?, 0, "an entity is no instance");
    let refused = hub.instance("@tally@page-03").unwrap_err().to_string();
    assert!(refused.contains("reserved for entities"), "{refused}");
    Ok(hub.shutdown().await?)
}

#[tokio::test]
async fn clean_entities_finds_nothing_to_clean() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.call_entity(Tally::at("clean").add(1)).await?;
    assert_eq!(hub.clean_entities().await?, durable::client::CleanedEntities::default());
    Ok(hub.shutdown().await?)
}

#[tokio::test]
async fn signals_sent_concurrently_arrive_in_order() -> Result<()> {
    let hub = TestHub::open().await?;
    for round in 0..20 {
        let key = format!("pipelined-{round}");
        let mut sent = Vec::new();
        for n in 0..100 {
            // It is sent when it is polled first.
            let mut signal = Box::pin(hub.signal_entity(Tally::at(&key).note(n)));
            match poll_once(signal.as_mut()) {
                Some(answer) => answer?,
                None => sent.push(signal),
            }
        }
        for signal in sent {
            signal.await?;
        }
        let seen = hub.call_entity(Tally::at(&key).seen()).await?;
        assert_eq!(seen, (0..100).collect::<Vec<_>>(), "round {round}");
    }
    Ok(hub.shutdown().await?)
}

/// Polls a future once.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

/// A store reads at most this many records for a page, and scheduled signals are records, too.
#[tokio::test]
async fn entities_behind_many_scheduled_signals_are_found() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let hub = TaskHub::builder().path(folder.path()).open().await?;
    let later = |n| hub.signal_entity_at(Duration::from_hours(1), Tally::at("many").add(n));
    let mut sent = tokio::task::JoinSet::new();
    for n in 0..10_500 {
        sent.spawn(later(n));
    }
    while let Some(sent) = sent.join_next().await {
        sent??;
    }
    hub.call_entity(Tally::at("zebra").add(1)).await?;
    let found = hub.stream(EntityQuery::new()).try_collect().await?;
    let found: Vec<_> = found.iter().map(|entity| entity.entity_id.to_string()).collect();
    assert_eq!(found, ["@tally@zebra"]);
    Ok(hub.shutdown().await?)
}
