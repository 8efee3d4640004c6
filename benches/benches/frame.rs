//! What a commit costs without waiting for the disk: into the store in memory, which is what the
//! contract costs at least, and into the commit log as a frame that is synced later.

use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput};
use durable::Result;
use durable::protocol::{
    EventKind, ExecutionId, HistoryEvent, HubRecord, InstanceId, InstanceRecord, PartitionId,
    Timestamp,
};
use durable::store::{Commit, Durability, EpisodeWrite, Epoch, MemoryStore, SledStore, Store};

const PARTITION: PartitionId = PartitionId(0);

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let folder = tempfile::tempdir_in(".")?;
    let later = Durability::Within(Duration::from_hours(1));
    let log = SledStore::options().durability(later).open(folder.path())?;
    for size in [1, 64] {
        commit(&mut criterion, "into memory", &MemoryStore::default(), size)?;
        commit(&mut criterion, "a frame of the log", &log, size)?;
    }
    criterion.final_summary();
    Ok(())
}

/// Commits with this many episodes, each of a different instance.
fn commit(criterion: &mut Criterion, name: &str, store: &dyn Store, size: u64) -> Result<()> {
    let created_at = Timestamp::default();
    store.create(&HubRecord::new(1, created_at))?;
    let epoch = store.claim(PARTITION)?;
    let mut group = criterion.benchmark_group("commit");
    group.throughput(Throughput::Elements(size));
    group.bench_function(format!("{size}, {name}"), |bencher| {
        let make = || of_episodes(size, epoch, created_at);
        bencher.iter_batched(make, |commit| store.commit(&commit), BatchSize::SmallInput);
    });
    group.finish();
    Ok(())
}

fn of_episodes(count: u64, epoch: Epoch, at: Timestamp) -> Commit {
    let episode = |_| {
        let (id, execution) = (InstanceId::generate(), ExecutionId::generate());
        let mut record = InstanceRecord::new(id, execution, "checkout", None, at);
        let kinds = [EventKind::OrchestratorStarted, EventKind::OrchestratorCompleted];
        let events: Vec<_> = kinds.map(|kind| HistoryEvent::new(at, kind)).into();
        record.history_len = events.len() as u64;
        EpisodeWrite::new(PARTITION, record, events)
    };
    let mut commit = Commit::new(vec![(PARTITION, epoch)]);
    commit.episodes = (0..count).map(episode).collect();
    commit
}
