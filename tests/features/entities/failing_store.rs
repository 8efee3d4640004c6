//! A store that fails while operations run: nothing acknowledged is lost, and all other callers get
//! the error.

use std::sync::Arc;

use durable::client::{EntityError, EntityQuery, HubError, StartError};
use durable::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::breaking::Breaking;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Meter {
    value: u64,
}

#[entity]
impl Meter {
    fn tick(&mut self) -> u64 {
        self.value += 1;
        self.value
    }

    fn value(&self) -> u64 {
        self.value
    }

    fn pass_on(&mut self, ctx: &EntityContext) -> Result<()> {
        self.value += 1;
        ctx.signal(Self::at("sum").tick())
    }
}

#[orchestrator]
async fn ticks_both(ctx: &OrchestrationContext) -> Result<u64> {
    let mut both = ctx.lock_entities((Meter::at("left"), Meter::at("right"))).await?;
    let left = both.0.tick().await?;
    let right = both.1.tick().await?;
    assert_eq!(left, right, "nobody else comes in between");
    Ok(left)
}

async fn open(store: &Arc<Breaking>) -> Result<TaskHub> {
    let hub = TaskHub::builder().store(store.clone()).only_registered();
    Ok(hub.register_entity::<Meter>().register::<ticks_both>().open().await?)
}

/// What was acknowledged until the store failed.
#[derive(Debug, Default)]
struct Acknowledged {
    signals: u64,
    calls: u64,
    runs: Vec<String>,
}

fn is_told<E: std::fmt::Debug>(error: &EntityError<E>) {
    assert!(matches!(error, EntityError::Hub(HubError::Store(_))), "{error:?}");
}

async fn work(hub: &TaskHub) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    for n in 0..20 {
        match hub.start(ticks_both().instance_id(format!("run-{n}"))).await {
            Ok(run) => acknowledged.runs.push(run.instance_id().to_string()),
            Err(StartError::Hub(HubError::Store(_))) => break,
            Err(error) => panic!("{error}"),
        }
        match hub.signal_entity(Meter::at("relay").pass_on()).await {
            Ok(()) => acknowledged.signals += 1,
            Err(error) => {
                is_told(&error);
                break;
            }
        }
        match hub.call_entity(Meter::at("called").tick()).await {
            Ok(count) => {
                acknowledged.calls += 1;
                assert_eq!(count, acknowledged.calls);
            }
            Err(error) => {
                is_told(&error);
                break;
            }
        }
    }
    acknowledged
}

#[tokio::test]
async fn acknowledged_operations_survive_a_failing_store() -> Result<()> {
    for commits in 0..60 {
        let store = Arc::new(Breaking::new(false));
        let hub = open(&store).await?;
        store.break_after(commits);
        let Acknowledged { signals, calls, runs } = work(&hub).await;
        if let Err(error) = hub.shutdown().await {
            let said = format!("{error:?}");
            assert!(said.contains("the disk is gone"), "{said}");
        }

        store.mend();
        let hub = open(&store).await?;
        for id in &runs {
            let run = hub.find_instance::<ticks_both>(id).await?.expect("it was acknowledged");
            run.result().await?;
        }
        // One operation of each kind may have been carried out and not acknowledged.
        let value =
            async |key: &str| Ok::<_, Error>(hub.call_entity(Meter::at(key).value()).await?);
        let called = value("called").await?;
        assert!((calls..=calls + 1).contains(&called), "{called} of {calls} calls, {commits}");
        let relayed = value("relay").await?;
        assert!((signals..=signals + 1).contains(&relayed), "{relayed} of {signals}, {commits}");
        assert_eq!(value("sum").await?, relayed, "{commits}");
        let (left, right) = (value("left").await?, value("right").await?);
        assert_eq!(left, right, "{commits}");
        let ticked = runs.len() as u64;
        assert!((ticked..=ticked + 1).contains(&left), "{left} of {ticked}, {commits}");
        let query = EntityQuery::new().include_transient();
        let entities = hub.query(&query).await?.items;
        assert!(entities.iter().all(|entity| entity.locked_by.is_none()), "{entities:?}");
        hub.shutdown().await?;
    }
    Ok(())
}
