//! The notes that a hub leaves about what may crash the process, and what it decides from the notes
//! of earlier openings.
//!
//! A note is a message of the hub to itself, so that every store can keep it, and a release that
//! does not know notes drops it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::held::{self, Held, HeldBack};
use crate::protocol::{
    EventKind, ExecutionId, InstanceId, InstanceRecord, Json, MessageId, PartitionId, Role,
    TaskMessage, Timestamp,
};
use crate::store::{Commit, Epoch, PartitionState, Store, StoreError};

/// The number of openings in which an instance runs with all others before it is a suspect.
const TRIES: u32 = 3;
/// The number of times in a row that a suspect has to crash the process alone before it is set aside.
const ALONE: u32 = 5;
/// The first bound that is noted for the time from a start to the end of the process. It is doubled
/// while the suspect runs.
const WITHIN_MILLIS: u64 = 100;

/// The number of operations of an entity that have a trial in one opening.
const OPERATIONS: usize = 64;

/// The most instances in one message.
const ENTRIES: usize = 4096;
/// The number of stored messages and of due instances that are noted. The others run later; once
/// the first ones are done, the next opening notes the next ones.
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

/// The content of a note.
#[derive(Debug, Serialize, Deserialize)]
enum Note {
    /// These are about to run.
    Run(Vec<Attempt>),
    /// No suspect has begun in this opening.
    Quiet,
}

/// An instance that is about to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) id: InstanceId,
    state: State,
    /// The number of openings in a row in which it ran with all others, this one included.
    count: u32,
    /// The number of times in a row that the process ended while it was the only suspect that ran.
    alone: u32,
    /// The number of suspects that run together; 0 if it runs as usual.
    pub(crate) group: usize,
    /// A bound on how long it had run when the process ended.
    within_millis: u64,
    /// The number of operations of the entity that had a trial in this opening.
    #[serde(skip)]
    operations: usize,
}

impl Attempt {
    /// The instance that is held back: for a scheduled signal, its entity.
    pub(crate) fn held(&self) -> InstanceId {
        let entity = self.id.entity_of_signal();
        entity.map_or_else(|| self.id.clone(), |entity| entity.instance_id().clone())
    }

    /// Whether it was the only suspect that ran when the process ended.
    pub(crate) fn is_accused(&self) -> bool {
        self.alone > 0
    }

    pub(crate) fn within(&self) -> Duration {
        Duration::from_millis(self.within_millis)
    }

    /// Notes that it has run for as long as was noted, and the process has not ended.
    pub(crate) fn runs_longer(&mut self) {
        self.within_millis *= 2;
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

    /// The same entity with its next operation, about which nothing is known. `None` if it has had
    /// enough trials: the next opening finds an operation that crashes the process after these.
    pub(crate) fn next_operation(self) -> Option<Self> {
        let (id, operations) = (self.held(), self.operations + 1);
        let within_millis = WITHIN_MILLIS;
        let next = Self { id, alone: 0, group: 1, within_millis, operations, ..self };
        (operations < OPERATIONS).then_some(next)
    }

    /// Whether the instance or entity has recorded a result since.
    pub(crate) fn has_gone_on(
        &self,
        store: &dyn Store,
        partition: PartitionId,
    ) -> Result<bool, StoreError> {
        let now = state_of(store, partition, &self.id)?;
        self.went_on_to(store, &now)
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

/// The messages that hold notes.
pub(crate) type Messages = Vec<(PartitionId, MessageId)>;

/// The notes of an open hub.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    owners: Vec<(PartitionId, Epoch)>,
    stored: Mutex<Messages>,
}

impl Notes {
    /// Stores that these instances are about to run. `replaced` are removed by the same commit.
    pub(crate) fn write(
        &self,
        store: &dyn Store,
        attempts: &[(PartitionId, Attempt)],
        replaced: Messages,
    ) -> Result<Messages, StoreError> {
        let mut all = BTreeMap::<_, Vec<_>>::new();
        for (partition, attempt) in attempts {
            all.entry(*partition).or_default().push(attempt.clone());
        }
        let notes = all.into_iter().flat_map(|(partition, attempts)| {
            let pages: Vec<_> = attempts.chunks(ENTRIES).map(<[_]>::to_vec).collect();
            pages.into_iter().map(move |page| (partition, Note::Run(page)))
        });
        self.commit(store, notes.collect(), replaced)
    }

    /// Stores that no suspect has begun.
    pub(super) fn write_quiet(&self, store: &dyn Store) -> Result<Messages, StoreError> {
        let first = self.owners.first().map(|(partition, _)| (*partition, Note::Quiet));
        self.commit(store, first.into_iter().collect(), Vec::new())
    }

    fn commit(
        &self,
        store: &dyn Store,
        notes: Vec<(PartitionId, Note)>,
        replaced: Messages,
    ) -> Result<Messages, StoreError> {
        let mut commit = Commit { consumed: replaced, ..Commit::new(self.owners.clone()) };
        for (partition, note) in notes {
            let text = serde_json::to_string(&note)
                .map_err(|error| StoreError::damaged(error.to_string()))?;
            let event =
                EventKind::EventRaised { name: NOTE.to_owned(), input: Json::trusted(text) };
            let message = TaskMessage::new(MessageId::generate(), InstanceId::of_hub(NOTE), event);
            commit.messages.push((partition, message));
        }
        if !commit.is_empty() {
            store.commit(&commit)?;
        }
        let written: Messages = commit.messages.iter().map(|(at, note)| (*at, note.id)).collect();
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        stored.retain(|note| !commit.consumed.contains(note));
        stored.extend(&written);
        Ok(written)
    }

    /// Removes notes: the process has not ended.
    pub(crate) fn remove(&self, store: &dyn Store, notes: Messages) -> Result<(), StoreError> {
        self.commit(store, Vec::new(), notes).map(drop)
    }

    /// Removes all notes, because the hub is shut down in an orderly way.
    pub(crate) fn remove_all(&self, store: &dyn Store) -> Result<(), StoreError> {
        self.remove_all_but(store, &Messages::new())
    }

    /// Removes all notes but these.
    pub(crate) fn remove_all_but(
        &self,
        store: &dyn Store,
        kept: &Messages,
    ) -> Result<(), StoreError> {
        let mut removed = self.stored.lock().unwrap_or_else(PoisonError::into_inner).clone();
        removed.retain(|note| !kept.contains(note));
        self.remove(store, removed)
    }
}

/// What an opening hub has decided.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) notes: Arc<Notes>,
    /// The note that no suspect has begun, if one is accused.
    pub(crate) quiet: Messages,
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
    let before = Before::read(store, claimed)?;
    let (mut suspects, mut attempts) = (Vec::new(), Vec::new());
    for (partition, _, state) in claimed {
        for (id, work) in work(store, *partition, state, now)? {
            let attempt = decide(store, id, work, &before, held)?;
            if held.of(&attempt.held()) == Some(Held::Back) {
                suspects.push((*partition, attempt.clone()));
            }
            // Whatever ends the process from now on, unless it is noted again, it is not this one.
            attempts.push((*partition, Attempt { group: 0, alone: 0, ..attempt }));
        }
    }
    suspects.sort_by_key(|(_, it)| std::cmp::Reverse((it.alone, it.group)));
    let mut quiet = Vec::new();
    // A full disk must not keep the hub from opening.
    if store.check_room().is_ok() {
        notes.write(store, &attempts, before.messages)?;
        if suspects.first().is_some_and(|(_, it)| it.is_accused()) {
            quiet = notes.write_quiet(store)?;
        }
    }
    Ok(Begun { notes, quiet, suspects })
}

/// What a node has decided about a partition that it has taken over.
#[derive(Debug)]
pub(super) struct TakenOver {
    pub(super) notes: Arc<Notes>,
    /// The note of what is about to run.
    pub(super) written: Messages,
    /// The instances that are held back, the most suspicious ones first.
    pub(super) suspects: Vec<(PartitionId, Attempt)>,
}

/// Decides what must not run in a partition that a node has taken over, and stores a note of everything
/// that is about to run.
pub(super) fn take_over(
    store: &dyn Store,
    claim: (PartitionId, Epoch, &PartitionState),
    now: Timestamp,
    held: &HeldBack,
) -> Result<TakenOver, StoreError> {
    let (partition, epoch, state) = claim;
    let notes = Arc::new(Notes { owners: vec![(partition, epoch)], stored: Mutex::default() });
    let before = Before::read(store, &[claim])?;
    let (mut suspects, mut attempts) = (Vec::new(), Vec::new());
    for (id, work) in work(store, partition, state, now)? {
        let attempt = decide(store, id, work, &before, held)?;
        if held.of(&attempt.held()) == Some(Held::Back) {
            suspects.push((partition, attempt.clone()));
        }
        // Suspects of another partition may crash the process first: that is no evidence.
        attempts.push((partition, Attempt { group: 0, ..attempt }));
    }
    suspects.sort_by_key(|(_, it)| std::cmp::Reverse((it.alone, it.group)));
    let written = notes.write(store, &attempts, before.messages)?;
    Ok(TakenOver { notes, written, suspects })
}

/// Whether a partition has a note.
pub(super) fn exists(
    store: &dyn Store,
    partition: PartitionId,
    found: &PartitionState,
) -> Result<bool, StoreError> {
    let to = InstanceId::of_hub(NOTE);
    Ok(!store.messages(partition, Some(&to), 0..found.messages_end, 1)?.is_empty())
}

/// What the notes of earlier openings say.
#[derive(Debug, Default)]
struct Before {
    attempts: BTreeMap<InstanceId, Attempt>,
    /// Whether the process ended before any suspect had begun.
    is_quiet: bool,
    messages: Messages,
}

impl Before {
    fn read(store: &dyn Store, claimed: Claims<'_>) -> Result<Self, StoreError> {
        let (mut all, to) = (Self::default(), InstanceId::of_hub(NOTE));
        for (partition, _, state) in claimed {
            for (_, message) in
                store.messages(*partition, Some(&to), 0..state.messages_end, usize::MAX)?
            {
                let EventKind::EventRaised { input, .. } = &message.event else { continue };
                if is_note(&message) {
                    all.messages.push((*partition, message.id));
                    // A note that this release cannot read is as good as none.
                    input.read().into_iter().for_each(|note| all.add(note));
                }
            }
        }
        if all.is_quiet {
            // Something else ends the process, so nothing is known of the instances.
            all.attempts.clear();
        }
        Ok(all)
    }

    fn add(&mut self, note: Note) {
        let Note::Run(attempts) = note else {
            self.is_quiet = true;
            return;
        };
        for attempt in attempts {
            let known = self.attempts.get(&attempt.id);
            if known.is_none_or(|known| known.group == 0) {
                self.attempts.insert(attempt.id.clone(), attempt);
            }
        }
    }
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
    before: &Before,
    held: &HeldBack,
) -> Result<Attempt, StoreError> {
    let Work { state, was_held_back } = work;
    let within_millis = WITHIN_MILLIS;
    let (count, alone, group, operations) = (0, 0, 0, 0);
    let mut attempt = Attempt { id, state, count, alone, group, within_millis, operations };
    if let Some(before) = before.attempts.get(&attempt.id)
        && !before.went_on_to(store, &attempt.state)?
    {
        // Events that arrived in the meantime are no progress, also not at the next opening.
        attempt = before.clone();
        attempt.alone += u32::from(before.group == 1);
    }
    let is_suspect = (was_held_back && !before.is_quiet) || attempt.group > 0;
    if attempt.alone >= ALONE {
        held.set(&attempt.held(), Held::SetAside { attempts: attempt.count + attempt.alone });
    } else if is_suspect || attempt.count >= TRIES {
        attempt.count = attempt.count.max(TRIES);
        held.set(&attempt.held(), Held::Back);
    } else {
        attempt.count += 1;
    }
    Ok(attempt)
}
