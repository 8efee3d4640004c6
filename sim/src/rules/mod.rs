//! The rules that every commit must obey, whatever the hub does.
//!
//! Each rule is a file, which names the source of its promise. A rule sees only commits and the
//! store: it imports only `protocol` and `store` from the library.

mod answer;
mod entity;
mod event;
mod history;
mod lock;
mod message;
mod order;
mod owner;
mod punctual;
mod readable;
mod retry;
mod schedule;
mod status;
mod suspension;
mod tree;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use durable::protocol::{InstanceId, Timestamp};
use durable::store::{Commit, Store};
use durable::testing::sim::Observer;

pub(crate) use self::answer::{Seen, State};
pub(crate) use self::entity::token_of;
pub(crate) use self::schedule::Shown;
use crate::trace;

/// The commits so far, shared by the rules, the clients and the end of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Committed(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
pub(crate) struct Known {
    messages: message::Messages,
    histories: history::Histories,
    statuses: status::Statuses,
    entities: entity::Entities,
    tree: tree::Tree,
    schedules: schedule::Schedules,
    suspensions: suspension::Suspensions,
    events: event::Events,
    punctual: punctual::Punctual,
    answers: answer::Answers,
    commits: u64,
    /// The number of committed episodes.
    pub(crate) episodes: u64,
    /// The instance of the latest episode.
    pub(crate) last: Option<InstanceId>,
}

impl Committed {
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn commits(&self) -> u64 {
        self.known().commits
    }

    /// The states of an instance since the commit with this number.
    pub(crate) fn seen(&self, id: &str, since: u64) -> Seen<State> {
        self.known().answers.of_instance(id, since)
    }

    /// The states of an entity since the commit with this number.
    pub(crate) fn seen_entity(&self, key: u8, since: u64) -> Seen<Vec<u64>> {
        self.known().answers.of_entity(key, since)
    }

    /// The number of custom statuses that an instance has had, except the present one.
    pub(crate) fn last_custom_status(&self, id: &str) -> usize {
        self.known().answers.last_custom_status(id)
    }

    /// The number of this custom status of an instance, if the instance has had it, with the number
    /// `from` or a later one.
    pub(crate) fn custom_status(&self, id: &str, from: usize, status: u8) -> Option<usize> {
        self.known().answers.custom_status(id, from, status)
    }

    /// Whether the event with this number is in a history, or may have been in one.
    pub(crate) fn has_raised(&self, id: &InstanceId, number: u64) -> bool {
        self.known().events.has_raised(id, number)
    }

    /// From now on, time passes only when no actor can continue.
    pub(crate) fn calms_down(&self, now: Timestamp) {
        self.known().punctual.calms_down(now);
    }

    /// Whether an operation was carried out. An entity created and deleted in one batch is never
    /// written.
    pub(crate) fn has_token(&self, key: u8, token: u64) -> bool {
        let known = self.known();
        known.entities.has_seen(key, token) || known.entities.was_deleted(key)
    }

    /// Called when a client was told that this operation will be carried out.
    pub(crate) fn expects(&self, key: u8, token: u64) {
        self.known().entities.expect(key, token);
    }

    /// Called when a client asks for the cancellation of the signal with this operation.
    pub(crate) fn asks_cancel(&self, key: u8, token: u64) {
        self.known().entities.ask_cancel(key, token);
    }

    /// Called when a client was told that this operation will never be carried out.
    pub(crate) fn cancels(&self, key: u8, token: u64) -> Result<(), String> {
        self.known().entities.cancel(key, token)
    }

    /// Called when a client sends an operation that needs no lock and is not delayed.
    pub(crate) fn sends(&self, key: u8, token: u64) {
        self.known().entities.sends(key, token);
    }

    /// Whether the state of an entity had this token at another index.
    pub(crate) fn is_elsewhere(&self, key: u8, token: u64, place: usize) -> bool {
        self.known().entities.is_elsewhere(key, token, place)
    }

    pub(crate) fn asks_delete(&self, key: u8) {
        self.known().entities.ask_delete(key);
    }

    /// Called when a client was told that its deletion of an entity was carried out or is stored.
    pub(crate) fn confirms_delete(&self, key: u8) {
        self.known().entities.confirm_delete(key);
    }

    pub(crate) fn asks_purge(&self, id: &str, recursively: bool) {
        self.known().tree.ask_purge(id, recursively);
    }

    pub(crate) fn asks_purge_of_all(&self) {
        self.known().tree.ask_purge_of_all();
    }

    pub(crate) fn asks_end(&self, id: &str) {
        self.known().tree.ask_end(id);
    }

    pub(crate) fn asks_rewind(&self, id: &str) {
        self.known().tree.ask_rewind(id);
    }

    /// Whether a client requested the rewind of an instance, or of one of its callers.
    pub(crate) fn was_rewound(&self, id: &str) -> bool {
        InstanceId::new(id).is_ok_and(|id| self.known().tree.was_rewound(&id))
    }

    pub(crate) fn begins_change(&self, schedule: &str) -> Option<u64> {
        self.known().schedules.begin(schedule)
    }

    /// Called when a schedule was changed; a pause is in force from this time on.
    pub(crate) fn ends_change(
        &self,
        schedule: &str,
        change: Option<u64>,
        paused: Option<Timestamp>,
    ) {
        self.known().schedules.end(schedule, change, paused);
    }

    /// What clients were shown of the schedules with an id.
    pub(crate) fn shown(&self, schedule: &str) -> Shown {
        self.known().schedules.shown(schedule)
    }

    /// Called when a client was shown the number of runs of a schedule.
    pub(crate) fn shows(&self, schedule: &str, created_at: Timestamp, runs: u64) {
        self.known().schedules.show(schedule, created_at, runs);
    }

    pub(crate) fn begins_deletion(&self, schedule: &str) {
        self.known().schedules.begin_deletion(schedule);
    }

    /// The process has ended.
    pub(crate) fn cut_off(&self) {
        self.known().schedules.cut_off();
    }

    pub(crate) fn disturbs_schedule(&self, id: &str) {
        self.known().schedules.disturb(id);
    }

    /// Called when code was deployed that need not fit running instances.
    pub(crate) fn permits_suspensions(&self) {
        self.known().suspensions.permit();
    }

    /// The keys of the entities that are locked.
    pub(crate) fn locked(store: &dyn Store) -> BTreeSet<u8> {
        lock::owners_live(store).unwrap_or_default()
    }

    /// Checks what must be true when no actor can continue.
    pub(crate) fn at_rest(&self, store: &dyn Store) -> Result<(), String> {
        let known = self.known();
        known.entities.at_rest(&lock::owners_live(store)?)?;
        known.schedules.at_rest()?;
        known.messages.at_rest()
    }
}

/// A commit in which the messages to other processes are among the others, so that a rule that does
/// not concern processes need not know which process owns a partition.
fn with_sent(commit: &Commit) -> Commit {
    let mut whole = commit.clone();
    let sent = std::mem::take(&mut whole.sent);
    whole.messages.extend(sent.into_iter().map(|(_, to, message)| (to, message)));
    whole
}

impl Observer for Committed {
    fn before(&mut self, commit: &Commit, _store: &dyn Store) -> Result<(), String> {
        let known = &mut *self.known();
        known.commits += 1;
        known.messages.between_processes(commit)?;
        owner::names_its_partitions(commit)?;
        let whole;
        let mut commit = commit;
        if !commit.sent.is_empty() {
            whole = with_sent(commit);
            commit = &whole;
        }
        known.messages.before(commit)?;
        known.tree.before(commit)?;
        message::are_in_order(commit)?;
        readable::failures_are_short(commit)?;
        for episode in &commit.episodes {
            let id = &episode.record.instance_id;
            // A signal that is not due may wait in the long queue of a locked entity, and only a
            // restart reads it before the others.
            if !id.as_str().contains('#') {
                known.episodes += 1;
                known.last = Some(id.clone());
            }
            known.events.episode(episode, known.tree.may_be_replaced(id))?;
            known.answers.episode(episode, known.commits);
            let may_end = |id: &InstanceId| known.tree.may_end(id);
            known.statuses.episode(episode, may_end)?;
            known.suspensions.episode(episode)?;
        }
        suspension::children_answer(commit)?;
        known.statuses.purges(commit);
        known.answers.purges(commit, known.commits);
        let states = known.entities.commit(commit, &known.messages)?;
        for (key, tokens) in states {
            known.answers.entity(key, &tokens, known.commits);
        }
        known.schedules.commit(commit)
    }

    fn after(&mut self, commit: &Commit, store: &dyn Store) -> Result<(), String> {
        let known = &mut *self.known();
        for (_, id) in &commit.purged {
            known.histories.forget(id);
        }
        for episode in &commit.episodes {
            let id = &episode.record.instance_id;
            // A later episode of the same group may have replaced this one.
            let Ok(Some(record)) = store.instance(id) else {
                return Err(format!("I2 {id} was committed and is not there"));
            };
            if id.as_str().starts_with('@') {
                continue;
            }
            let read = store.history(id, record.execution_id, 0);
            let history = read.map_err(|error| error.to_string())?;
            if episode.replaces.is_some() {
                known.histories.forget(id);
            }
            known.histories.grows(id, record.execution_id, &history)?;
            known.punctual.episode(episode, &history)?;
            history::is_well_formed(&history).map_err(|wrong| format!("I3 {id}: {wrong}"))?;
            let is_its_own = !trace::has_changed(record.execution_id);
            if record.runtime_status.is_finished() && is_its_own {
                retry::by_the_book(&history).map_err(|wrong| format!("I4 {id}: {wrong}"))?;
            }
            order::events_in_order(&record, &history)?;
        }
        Ok(())
    }
}
