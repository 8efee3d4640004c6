//! The queue against a plain list of the arrived messages.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::refill::Found;
use super::*;
use crate::chance;
use crate::protocol::{EntityId, EventKind, ExecutionId, InstanceId, Json, ParentInstance};

fn entity() -> EntityId {
    EntityId::new("counter", "1").unwrap()
}

fn message(event: EventKind, from: Option<ParentInstance>) -> TaskMessage {
    let instance_id = entity().instance_id().clone();
    let from = from.map(Box::new);
    TaskMessage { id: MessageId::generate(), instance_id, execution_id: None, from, event }
}

fn signal(name: &str) -> TaskMessage {
    let event = EventKind::EntityOperationSignaled {
        entity_id: entity(),
        operation: name.to_owned(),
        input: Json::null(),
        scheduled_time: None,
        source: None,
    };
    message(event, None)
}

fn call(name: &str, section: Option<&ParentInstance>) -> TaskMessage {
    let event = EventKind::EntityOperationCalled {
        entity_id: entity(),
        operation: name.to_owned(),
        input: Json::null(),
        source: None,
        critical_section: section.map(|section| section.task_scheduled_id),
    };
    message(event, section.cloned())
}

/// A critical section that is entered by this task of an orchestration.
fn owner(task: i32) -> ParentInstance {
    ParentInstance {
        instance_id: InstanceId::new("transfer").unwrap(),
        execution_id: ExecutionId::from_u128(1),
        name: "transfer".to_owned(),
        version: None,
        task_scheduled_id: task,
    }
}

fn lock(section: &ParentInstance) -> TaskMessage {
    let lock_set = vec![entity()];
    message(EventKind::EntityLockRequested { lock_set, source: None }, Some(section.clone()))
}

fn unlock(section: &ParentInstance) -> TaskMessage {
    let (task_scheduled_id, lock_set) = (section.task_scheduled_id, vec![entity()]);
    message(EventKind::EntityUnlockSent { task_scheduled_id, lock_set }, Some(section.clone()))
}

fn stored(message: TaskMessage) -> Queued {
    Queued { message, origin: KeptIn::Stored }
}

fn name(queued: &Queued) -> &str {
    match &queued.message.event {
        EventKind::EntityOperationCalled { operation, .. }
        | EventKind::EntityOperationSignaled { operation, .. } => operation,
        event => panic!("{event:?} is no operation"),
    }
}

fn names(batch: &[Queued]) -> Vec<&str> {
    batch.iter().map(name).collect()
}

fn limits(messages: usize) -> QueueSizes {
    let (batch_bytes, first_read, read) = (usize::MAX, 8, 1024);
    QueueSizes { messages, bytes: usize::MAX, batch: 3, batch_bytes, first_read, read }
}

#[test]
fn a_batch_has_a_limit_and_keeps_the_order() {
    let mut queue = Queue::new(limits(9));
    for name in ["a", "b", "c", "d"] {
        queue.receive(stored(signal(name)), None);
    }
    assert!(matches!(queue.next_step(None), Step::Operate));
    assert_eq!(names(&queue.take_batch(usize::MAX)), ["a", "b", "c"]);
    assert_eq!(names(&queue.take_batch(usize::MAX)), ["d"]);
    assert!(matches!(queue.next_step(None), Step::Nothing));
    assert_eq!((queue.len(), queue.bytes(), queue.is_in_use()), (0, 0, false));
}

#[test]
fn only_the_section_that_holds_the_lock_continues() {
    let (mut queue, section) = (Queue::new(limits(9)), owner(1));
    queue.receive(stored(lock(&section)), None);
    queue.receive(stored(signal("later")), None);
    assert!(matches!(queue.next_step(None), Step::Lock(_)));
    assert!(matches!(queue.next_step(Some(&section)), Step::Nothing));
    queue.receive(stored(call("inside", Some(&section))), Some(&section));
    queue.receive(stored(call("other", Some(&owner(2)))), Some(&section));
    assert!(matches!(queue.next_step(Some(&section)), Step::Operate));
    assert_eq!(names(&queue.take_batch(usize::MAX)), ["inside"]);
    queue.receive(stored(unlock(&section)), Some(&section));
    assert!(matches!(queue.next_step(Some(&section)), Step::Unlock(_)));
    assert!(matches!(queue.next_step(None), Step::Operate));
    assert_eq!(names(&queue.take_batch(usize::MAX)), ["later", "other"]);
}

#[test]
fn a_section_that_ended_before_its_turn_never_begins() {
    let (mut queue, section) = (Queue::new(limits(9)), owner(1));
    queue.receive(stored(call("first", None)), None);
    queue.receive(stored(lock(&section)), None);
    queue.receive(stored(unlock(&section)), None);
    assert_eq!(names(&queue.take_batch(usize::MAX)), ["first"]);
    assert!(matches!(queue.next_step(None), Step::Skip(_)));
    assert!(matches!(queue.next_step(None), Step::PassOn(_)));
    assert!(matches!(queue.next_step(None), Step::Nothing));
    assert!(!queue.is_in_use(), "nothing of the section is remembered");
}

#[test]
fn the_unlock_of_a_lock_that_was_taken_back_does_not_wait() {
    let mut queue = Queue::new(limits(9));
    queue.receive(stored(signal("waiting")), None);
    queue.receive(stored(unlock(&owner(1))), Some(&owner(2)));
    assert!(matches!(queue.next_step(Some(&owner(2))), Step::PassOn(_)));
}

#[test]
fn signals_wait_for_code_and_other_messages_overtake_them() {
    let mut queue = Queue::new(limits(9));
    for message in [signal("a"), call("b", None), signal("delete"), signal("c")] {
        queue.receive(stored(message), None);
    }
    assert!(queue.hold());
    assert!(!queue.hold());
    assert!(matches!(queue.next_step(None), Step::Operate));
    assert_eq!(names(&queue.take_batch(usize::MAX)), ["b", "delete"]);
    assert!(matches!(queue.next_step(None), Step::Nothing));
    queue.release();
    assert_eq!(names(&queue.take_batch(usize::MAX)), ["a", "c"]);
}

#[test]
fn operations_that_are_put_back_come_first() {
    let mut queue = Queue::new(limits(9));
    for name in ["a", "b", "c"] {
        queue.receive(stored(signal(name)), None);
    }
    let bytes = queue.bytes();
    for queued in queue.take_batch(usize::MAX).into_iter().rev() {
        queue.put_back(queued);
    }
    assert_eq!(queue.bytes(), bytes);
    assert_eq!(names(&queue.take_batch(usize::MAX)), ["a", "b", "c"]);
}

/// A queue with its store, and a plain list as a model.
struct Model {
    seed: u64,
    drawn: u64,
    queue: Queue,
    /// Messages by place, until they take effect.
    store: BTreeMap<u64, TaskMessage>,
    places: u64,
    /// Stored operations of clients that have not arrived as messages yet.
    on_their_way: VecDeque<TaskMessage>,
    /// All queued messages in the order of arrival: name, and whether it is a signal.
    waiting: VecDeque<(String, bool)>,
    sent: usize,
}

impl Model {
    fn new(seed: u64) -> Self {
        let messages = 1 + usize::try_from(seed % 6).unwrap();
        Self {
            seed,
            drawn: 0,
            queue: Queue::new(limits(messages)),
            store: BTreeMap::new(),
            places: 0,
            on_their_way: VecDeque::new(),
            waiting: VecDeque::new(),
            sent: 0,
        }
    }

    fn draw(&mut self, end: u64) -> u64 {
        self.drawn += 1;
        chance::number(self.seed, self.drawn) % end
    }

    fn put_in_store(&mut self, message: &TaskMessage) {
        // Places have gaps, because messages of other entities lie between.
        self.places += 1 + self.draw(3);
        self.store.insert(self.places, message.clone());
    }

    fn receive(&mut self, message: TaskMessage, origin: KeptIn) {
        let is_signal = matches!(message.event, EventKind::EntityOperationSignaled { .. });
        let queued = Queued { message, origin };
        self.waiting.push_back((name(&queued).to_owned(), is_signal));
        self.queue.receive(queued, None);
    }

    fn receive_stored(&mut self) {
        if let Some(message) = self.on_their_way.pop_front() {
            self.receive(message, KeptIn::Stored);
        }
    }

    fn send(&mut self, is_signal: bool) {
        self.sent += 1;
        let name = self.sent.to_string();
        let message = if is_signal { signal(&name) } else { call(&name, None) };
        self.put_in_store(&message);
        self.on_their_way.push_back(message);
    }

    /// Adds a client's call: in memory if all earlier messages are in memory, otherwise stored
    /// first.
    fn call_by_client(&mut self) {
        if !self.queue.is_all_in_memory() || !self.on_their_way.is_empty() {
            self.send(false);
            let id = self.on_their_way.back().unwrap().id;
            self.queue.await_stored(id);
            return;
        }
        self.sent += 1;
        let reply = crate::hub::mail::EntityReply::Called(tokio::sync::oneshot::channel().0.into());
        self.receive(call(&self.sent.to_string(), None), KeptIn::Client(reply));
    }

    fn read(&self) -> Found {
        let page = |places: Range<u64>, limit| {
            let found = self.store.range(places).take(limit);
            Ok::<_, Infallible>(found.map(|(place, it)| (*place, it.clone())).collect())
        };
        self.queue.next_read().read(&limits(9), page).unwrap()
    }

    /// Takes one step of the entity; returns whether there was one.
    fn step(&mut self) -> bool {
        if self.queue.is_refilling() {
            let Found { messages, places } = self.read();
            self.queue.refill(messages.len(), places, messages);
            return true;
        }
        match self.queue.next_step(None) {
            Step::Operate => self.run_batch(),
            Step::Refill => self.queue.begin_refill(),
            Step::Nothing => return false,
            step => panic!("seed {}: {step:?} without a section", self.seed),
        }
        true
    }

    fn run_batch(&mut self) {
        let batch = self.queue.take_batch(usize::MAX);
        assert!(!batch.is_empty(), "seed {}: {:?}", self.seed, self.queue);
        for queued in batch {
            let is_held = self.queue.is_held();
            let next = self.waiting.iter().position(|(_, is_signal)| !is_held || !is_signal);
            let expected = next.and_then(|index| self.waiting.remove(index));
            let expected = expected.map(|(name, _)| name);
            let found = name(&queued).to_owned();
            assert_eq!(Some(found), expected, "seed {}: {:?}", self.seed, self.queue);
            self.store.retain(|_, message| message.id != queued.message.id);
        }
    }

    fn act(&mut self) {
        match self.draw(12) {
            0..3 => self.send(true),
            3 => self.send(false),
            4 => self.call_by_client(),
            5..8 => self.receive_stored(),
            8..11 => drop(self.step()),
            _ if self.queue.is_held() => self.queue.release(),
            _ => drop(self.queue.hold()),
        }
    }

    fn check(&self) {
        let (queue, seed) = (&self.queue, self.seed);
        assert_eq!(queue.len(), self.waiting.len() as u64, "seed {seed}: {queue:?}");
        let bytes: usize = queue.waiting.iter().map(Queued::bytes).sum();
        assert_eq!(queue.bytes(), bytes, "seed {seed}");
        let clients = queue.waiting.iter().filter(|queued| !queued.is_stored()).count();
        let most = queue.sizes.messages + clients;
        assert!(queue.waiting.len() <= most, "seed {seed}: {queue:?}");
    }
}

#[test]
fn every_message_is_handled_once_and_in_order() {
    for seed in 0..1_000 {
        let mut model = Model::new(seed);
        for _ in 0..150 {
            model.act();
            model.check();
        }
        model.queue.release();
        while !model.on_their_way.is_empty() {
            model.receive_stored();
        }
        while model.step() {
            model.check();
        }
        assert!(model.waiting.is_empty(), "seed {seed}: {:?} are lost", model.waiting);
        assert!(model.store.is_empty(), "seed {seed}");
        assert!(!model.queue.is_in_use(), "seed {seed}: {:?}", model.queue);
    }
}
