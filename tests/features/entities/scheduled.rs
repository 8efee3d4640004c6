//! Scheduled signals: queried and cancelled before they are due.

use std::collections::BTreeSet;
use std::time::Duration;

use durable::client::{EntityQuery, InstanceQuery, ScheduledSignal, ScheduledSignalQuery};
use durable::protocol::EntityId;

use super::*;

const HOUR: Duration = Duration::from_hours(1);

#[orchestrator]
async fn reminds_later(ctx: &OrchestrationContext, key: String) -> Result<()> {
    Tally::at(&key).add(5).signal_at(2 * HOUR)
}

/// All pages of a query.
async fn all(hub: &TestHub, query: &ScheduledSignalQuery) -> Result<Vec<ScheduledSignal>> {
    Ok(hub.stream(query.clone()).try_collect().await?)
}

#[tokio::test]
async fn scheduled_signals_are_queried_by_page_and_by_entity() -> Result<()> {
    let hub = TestHub::open().await?;
    for n in 1..=7 {
        hub.signal_entity_at(HOUR, Tally::at("a").add(n)).await?;
        hub.signal_entity_at(HOUR, Tally::at("ab").note(n)).await?;
    }
    hub.signal_entity(Tally::at("a").add(100)).await?;
    hub.start(reminds_later("b".into())).await?.result().await?;
    hub.settle().await;

    let every = all(&hub, &ScheduledSignalQuery::new().page_size(4)).await?;
    let ids: BTreeSet<_> = every.iter().map(|signal| signal.id.clone()).collect();
    assert_eq!((every.len(), ids.len()), (15, 15));
    let of_kind = all(&hub, &ScheduledSignalQuery::new().of::<Tally>().page_size(2)).await?;
    assert_eq!(of_kind, every);
    assert!(all(&hub, &ScheduledSignalQuery::new().name("nothing")).await?.is_empty());

    let a = EntityId::new("tally", "a")?;
    let of_a = all(&hub, &ScheduledSignalQuery::new().entity(&a)).await?;
    assert_eq!(of_a.len(), 7, "those of `ab` are not its");
    for signal in &of_a {
        assert_eq!((&signal.entity_id, &*signal.operation), (&a, "add"));
        assert_eq!(signal.due_at.to_datetime(), hub.now() + HOUR);
        assert_eq!(signal.created_at.to_datetime(), hub.now());
    }
    let inputs: BTreeSet<_> = of_a.iter().map(|signal| signal.input.as_str()).collect();
    assert_eq!(inputs, BTreeSet::from(["1", "2", "3", "4", "5", "6", "7"]));

    // They are neither entities nor instances of queries.
    assert_eq!(hub.query(&EntityQuery::new()).await?.items.len(), 1);
    assert_eq!(hub.count(&InstanceQuery::new()).await?, 1);

    hub.advance(HOUR).await;
    let left = all(&hub, &ScheduledSignalQuery::new()).await?;
    assert_eq!(left.iter().map(|signal| signal.entity_id.key()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(tally(&hub, "a").await?, 128);
    Ok(())
}

#[tokio::test]
async fn a_cancelled_signal_is_never_delivered() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.signal_entity_at(HOUR, Tally::at("c").add(1)).await?;
    hub.signal_entity_at(HOUR, Tally::at("c").add(10)).await?;
    let found = all(&hub, &ScheduledSignalQuery::new()).await?;
    let one = found.iter().find(|signal| signal.input.as_str() == "1").expect("it waits");
    assert!(hub.cancel_scheduled_signal(&one.id).await?);
    assert!(!hub.cancel_scheduled_signal(&one.id).await?, "it was cancelled before");
    assert_eq!(all(&hub, &ScheduledSignalQuery::new()).await?.len(), 1);
    hub.advance(2 * HOUR).await;
    assert_eq!(tally(&hub, "c").await?, 10);
    for signal in &found {
        assert!(!hub.cancel_scheduled_signal(&signal.id).await?, "its time has come");
    }
    let many = 20;
    for n in 0..many {
        hub.signal_entity_at(HOUR, Tally::at("c").add(1000 + n)).await?;
    }
    for signal in all(&hub, &ScheduledSignalQuery::new()).await? {
        let cancel = || hub.cancel_scheduled_signal(&signal.id);
        let (first, second) = tokio::join!(cancel(), cancel());
        assert!(first? != second?, "one of several cancels it");
    }
    hub.advance(2 * HOUR).await;
    assert_eq!(tally(&hub, "c").await?, 10);
    let no_signal = EntityId::new("tally", "c")?;
    assert!(!hub.cancel_scheduled_signal(no_signal.instance_id()).await?);
    Ok(())
}

#[tokio::test]
async fn scheduled_signals_are_found_and_cancelled_after_the_hub_is_opened_again() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.signal_entity_at(HOUR, Tally::at("d").add(1)).await?;
    hub.signal_entity_at(HOUR, Tally::at("d").add(10)).await?;
    hub.signal_entity_at(HOUR, Tally::at("d").add(100)).await?;
    let before = all(&hub, &ScheduledSignalQuery::new()).await?;
    let id = |input| before.iter().find(|it| it.input.as_str() == input).map(|it| it.id.clone());
    let hub = hub.crash().await?;
    assert_eq!(all(&hub, &ScheduledSignalQuery::new()).await?, before);
    // In the meantime, a client can keep the id as text.
    let text = id("1").expect("it waits").to_string();
    assert!(hub.cancel_scheduled_signal(&text).await?);
    let hub = hub.crash().await?;
    assert!(hub.cancel_scheduled_signal(&id("10").expect("it waits")).await?);
    let hub = hub.reopen().await?;
    assert_eq!(all(&hub, &ScheduledSignalQuery::new()).await?.len(), 1);
    hub.advance(2 * HOUR).await;
    assert_eq!(tally(&hub, "d").await?, 100);
    Ok(())
}

#[orchestrator]
async fn keeps(ctx: &OrchestrationContext, key: String) -> Result<()> {
    let tally = ctx.lock_entities(Tally::at(&key)).await?;
    ctx.create_timer(3 * HOUR).await;
    drop(tally);
    Ok(())
}

#[tokio::test]
async fn a_due_signal_that_waits_for_a_lock_is_not_cancelled() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.start(keeps("e".into())).await?;
    hub.settle().await;
    hub.signal_entity_at(HOUR, Tally::at("e").add(1)).await?;
    let found = all(&hub, &ScheduledSignalQuery::new()).await?;
    hub.advance(2 * HOUR).await;
    assert!(all(&hub, &ScheduledSignalQuery::new()).await?.is_empty());
    assert!(!hub.cancel_scheduled_signal(&found[0].id).await?);
    hub.advance(2 * HOUR).await;
    assert_eq!(tally(&hub, "e").await?, 1);
    Ok(())
}
