//! The note that an opening hub leaves before it runs what it finds, and what it reads from the
//! notes of earlier openings.
//!
//! A note is a message of the hub to itself, so that every store can keep it, and a release that does
//! not know it drops it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::held::{self, Held, HeldBack};
use crate::protocol::{
    EventKind, ExecutionId, InstanceId, InstanceRecord, Json, MessageId, PartitionId, Role,
    TaskMessage, Timestamp,
};
use crate::store::{Commit, Epoch, PartitionState, Store, StoreError};

/// The number of openings in which an instance runs with all others.
pub(crate) const TRIES: u32 = 20;
/// The number of times that an instance has to end the process alone before it is set aside.
pub(crate) const ALONE: u32 = 2;
/// As [`ALONE`], for an operation of an entity. It fails when it is set aside, which cannot be taken
/// back, so a process that is killed often for other reasons must not be taken for its effect.
pub(crate) const ALONE_OF_OPERATION: u32 = 10;

/// The most instances in one message.
const ENTRIES: usize = 4096;
/// The number of stored messages and of due instances that are noted. Those behind them run later;
/// if the first ones get done, the next opening notes the next ones.
const PAGE: usize = 2048;
/// The receiver of notes, and the name of their event.
const NOTE: &str = "durable::recovery";

/// The partitions that an opening hub has claimed, and what it found in them.
pub(crate) type Claims<'a> = &'a [(PartitionId, Epoch, &'a PartitionState)];

/// Whether a stored message is a note, which no instance receives.
pub(crate) fn is_note(message: &TaskMessage) -> bool {
    message.instance_id.as_str() == NOTE
        && matches!(&message.event, EventKind::EventRaised { name, .. } if name == NOTE)
}

/// What an instance was about to do, as far as the store shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    execution: Option<ExecutionId>,
    events: u64,
    /// When it was written.
    updated: Option<Timestamp>,
    /// The first message to an entity.
    message: Option<MessageId>,
}

/// An instance that is about to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) id: InstanceId,
    state: State,
    /// The number of openings in a row in which it ran with all others, this one included.
    count: u32,
    /// The number of times that it ran alone and the process ended.
    pub(crate) alone: u32,
    /// The size of its group, if it runs in a group of its own.
    pub(crate) group: usize,
}

impl Attempt {
    /// The instance that is held back: for a scheduled signal, its entity.
    pub(crate) fn held(&self) -> InstanceId {
        let entity = self.id.entity_of_signal();
        entity.map_or_else(|| self.id.clone(), |entity| entity.instance_id().clone())
    }

    /// The same instance in its present state, about to run in a group of this size.
    pub(crate) fn in_group(
        mut self,
        store: &dyn Store,
        partition: PartitionId,
        size: usize,
    ) -> Result<Self, StoreError> {
        self.state = state_of(store, partition, &self.id)?;
        self.group = size;
        Ok(self)
    }

    /// Whether the instance has recorded a result since, or the entity has no operation left.
    pub(crate) fn has_gone_on(
        &self,
        store: &dyn Store,
        partition: PartitionId,
    ) -> Result<bool, StoreError> {
        let now = state_of(store, partition, &self.id)?;
        if self.id.is_entity() { Ok(now.message.is_none()) } else { self.went_on_to(store, &now) }
    }

    fn went_on_to(&self, store: &dyn Store, now: &State) -> Result<bool, StoreError> {
        let before = &self.state;
        if !self.id.is_orchestration() {
            return Ok(before != now);
        }
        let Some(execution) = now.execution else { return Ok(before.execution.is_some()) };
        if before.execution.is_some_and(|before| before != execution) {
            return Ok(true);
        }
        if before.events >= now.events {
            return Ok(false);
        }
        // Clients may raise events in an instance that gets no further.
        let new = store.history(&self.id, execution, before.events)?;
        Ok(new.iter().any(|event| is_progress(event.kind.role())))
    }
}

fn is_progress(role: Role<'_>) -> bool {
    match role {
        Role::EpisodeStarted
        | Role::EpisodeCompleted
        | Role::Started(_)
        | Role::Suspended
        | Role::Resumed
        | Role::Raised => false,
        Role::Terminated
        | Role::Rewound
        | Role::Answered { .. }
        | Role::Requested { .. }
        | Role::Ended
        | Role::Noted
        | Role::EntityState => true,
    }
}

fn state_of(
    store: &dyn Store,
    partition: PartitionId,
    id: &InstanceId,
) -> Result<State, StoreError> {
    let message = if id.is_entity() {
        let first = store.messages(partition, Some(id), 0..u64::MAX, 1)?;
        first.first().map(|(_, message)| message.id)
    } else {
        None
    };
    Ok(state(store.instance(id)?.as_ref(), message))
}

fn state(record: Option<&InstanceRecord>, message: Option<MessageId>) -> State {
    State {
        execution: record.map(|record| record.execution_id),
        events: record.map_or(0, |record| record.history_len),
        updated: record.map(|record| record.last_updated_at),
        message,
    }
}

/// The notes of an open hub.
#[derive(Debug)]
pub(crate) struct Notes {
    owners: Vec<(PartitionId, Epoch)>,
    stored: Mutex<Vec<(PartitionId, MessageId)>>,
}

impl Notes {
    /// Stores a note; `replaces` are removed by the same commit.
    fn write(
        &self,
        store: &dyn Store,
        attempts: &BTreeMap<PartitionId, Vec<Attempt>>,
        replaces: Vec<(PartitionId, MessageId)>,
    ) -> Result<Vec<(PartitionId, MessageId)>, StoreError> {
        let mut commit = Commit { consumed: replaces, ..Commit::new(self.owners.clone()) };
        for (partition, attempts) in attempts {
            for attempts in attempts.chunks(ENTRIES) {
                let text = serde_json::to_string(attempts)
                    .map_err(|error| StoreError::damaged(error.to_string()))?;
                let input = Json::trusted(text);
                let event = EventKind::EventRaised { name: NOTE.to_owned(), input };
                let to = InstanceId::of_hub(NOTE);
                let message = TaskMessage::new(MessageId::generate(), to, event);
                commit.messages.push((*partition, message));
            }
        }
        if !commit.is_empty() {
            store.commit(&commit)?;
        }
        let stored: Vec<_> = commit.messages.iter().map(|(at, note)| (*at, note.id)).collect();
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).extend(&stored);
        Ok(stored)
    }

    /// Stores that these instances are about to run.
    pub(crate) fn add(
        &self,
        store: &dyn Store,
        attempts: &[(PartitionId, Attempt)],
    ) -> Result<Vec<(PartitionId, MessageId)>, StoreError> {
        let mut all = BTreeMap::<_, Vec<_>>::new();
        for (partition, attempt) in attempts {
            all.entry(*partition).or_default().push(attempt.clone());
        }
        self.write(store, &all, Vec::new())
    }

    /// Removes notes: the process has not ended.
    pub(crate) fn remove(
        &self,
        store: &dyn Store,
        notes: Vec<(PartitionId, MessageId)>,
    ) -> Result<(), StoreError> {
        self.stored
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|note| !notes.contains(note));
        if notes.is_empty() {
            return Ok(());
        }
        store.commit(&Commit { consumed: notes, ..Commit::new(self.owners.clone()) })
    }

    /// Removes all notes, because the hub is shut down in an orderly way.
    pub(crate) fn remove_all(&self, store: &dyn Store) -> Result<(), StoreError> {
        let all = self.stored.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.remove(store, all)
    }
}

/// What an opening hub has decided.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) notes: Arc<Notes>,
    /// The instances that are held back, the most suspicious ones first.
    pub(crate) suspects: Vec<(PartitionId, Attempt)>,
}

/// Decides what must not run, and stores a note of everything that is about to run.
pub(crate) fn begin(
    store: &dyn Store,
    claimed: Claims<'_>,
    now: Timestamp,
    held: &HeldBack,
) -> Result<Begun, StoreError> {
    let owners = claimed.iter().map(|(partition, epoch, _)| (*partition, *epoch)).collect();
    let notes = Arc::new(Notes { owners, stored: Mutex::default() });
    let (mut suspects, mut attempts, mut earlier) = (Vec::new(), BTreeMap::new(), Vec::new());
    for (partition, _, state) in claimed {
        let before = read(store, *partition, state.messages_end, &mut earlier)?;
        let mut all = Vec::new();
        for (id, work) in work(store, *partition, state, now)? {
            let attempt = decide(store, id, work, &before, held)?;
            if held.of(&attempt.held()) == Some(Held::Back) {
                suspects.push((*partition, attempt.clone()));
            }
            all.push(Attempt { group: 0, ..attempt });
        }
        attempts.insert(*partition, all);
    }
    suspects.sort_by_key(|(_, it)| std::cmp::Reverse((it.alone, it.group)));
    // A full disk must not keep the hub from opening.
    if store.check_room().is_ok() {
        notes.write(store, &attempts, earlier)?;
    }
    Ok(Begun { notes, suspects })
}

/// Reads the notes of a partition, and adds them to `notes`.
fn read(
    store: &dyn Store,
    partition: PartitionId,
    end: u64,
    notes: &mut Vec<(PartitionId, MessageId)>,
) -> Result<BTreeMap<InstanceId, Attempt>, StoreError> {
    let mut before = BTreeMap::<InstanceId, Attempt>::new();
    let to = InstanceId::of_hub(NOTE);
    for (_, message) in store.messages(partition, Some(&to), 0..end, usize::MAX)? {
        let EventKind::EventRaised { input, .. } = &message.event else { continue };
        if !is_note(&message) {
            continue;
        }
        notes.push((partition, message.id));
        // A note that this release cannot read is as good as none.
        for attempt in input.read::<Vec<Attempt>>().unwrap_or_default() {
            let known = before.get(&attempt.id);
            if known.is_none_or(|known| known.group == 0) {
                before.insert(attempt.id.clone(), attempt);
            }
        }
    }
    Ok(before)
}

/// What is known of an instance that is about to run.
#[derive(Debug, Default)]
struct Work {
    state: State,
    /// Whether it was held back when it was last written.
    was_held_back: bool,
}

/// The instances that run as soon as the partition is open.
fn work(
    store: &dyn Store,
    partition: PartitionId,
    found: &PartitionState,
    now: Timestamp,
) -> Result<BTreeMap<InstanceId, Work>, StoreError> {
    let mut all = BTreeMap::new();
    for id in &found.active {
        let Some(record) = store.instance(id)? else { continue };
        if !record.runtime_status.is_finished() && !held::is_set_aside(&record) {
            let (state, was_held_back) = (state(Some(&record), None), held::was_held_back(&record));
            all.insert(id.clone(), Work { state, was_held_back });
        }
    }
    let messages = store.messages(partition, None, 0..found.messages_end, PAGE)?;
    let receivers = messages
        .into_iter()
        .filter(|(_, message)| !is_note(message))
        .map(|(_, message)| (message.instance_id, Some(message.id)));
    let due = store.due(partition, None, now, PAGE)?.into_iter().map(|(_, id)| (id, None));
    for (id, message) in receivers.chain(due) {
        if all.contains_key(&id) {
            continue;
        }
        let record = store.instance(&id)?;
        let runs = record
            .as_ref()
            .is_none_or(|it| !it.runtime_status.is_finished() && it.suspension.is_none());
        if runs {
            let message = message.filter(|_| id.is_entity());
            let state = state(record.as_ref(), message);
            all.insert(id, Work { state, was_held_back: false });
        }
    }
    Ok(all)
}

/// Decides whether an instance runs, and counts the attempt.
fn decide(
    store: &dyn Store,
    id: InstanceId,
    work: Work,
    before: &BTreeMap<InstanceId, Attempt>,
    held: &HeldBack,
) -> Result<Attempt, StoreError> {
    let Work { state, was_held_back } = work;
    let mut attempt = Attempt { id, state, count: 0, alone: 0, group: 0 };
    if let Some(before) = before.get(&attempt.id) {
        let Attempt { count, alone, group, .. } = *before;
        if !before.went_on_to(store, &attempt.state)? {
            (attempt.count, attempt.group) = (count, group);
            attempt.alone = alone + u32::from(group == 1);
            // Events that arrived in the meantime are no progress, also not at the next opening.
            attempt.state = before.state.clone();
        } else if attempt.id.is_entity() && group > 0 {
            // One operation was carried out, and another one may have ended the process.
            (attempt.count, attempt.group) = (count, group);
        }
    }
    let most = if attempt.id.is_entity() { ALONE_OF_OPERATION } else { ALONE };
    if attempt.alone >= most {
        held.set(&attempt.held(), Held::SetAside { attempts: attempt.count + attempt.alone });
    } else if was_held_back || attempt.group > 0 || attempt.count >= TRIES {
        attempt.count = attempt.count.max(TRIES);
        held.set(&attempt.held(), Held::Back);
    } else {
        attempt.count += 1;
    }
    Ok(attempt)
}
