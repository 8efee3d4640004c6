//! A store that fails: nobody is told what is not durable, everybody is told why.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use durable::prelude::*;
use durable::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceId, InstanceRecord, PartitionId, TaskMessage,
    Timestamp,
};
use durable::store::{
    Commit, Epoch, InstanceFilter, InstancePage, MemoryStore, PartitionState, Store, StoreError,
};
use durable::{HubError, ResultError, StartError};

/// A store whose disk can break.
#[derive(Debug, Default)]
struct Breakable {
    inner: MemoryStore,
    broken: AtomicBool,
    /// Whether it panics when it is broken.
    panics: bool,
}

impl Store for Breakable {
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
        if self.broken.load(Ordering::SeqCst) {
            assert!(!self.panics, "the disk is on fire");
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

#[activity]
async fn breaks(disk: State<Arc<Breakable>>) -> u32 {
    disk.broken.store(true, Ordering::SeqCst);
    1
}

#[orchestrator]
async fn unlucky(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(breaks().await?)
}

#[tokio::test]
async fn when_the_store_fails_everybody_is_told_and_reopening_goes_on() -> Result<()> {
    let disk = Arc::new(Breakable::default());
    let builder = || {
        TaskHub::builder()
            .shared_store(disk.clone())
            .only_registered()
            .register::<unlucky>()
            .register::<breaks>()
            .state(Arc::clone(&disk))
    };
    let hub = builder().open().await?;
    let run = hub.start(unlucky().instance_id("unlucky")).await?;
    let result = run.result().await;
    assert!(matches!(result, Err(ResultError::Hub(HubError::Store(_)))), "{result:?}");
    let start = hub.start(unlucky()).await;
    assert!(matches!(start, Err(StartError::Hub(HubError::Store(_)))), "{start:?}");
    let said = hub.shutdown().await.unwrap_err().to_string();
    assert!(said.contains("the disk is gone"), "{said}");

    disk.broken.store(false, Ordering::SeqCst);
    let hub = builder().open().await?;
    let run = hub.get_instance::<unlucky>("unlucky").await?.expect("its start was acknowledged");
    // It broke the disk again, before its result was recorded.
    let result = run.result().await;
    assert!(matches!(result, Err(ResultError::Hub(HubError::Store(_)))), "{result:?}");
    Ok(())
}

#[tokio::test]
async fn when_the_store_panics_everybody_is_told() -> Result<()> {
    let disk = Arc::new(Breakable { panics: true, ..Breakable::default() });
    let builder = TaskHub::builder().shared_store(disk.clone()).only_registered();
    let builder = builder.register::<unlucky>().register::<breaks>().state(Arc::clone(&disk));
    let hub = builder.open().await?;
    let result = hub.start(unlucky()).await?.result().await;
    assert!(matches!(result, Err(ResultError::Hub(HubError::Store(_)))), "{result:?}");
    let said = hub.shutdown().await.unwrap_err().to_string();
    assert!(said.contains("the disk is on fire"), "{said}");
    Ok(())
}
