//! A store that fails in the middle: nothing that was acknowledged is lost, and who was not answered is
//! told why.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use durable::prelude::*;
use durable::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceId, InstanceRecord, PartitionId, TaskMessage,
    Timestamp,
};
use durable::store::{
    Commit, Epoch, InstanceFilter, InstancePage, MemoryStore, PartitionState, Store, StoreError,
};
use durable::{EntityError, EntityQuery, HubError, StartError};
use serde::{Deserialize, Serialize};

/// A store whose disk breaks after so many commits.
#[derive(Debug)]
struct Breaking {
    inner: MemoryStore,
    left: AtomicU64,
}

impl Store for Breaking {
    fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError> {
        self.inner.create(hub)
    }

    fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
        self.inner.claim(partition)
    }

    fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError> {
        self.inner.load(partition)
    }

    fn messages(
        &self,
        partition: PartitionId,
        to: Option<&InstanceId>,
        places: Range<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, TaskMessage)>, StoreError> {
        self.inner.messages(partition, to, places, limit)
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let one_less = |left: u64| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err() {
            return Err(StoreError::Poisoned { cause: "the disk is gone".to_owned() });
        }
        self.inner.commit(commit)
    }

    fn instance(&self, instance: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        self.inner.instance(instance)
    }

    fn history(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        self.inner.history(instance, execution, from)
    }

    fn due(
        &self,
        partition: PartitionId,
        after: Option<&(Timestamp, InstanceId)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
        self.inner.due(partition, after, until, limit)
    }

    fn instances(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError> {
        self.inner.instances(filter, after, limit)
    }
}

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
    let hub = TaskHub::builder().shared_store(store.clone()).only_registered();
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
async fn what_was_acknowledged_survives_a_store_that_fails() -> Result<()> {
    for commits in 0..60 {
        let left = AtomicU64::new(u64::MAX);
        let store = Arc::new(Breaking { inner: MemoryStore::default(), left });
        let hub = open(&store).await?;
        store.left.store(commits, Ordering::SeqCst);
        let Acknowledged { signals, calls, runs } = work(&hub).await;
        if let Err(error) = hub.shutdown().await {
            assert!(error.to_string().contains("the disk is gone"), "{error}");
        }

        store.left.store(u64::MAX, Ordering::SeqCst);
        let hub = open(&store).await?;
        for id in &runs {
            let run = hub.get_instance::<ticks_both>(id).await?.expect("it was acknowledged");
            run.result().await?;
        }
        // Of each kind one may have been done and not acknowledged.
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
        let entities = hub.query_entities(&query, None).await?.entities;
        assert!(entities.iter().all(|entity| entity.locked_by.is_none()), "{entities:?}");
        hub.shutdown().await?;
    }
    Ok(())
}
