//! A partition without a thread: a test passes it mail and commits its writes.

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::outbox::Outlet;
use super::*;
use crate::hub::commit::write::Write;
use crate::hub::error::StartError;
use crate::hub::health::Health;
use crate::hub::mail::Manage;
use crate::hub::ownership::Ownership;
use crate::hub::reply_to::Replied;
use crate::hub::settings::Settings;
use crate::hub::sizes::Sizes;
use crate::hub::telemetry::lifecycle::Lifecycle;
use crate::hub::time::clock::Clock;
use crate::hub::work::batches::BatchJob;
use crate::protocol::{
    ExecutionId, ExecutionStarted, FORMAT_VERSION, HubRecord, Json, PartitionId,
};
use crate::registry::Registry;
use crate::store::{Commit, MemoryStore, Store};

const ID: PartitionId = PartitionId(0);

/// Where the writes of a partition wait until the test commits them.
#[derive(Clone, Debug, Default)]
struct Written(Arc<Mutex<Vec<Write>>>);

impl Outlet for Written {
    fn hand_over(&mut self, writes: &mut Vec<Write>) {
        self.0.lock().unwrap().append(writes);
    }

    fn commit(&mut self, writes: &mut Vec<Write>) {
        self.hand_over(writes);
    }

    fn run(&mut self, batch: BatchJob) {
        panic!("there is no entity: {batch:?}");
    }
}

struct World {
    store: Arc<MemoryStore>,
    owner: Arc<Ownership>,
    written: Written,
    partition: Partition,
}

impl World {
    /// A hub in which no function is registered, so that every instance is suspended at once.
    fn new() -> Self {
        let store = Arc::new(MemoryStore::default());
        let clock = Clock::default();
        let hub = HubRecord { format: FORMAT_VERSION, partitions: 1, created_at: clock.now() };
        store.create(&hub).unwrap();
        let (owner, _mail) = Ownership::new(ID, store.claim(ID).unwrap());
        let env = Environment {
            partition: ID,
            registry: Arc::new(Registry::default()),
            settings: Settings::default(),
            held: std::sync::Arc::default(),
            lifecycle: Arc::new(Lifecycle::default()),
            clock,
        };
        let reader =
            Reader::new(ID, Arc::<MemoryStore>::clone(&store), Arc::new(Health::default()));
        let written = Written::default();
        let outlet = Box::new(written.clone());
        let outbox = Outbox::new(Arc::clone(&owner), outlet, &Sizes::PRODUCTION, None);
        let capacity = Capacity { instances: 0, bytes: 0 };
        let partition = Partition::new(env, reader, outbox, capacity);
        Self { store, owner, written, partition }
    }

    fn turn(&mut self, mail: impl IntoIterator<Item = Mail>) {
        self.partition.turn(mail.into_iter().map(Delivery::of)).unwrap();
        self.partition.end_turn(true);
    }

    /// Commits all writes, answers clients, and passes the resulting mail to the partition.
    fn commit(&mut self) {
        self.commit_first(usize::MAX);
    }

    /// As [`commit`](Self::commit), but only the first writes.
    fn commit_first(&mut self, count: usize) {
        let mut mail = Vec::new();
        let writes: Vec<_> = {
            let mut written = self.written.0.lock().unwrap();
            let count = count.min(written.len());
            written.drain(..count).collect()
        };
        for Write { number, content, effects, .. } in writes {
            let commit = Commit {
                episodes: content.episode.into_iter().collect(),
                purged: content.purged.into_iter().map(|id| (ID, id)).collect(),
                consumed: content.consumed.into_iter().map(|id| (ID, id)).collect(),
                messages: content.messages.into_iter().map(|message| (ID, message)).collect(),
                ..Commit::new(vec![(ID, self.owner.epoch)])
            };
            self.store.commit(&commit).unwrap();
            self.owner.durable.store(number, Ordering::Release);
            for effect in effects {
                match effect {
                    Effect::Continue(id) => mail.push(Mail::Continue(id)),
                    Effect::Managed(reply, managed) => reply.send(managed),
                    effect => drop(effect),
                }
            }
        }
        self.turn(mail);
    }

    /// The instances that have an episode which is not committed yet.
    fn uncommitted(&self) -> Vec<String> {
        let writes = self.written.0.lock().unwrap();
        let episodes = writes.iter().filter_map(|write| write.content.episode.as_ref());
        episodes.map(|episode| episode.record.instance_id.to_string()).collect()
    }
}

fn id(name: &str) -> InstanceId {
    InstanceId::new(name).unwrap()
}

type Started = oneshot::Receiver<Replied<Result<(), StartError>>>;

fn start_of(name: &str) -> (Mail, Started) {
    let (reply, is_started) = oneshot::channel();
    let started = ExecutionStarted::new("checkout", None, Json::null(), ExecutionId::generate());
    let (instance_id, started) = (id(name), Box::new(started));
    let (replaces, is_new_id, origin) = (Vec::new(), false, Origin::Client(reply.into()));
    (Mail::Start(Start { instance_id, started, replaces, is_new_id, origin }), is_started)
}

fn request(name: &str, what: Manage) -> (Mail, oneshot::Receiver<Replied<Managed>>) {
    let (reply, managed) = oneshot::channel();
    (Mail::Manage { instance_id: id(name), what, reply: reply.into() }, managed)
}

fn resume_of(name: &str) -> (Mail, oneshot::Receiver<Replied<Managed>>) {
    request(name, Manage::Resume { reason: String::new() })
}

#[test]
fn a_request_that_waits_for_a_commit_does_not_delay_other_instances() {
    let mut world = World::new();
    let (start, _started) = start_of("a");
    world.turn([start]);
    let (resume, mut resumed) = resume_of("a");
    let (start, _started) = start_of("b");
    world.turn([resume, start]);
    assert_eq!(world.uncommitted(), ["a", "b"], "the episode of b is not delayed");
    assert_eq!(
        resumed.try_recv().err(),
        Some(TryRecvError::Empty),
        "the history of a is not durable"
    );
    world.commit();
    world.commit();
    let resumed = resumed.try_recv().expect("it is answered").unwrap();
    assert!(matches!(resumed, Err(ManageError::StillSuspended(_))), "{resumed:?}");
}

#[test]
fn held_mail_is_handled_in_order() {
    let mut world = World::new();
    let (start, _started) = start_of("a");
    world.turn([start]);
    let (resume, mut resumed) = resume_of("a");
    let (terminate, mut terminated) =
        request("a", Manage::Terminate { reason: String::new(), recurse: false });
    let (purge, mut purged) = request("a", Manage::Purge { child_of: None });
    world.turn([resume]);
    world.turn([terminate, purge]);
    assert_eq!(
        terminated.try_recv().err(),
        Some(TryRecvError::Empty),
        "it waits behind the resume"
    );
    for _ in 0..2 {
        world.commit();
    }
    let resumed = resumed.try_recv().expect("it is answered").unwrap();
    assert!(matches!(resumed, Err(ManageError::StillSuspended(_))), "{resumed:?}");
    terminated.try_recv().expect("it is answered").unwrap().expect("it was running");
    purged.try_recv().expect("it is answered").unwrap().expect("it was finished");
    assert!(world.partition.held.is_empty());
}

#[test]
fn a_partition_handles_held_mail_before_it_stops() {
    let mut world = World::new();
    let (start, _started) = start_of("a");
    world.turn([start]);
    let (resume, mut resumed) = resume_of("a");
    world.turn([resume, Mail::Stop]);
    assert!(!world.partition.has_stopped());
    world.commit();
    assert!(world.partition.has_stopped());
    world.commit();
    let resumed = resumed.try_recv().expect("it is answered").unwrap();
    assert!(matches!(resumed, Err(ManageError::StillSuspended(_))), "{resumed:?}");
}

#[test]
fn an_instance_that_is_being_purged_does_not_come_back() {
    let mut world = World::new();
    let (start, _started) = start_of("a");
    world.turn([start]);
    world.commit();
    let (terminate, _terminated) =
        request("a", Manage::Terminate { reason: String::new(), recurse: false });
    let (purge, mut purged) = request("a", Manage::Purge { child_of: None });
    world.turn([terminate, purge]);
    let (reply, mut raised) = oneshot::channel();
    let (name, input) = ("event".to_owned(), Json::null());
    // The store still has the instance as it was before both.
    let (instance_id, reply) = (id("a"), reply.into());
    world.turn([Mail::Raise { instance_id, name, input, ends_work: false, reply }]);
    world.commit();
    purged.try_recv().expect("it is answered").unwrap().expect("it was finished");
    let raised = raised.try_recv().expect("it is answered").unwrap();
    let unknown = ManageError::no_such_instance(id("a")).to_string();
    assert_eq!(raised.map_err(|error| error.to_string()), Err(unknown));
    world.commit();
    assert!(world.store.instance(&id("a")).unwrap().is_none());
}

#[test]
fn an_instance_that_is_started_again_after_a_purge_is_found_as_soon_as_its_start_is_durable() {
    let mut world = World::new();
    let (start, _started) = start_of("a");
    world.turn([start]);
    world.commit();
    let (terminate, _terminated) =
        request("a", Manage::Terminate { reason: String::new(), recurse: false });
    let (purge, _purged) = request("a", Manage::Purge { child_of: None });
    let ((again, _again), (other, _other)) = (start_of("a"), start_of("b"));
    world.turn([terminate, purge, again, other]);
    assert_eq!(world.uncommitted(), ["a", "a", "b"]);
    let writes = world.written.0.lock().unwrap().len();
    world.commit_first(writes - 1);
    let (terminate, mut terminated) =
        request("a", Manage::Terminate { reason: String::new(), recurse: false });
    world.turn([terminate]);
    for _ in 0..2 {
        world.commit();
    }
    terminated.try_recv().expect("it is answered").unwrap().expect("it was started again");
}

#[test]
fn an_operation_on_an_evicted_instance_waits_for_no_write_of_another() {
    let mut world = World::new();
    let (start, _started) = start_of("a");
    world.turn([start]);
    world.commit();
    let (start, _started) = start_of("b");
    world.turn([start]);
    assert_eq!(world.uncommitted(), ["b"]);
    let (resume, mut resumed) = resume_of("a");
    world.turn([resume]);
    assert!(world.partition.held.is_empty(), "the store has all writes of a");
    world.commit();
    let resumed = resumed.try_recv().expect("it is answered").unwrap();
    assert!(matches!(resumed, Err(ManageError::StillSuspended(_))), "{resumed:?}");
}
