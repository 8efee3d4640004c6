//! Metrics: one function for each measurement, through the `metrics` facade.
//!
//! Instances are counted once their change is durable, so neither a replay nor a crash counts them
//! twice. A recorder is user code: if it panics, only that measurement is lost (`panics.rs`).
//! `docs/observability.md` lists names, labels and units. Without the feature `metrics`,
//! `no_metrics.rs` replaces this file.

use std::time::Instant;

use metrics::{Unit, counter, gauge, histogram};

use super::event::{LifecycleEvent, LifecycleKind};
use crate::hub::time::clock;
use crate::panics;
use crate::protocol::{EventKind, FailureDetails, HistoryEvent, Json, PartitionId, RuntimeStatus};
use crate::store::{Commit, InstanceFilter, Store, StoreError, Usage, chain};

/// Whether lifecycle events are needed even without subscribers.
pub(crate) const COUNTS_LIFECYCLE: bool = true;

/// Measures an elapsed time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(clock::stopwatch())
    }

    fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// Describes the metrics to the recorder.
pub(crate) fn describe() {
    panics::shield(|| {
        for (name, what) in COUNTERS {
            metrics::describe_counter!(name, Unit::Count, what);
        }
        for (name, unit, what) in GAUGES {
            metrics::describe_gauge!(name, unit, what);
        }
        for (name, unit, what) in HISTOGRAMS {
            metrics::describe_histogram!(name, unit, what);
        }
    });
}

const COUNTERS: [(&str, &str); 12] = [
    ("durable_instances_started_total", "Instances that were started"),
    ("durable_instances_completed_total", "Instances whose orchestrator returned"),
    ("durable_instances_failed_total", "Instances whose orchestrator failed"),
    ("durable_instances_terminated_total", "Instances that were ended from outside"),
    ("durable_instances_suspended_total", "Times that an instance was set aside"),
    ("durable_instances_resumed_total", "Times that a suspended instance went on"),
    ("durable_instances_continued_as_new_total", "Instances that continued as new"),
    ("durable_instances_rewound_total", "Times that a failed instance was rewound"),
    ("durable_instances_purged_total", "Instances that were removed"),
    ("durable_activities_total", "Runs of activities that have ended"),
    ("durable_entity_operations_total", "Operations of entities that were carried out"),
    ("durable_attempts_failed_total", "Failed attempts that are tried again"),
];

const GAUGES: [(&str, Unit, &str); 6] = [
    ("durable_instances_active", Unit::Count, "Instances that have not ended"),
    ("durable_resident_instances", Unit::Count, "Instances that a partition has in memory"),
    ("durable_activities_waiting", Unit::Count, "Activities that wait to be run"),
    ("durable_activities_running", Unit::Count, "Activities that are running"),
    ("durable_store_disk_bytes", Unit::Bytes, "What the store occupies on disk"),
    ("durable_store_memory_bytes", Unit::Bytes, "Memory of the store, apart from caches"),
];

const HISTOGRAMS: [(&str, Unit, &str); 9] = [
    ("durable_instance_seconds", Unit::Seconds, "From the start of an instance to its end"),
    ("durable_episode_seconds", Unit::Seconds, "How long an orchestrator takes for one episode"),
    ("durable_activity_wait_seconds", Unit::Seconds, "How long an activity waits to be run"),
    ("durable_activity_seconds", Unit::Seconds, "How long a run of an activity takes"),
    ("durable_entity_batch_seconds", Unit::Seconds, "How long a batch of operations takes"),
    ("durable_entity_batch_operations", Unit::Count, "Operations in one batch"),
    ("durable_commit_seconds", Unit::Seconds, "How long a commit takes to be durable"),
    ("durable_commit_writes", Unit::Count, "Writes of partitions in one commit"),
    ("durable_commit_events", Unit::Count, "History events in one commit"),
];

/// Initializes the gauges of a hub that is opened, by reading every record once.
pub(crate) fn opened(store: &dyn Store) -> Result<(), StoreError> {
    let unfinished = InstanceFilter {
        statuses: vec![RuntimeStatus::Pending, RuntimeStatus::Running, RuntimeStatus::Suspended],
        ..InstanceFilter::default()
    };
    let (mut active, mut after) = (0, None);
    loop {
        let page = match store.instances(&unfinished, after.as_ref(), 1024) {
            // Its partition is parked. That must not keep the others from running.
            Err(error) if error.is_unreadable() && store.cluster().is_some() => {
                let error = chain(&error);
                tell!(warn, error, "not all unfinished instances are counted: a record is damaged");
                break;
            }
            page => page?,
        };
        active += page.instances.len();
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    panics::shield(|| gauge!("durable_instances_active").increment(float(active)));
    Ok(())
}

/// A lifecycle event has become durable.
pub(crate) fn lifecycle(event: &LifecycleEvent) {
    panics::shield(|| {
        let name = match event.kind {
            LifecycleKind::Started => "durable_instances_started_total",
            LifecycleKind::Completed => "durable_instances_completed_total",
            LifecycleKind::Failed => "durable_instances_failed_total",
            LifecycleKind::Terminated => "durable_instances_terminated_total",
            LifecycleKind::Suspended => "durable_instances_suspended_total",
            LifecycleKind::Resumed => "durable_instances_resumed_total",
            LifecycleKind::ContinuedAsNew => "durable_instances_continued_as_new_total",
            LifecycleKind::Rewound => "durable_instances_rewound_total",
            LifecycleKind::Purged => "durable_instances_purged_total",
        };
        counter!(name, "name" => event.name.clone()).increment(1);
        match event.kind {
            LifecycleKind::Started | LifecycleKind::Rewound => {
                gauge!("durable_instances_active").increment(1.0);
            }
            LifecycleKind::Completed | LifecycleKind::Failed | LifecycleKind::Terminated => {
                gauge!("durable_instances_active").decrement(1.0);
            }
            LifecycleKind::Suspended
            | LifecycleKind::Resumed
            | LifecycleKind::ContinuedAsNew
            | LifecycleKind::Purged => {}
        }
        let outcome = match event.kind {
            LifecycleKind::Completed => "completed",
            LifecycleKind::Failed => "failed",
            LifecycleKind::Terminated => "terminated",
            _ => return,
        };
        let took = event.at.since(event.created_at).as_secs_f64();
        let labels = [("name", event.name.clone()), ("outcome", outcome.to_owned())];
        histogram!("durable_instance_seconds", &labels).record(took);
    });
}

/// An episode has run, whether or not it is written.
pub(crate) fn episode(name: &str, watch: Stopwatch) {
    panics::shield(|| {
        histogram!("durable_episode_seconds", "name" => name.to_owned()).record(watch.seconds());
    });
}

/// A group has been committed.
pub(crate) fn committed(commit: &Commit, writes: usize, watch: Stopwatch) {
    panics::shield(|| {
        histogram!("durable_commit_seconds").record(watch.seconds());
        histogram!("durable_commit_writes").record(float(writes));
        let events = commit.episodes.iter().map(|episode| episode.events.len()).sum();
        histogram!("durable_commit_events").record(float(events));
        for episode in &commit.episodes {
            let retried =
                |event: &&HistoryEvent| matches!(&event.kind, EventKind::TaskAttemptFailed { .. });
            // The events of a replaced history were counted when they were first written.
            let new = if episode.replaces.is_some() { &[] } else { episode.events.as_slice() };
            let failed = new.iter().filter(retried).count() as u64;
            if failed > 0 {
                let name = episode.record.name.clone();
                counter!("durable_attempts_failed_total", "name" => name).increment(failed);
            }
        }
    });
}

/// The memory and disk usage of the store.
pub(crate) fn store(store: &dyn Store) {
    panics::shield(|| {
        let Usage { disk_bytes, memory_bytes, figures } = store.usage();
        gauge!("durable_store_disk_bytes").set(bytes(disk_bytes));
        gauge!("durable_store_memory_bytes").set(bytes(memory_bytes));
        for (name, value) in figures {
            gauge!(format!("durable_store_{name}")).set(bytes(value));
        }
    });
}

/// The number of instances that a partition has in memory.
pub(crate) fn residents(partition: PartitionId, count: usize) {
    panics::shield(|| {
        let partition = partition.0.to_string();
        gauge!("durable_resident_instances", "partition" => partition).set(float(count));
    });
}

/// The number of waiting and running activities.
pub(crate) fn activities(waiting: usize, running: usize) {
    panics::shield(|| {
        gauge!("durable_activities_waiting").set(float(waiting));
        gauge!("durable_activities_running").set(float(running));
    });
}

/// An activity has begun after waiting in the queue.
pub(crate) fn activity_began(name: &str, waited: Stopwatch) {
    panics::shield(|| {
        histogram!("durable_activity_wait_seconds", "name" => name.to_owned())
            .record(waited.seconds());
    });
}

/// An attempt of an activity has ended.
pub(crate) fn activity_ended(name: &str, outcome: &'static str, ran: Stopwatch) {
    panics::shield(|| {
        counter!("durable_activities_total", "name" => name.to_owned(), "outcome" => outcome)
            .increment(1);
        histogram!("durable_activity_seconds", "name" => name.to_owned()).record(ran.seconds());
    });
}

/// A batch of entity operations has ended.
pub(crate) fn batch_ended(
    name: &str,
    outcomes: &[Option<Result<Json, FailureDetails>>],
    ran: Stopwatch,
) {
    panics::shield(|| {
        let failed = outcomes.iter().filter(|outcome| matches!(outcome, Some(Err(_)))).count();
        let completed = outcomes.iter().filter(|outcome| matches!(outcome, Some(Ok(_)))).count();
        for (outcome, count) in [("completed", completed), ("failed", failed)] {
            counter!("durable_entity_operations_total", "name" => name.to_owned(), "outcome" => outcome)
                .increment(count as u64);
        }
        histogram!("durable_entity_batch_operations").record(float(outcomes.len()));
        histogram!("durable_entity_batch_seconds", "name" => name.to_owned()).record(ran.seconds());
    });
}

#[expect(clippy::cast_precision_loss, reason = "no disk comes near 2^52 bytes")]
fn bytes(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}
