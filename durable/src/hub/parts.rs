//! The parts of a hub: they claim partitions, and start what runs them.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::commit::committer::Committer;
use super::commit::times::CommitTimes;
use super::commit::waiting::Writes;
use super::health::Health;
use super::mail::Delivery;
use super::mailboxes::Mailboxes;
use super::nodes::inbox::Inbox;
use super::nodes::node::Nodes;
use super::nodes::parking::Parking;
use super::nodes::supervisor::Supervisor;
use super::nodes::thread as of_nodes;
use super::open_error::OpenError;
use super::ownership::Ownership;
use super::partition::Partition;
use super::partition::cache::Capacity;
use super::partition::core::Environment;
use super::partition::outbox::{Outbox, Outlet};
use super::partition::reader::Reader;
use super::partition::thread::{Driver, ThreadOutlet, run_partition};
use super::recovery::held::HeldBack;
use super::recovery::note::{self, Begun};
use super::recovery::probation::Probation;
use super::recovery::takeover::{OfAttempts, Takeovers};
use super::settings::Settings;
use super::telemetry::lifecycle::Lifecycle;
use super::telemetry::lines::{self, Kept};
use super::threads::{StoreThreads, Threads};
use super::time::clock::Clock;
use super::time::timer::Timer;
use super::time::virtual_time::VirtualTime;
use super::work::activities::Activities;
use super::work::batches::Batches;
use crate::protocol::PartitionId;
use crate::registry::Registry;
use crate::store::{Node, PartitionState, Store, chain};

/// The threads of a hub, the threads that use the store for clients, and what a custom start
/// returned.
pub(crate) type Started<T> = Result<(Threads, StoreThreads, T), OpenError>;

/// The partitions of a hub, claimed but not running.
pub(crate) struct Claimed {
    pub(crate) committer: Arc<Committer>,
    pub(crate) partitions: Vec<ClaimedPartition>,
    /// What is held back; `None` in virtual time, where no process can end.
    recovery: Option<Begun>,
    /// What is counted when this process takes partitions over, if processes share the hub.
    takeovers: Option<Arc<Takeovers>>,
}

/// A partition: its ownership, its mail, and what is found in the store.
type ClaimedPartition = (Arc<Ownership>, Receiver<Delivery>, PartitionState);

/// The state that the threads of a hub share.
#[derive(Clone)]
pub(crate) struct Parts {
    /// The other processes of the hub, and what they know of this one.
    pub(super) nodes: Option<(Arc<Nodes>, Node)>,
    pub(super) registry: Arc<Registry>,
    pub(super) store: Arc<dyn Store>,
    pub(super) mailboxes: Mailboxes,
    pub(super) activities: Arc<Activities>,
    pub(crate) batches: Arc<Batches>,
    pub(crate) health: Arc<Health>,
    pub(super) lifecycle: Arc<Lifecycle>,
    pub(super) live: Capacity,
    pub(super) settings: Settings,
    pub(super) time: Option<Arc<VirtualTime>>,
    pub(super) clock: Clock,
    pub(super) held: Arc<HeldBack>,
    pub(super) commit_times: Arc<CommitTimes>,
}

impl Parts {
    /// Claims all partitions. Returns the notes of attempts, too, if they are kept.
    pub(super) fn claim(&self, count: u16) -> Result<(Claimed, OfAttempts), OpenError> {
        let mut claimed = Vec::new();
        // If processes share the hub, the supervisor claims partitions.
        let count = if self.nodes.is_some() { 0 } else { count };
        for id in (0..count).map(PartitionId) {
            let epoch = self.store.claim(id)?;
            let found = self.store.load(id)?;
            let (owner, mail) = Ownership::new(id, epoch);
            self.mailboxes.open(&owner);
            claimed.push((owner, mail, found));
        }
        let recovery = self.begin_recovery(&claimed);
        let committer = Arc::new(Committer {
            writes: Writes::new(self.settings.sizes.commit),
            store: Arc::clone(&self.store),
            is_shared: self.nodes.is_some(),
            activities: Arc::clone(&self.activities),
            mailboxes: self.mailboxes.clone(),
            health: Arc::clone(&self.health),
            lifecycle: Arc::clone(&self.lifecycle),
            times: Arc::clone(&self.commit_times),
        });
        let notes = recovery.as_ref().map(|begun| Arc::clone(&begun.notes));
        let is_shared = self.nodes.is_some() && self.time.is_none();
        let takeovers = is_shared.then(|| {
            let around = (self.mailboxes.clone(), Arc::clone(&self.health));
            Takeovers::new(Arc::clone(&self.held), around, self.clock.clone())
        });
        let of_attempts = (notes, takeovers.clone());
        Ok((Claimed { committer, partitions: claimed, recovery, takeovers }, of_attempts))
    }

    /// Decides what must not run. A store that fails here fails the hub at its next use.
    fn begin_recovery(&self, claimed: &[ClaimedPartition]) -> Option<Begun> {
        if self.time.is_some() || self.nodes.is_some() {
            return None;
        }
        let found = claimed.iter().map(|(owner, _, state)| (owner.partition, owner.epoch, state));
        let found: Vec<_> = found.collect();
        match note::begin(&*self.store, &found, self.clock.now(), &self.held) {
            Ok(begun) => {
                lines::recovering(begun.suspects.len());
                Some(begun)
            }
            Err(error) => {
                let error = chain(&error);
                tell!(
                    warn,
                    error,
                    "attempts of instances that may crash the process are not counted"
                );
                None
            }
        }
    }

    /// Starts the threads of the partitions and the committer's. The opening is logged once no step
    /// can fail, before the threads begin their work.
    pub(super) fn start(&self, claimed: Claimed, kept: &Kept) -> Started<()> {
        let Claimed { committer, partitions, recovery, takeovers } = claimed;
        let count = partitions.len();
        let threads = Threads::new(Arc::clone(&self.health));
        let drive = self.activities.drive.clone();
        let for_clients = StoreThreads::new(&threads, &drive);
        let start = || {
            for claimed in partitions {
                self.start_partition(&threads, &committer, None, claimed, || ())?;
            }
            let supervisor = self
                .nodes
                .as_ref()
                .map(|(nodes, node)| (self.of_node(&threads, &committer, nodes, takeovers), node));
            threads.start("durable-commit", move || committer.run())?;
            if let Timer::Thread(alarms) = &self.activities.timer {
                let alarms = Arc::clone(alarms);
                threads.start("durable-timer", move || alarms.run())?;
            }
            if let Some(probation) = recovery.and_then(|begun| self.probation(begun)) {
                threads.start("durable-recovery", move || probation.run())?;
            }
            for_clients.start(self.nodes.is_some())?;
            Ok(supervisor)
        };
        let start = || {
            if let Some(((mut supervisor, mut inbox), node)) = start().map_err(OpenError::Thread)? {
                supervisor.begin(node)?;
                inbox.turn(Duration::ZERO);
                of_nodes::spawn(supervisor, inbox, &threads).map_err(OpenError::Thread)?;
            }
            Ok(())
        };
        match start() {
            Ok(()) => {
                lines::opened(kept, count, &*self.store, &self.registry);
                threads.begin();
                Ok((threads, for_clients, ()))
            }
            // No thread has begun its work, and all of them end.
            Err(refused) => {
                threads.give_up();
                Err(refused)
            }
        }
    }

    /// Starts the thread of a partition, which calls `at_end` when it has handed everything over.
    fn start_partition(
        &self,
        threads: &Threads,
        committer: &Arc<Committer>,
        takeovers: Option<Arc<Takeovers>>,
        (owner, mail, found): ClaimedPartition,
        at_end: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        let id = owner.partition;
        let (committer, batches) = (Arc::clone(committer), Arc::clone(&self.batches));
        let outlet = ThreadOutlet::new(committer, batches, Arc::clone(&owner));
        let make = self.partition(&owner, outlet);
        let (clock, time) = (self.clock.clone(), self.time.clone());
        let spins = self.nodes.is_none();
        let driver = Driver { partition: id, clock, spins, time };
        let opening = self.mailboxes.busy();
        let (store, of_takeover) = (Arc::clone(&self.store), threads.clone());
        let run = move || {
            if let Some(takeovers) = takeovers {
                takeovers.begin(&store, &owner, &found, &of_takeover);
            }
            run_partition(make(), &driver, &mail, found, opening);
            at_end();
        };
        threads.start(format!("durable-{id}"), run)
    }

    /// What starts and stops partitions if other processes share the hub.
    fn of_node(
        &self,
        threads: &Threads,
        committer: &Arc<Committer>,
        nodes: &Arc<Nodes>,
        takeovers: Option<Arc<Takeovers>>,
    ) -> (Supervisor, Inbox) {
        let (parts, threads, of_partitions) =
            (self.clone(), threads.clone(), Arc::clone(committer));
        let of_start = takeovers.clone();
        let start = move |gained, at_end| {
            parts.start_partition(&threads, &of_partitions, of_start.clone(), gained, at_end)
        };
        let (of_inbox, writer) = (Arc::clone(committer), Arc::clone(committer));
        let inbox = Inbox::new(Arc::clone(nodes), of_inbox, writer, Box::new(start));
        let committer = Arc::clone(committer);
        let clock = self.clock.clone();
        (Supervisor::new(Arc::clone(nodes), committer, clock, takeovers), inbox)
    }

    /// What lets the instances run that are held back, if there are any.
    fn probation(&self, begun: Begun) -> Option<Probation> {
        let Begun { notes, quiet, suspects } = begun;
        (!suspects.is_empty()).then(|| Probation {
            store: Arc::clone(&self.store),
            notes,
            note: quiet,
            held: Arc::clone(&self.held),
            mailboxes: self.mailboxes.clone(),
            health: Arc::clone(&self.health),
            owner: None,
            suspects,
        })
    }

    /// What parks partitions, if processes share the hub.
    fn parking(&self) -> Option<Parking> {
        let (nodes, _) = self.nodes.as_ref()?;
        Some(Parking::new(nodes, &self.activities, &self.store))
    }

    /// Returns a constructor that builds the partition on its own thread, because its futures never
    /// leave that thread.
    pub(crate) fn partition<O: Outlet + 'static>(
        &self,
        owner: &Arc<Ownership>,
        outlet: O,
    ) -> impl FnOnce() -> Partition + Send + use<O> {
        let id = owner.partition;
        let env = Environment {
            partition: id,
            registry: Arc::clone(&self.registry),
            settings: self.settings.clone(),
            lifecycle: Arc::clone(&self.lifecycle),
            clock: self.clock.clone(),
            held: Arc::clone(&self.held),
        };
        let reader = Reader::new(id, Arc::clone(&self.store), Arc::clone(&self.health));
        let reader = match self.parking() {
            Some(parking) => reader.with_parking(parking, Arc::clone(owner)),
            None => reader,
        };
        let outbox = Outbox::new(
            Arc::clone(owner),
            Box::new(outlet),
            &self.settings.sizes,
            self.time.clone(),
        );
        let live = self.live;
        move || Partition::new(env, reader, outbox, live)
    }
}
