//! I16: an answer was true at some moment between the request and the answer.
//!
//! "An operation on an instance is refused. Nothing has changed" (`ManageError`); "the id is taken"
//! (`StartError`); "there is no instance" (`HubError`); "when the returned future completes, the start
//! is durable" (`start`); "the state of an entity as of its last commit" (`entity_state`). This holds
//! whichever process answers.
//!
//! The commits of all processes have one order, so this rule need not search for an order of the
//! operations: each answer must fit a state that its instance or entity had while the operation was
//! in progress. The operations that changed a state are where their commits are, and the others are
//! anywhere between two commits. This file keeps the states; `client/answer.rs` says which answers
//! fit them.

use std::collections::BTreeMap;

use durable::protocol::{ExecutionId, RuntimeStatus};
use durable::store::{Commit, EpisodeWrite};

/// What a client may learn of an instance; `None` if the instance does not exist.
pub(crate) type State = Option<(ExecutionId, RuntimeStatus)>;

/// The states of an instance or entity while an operation was in progress: the state at the
/// request, and the states that commits have made since then.
#[derive(Debug)]
pub(crate) struct Seen<T>(Vec<T>);

/// The states of one instance or entity, each with the number of the commit that made it.
#[derive(Debug)]
struct States<T>(Vec<(u64, T)>);

#[derive(Debug, Default)]
pub(super) struct Answers {
    instances: BTreeMap<String, States<State>>,
    entities: BTreeMap<u8, States<Vec<u64>>>,
    custom_statuses: BTreeMap<String, States<Option<u8>>>,
}

impl Answers {
    pub(super) fn episode(&mut self, episode: &EpisodeWrite, commit: u64) {
        let record = &episode.record;
        let id = record.instance_id.as_str();
        if !id.starts_with('@') {
            let state = Some((record.execution_id, record.runtime_status));
            self.instances.entry(id.to_owned()).or_default().become_(commit, state);
            let status = record.custom_status.as_ref().and_then(|status| status.read().ok());
            self.custom_statuses.entry(id.to_owned()).or_default().become_(commit, status);
        }
    }

    pub(super) fn purges(&mut self, commit: &Commit, number: u64) {
        for (_, id) in &commit.purged {
            if let Some(states) = self.instances.get_mut(id.as_str()) {
                states.become_(number, None);
            }
        }
    }

    /// An entity has these tokens now.
    pub(super) fn entity(&mut self, key: u8, tokens: &[u64], commit: u64) {
        self.entities.entry(key).or_default().become_(commit, tokens.to_vec());
    }

    /// The states of an instance since the commit with this number.
    pub(super) fn of_instance(&self, id: &str, since: u64) -> Seen<State> {
        self.instances.get(id).map(|states| states.since(since)).unwrap_or_default()
    }

    /// The number of custom statuses that an instance has had, except the present one.
    pub(super) fn last_custom_status(&self, id: &str) -> usize {
        self.custom_statuses.get(id).map_or(0, |states| states.0.len().saturating_sub(1))
    }

    /// The number of this custom status of an instance, if the instance has had it, with the number
    /// `from` or a later one.
    pub(super) fn custom_status(&self, id: &str, from: usize, status: u8) -> Option<usize> {
        let later = self.custom_statuses.get(id)?.0.get(from..)?;
        later.iter().position(|(_, it)| *it == Some(status)).map(|place| from + place)
    }

    pub(super) fn of_entity(&self, key: u8, since: u64) -> Seen<Vec<u64>> {
        self.entities.get(&key).map(|states| states.since(since)).unwrap_or_default()
    }
}

impl<T: Clone + Default + PartialEq> States<T> {
    fn become_(&mut self, commit: u64, state: T) {
        if self.0.last().is_none_or(|(_, last)| *last != state) {
            self.0.push((commit, state));
        }
    }

    fn since(&self, since: u64) -> Seen<T> {
        let later = self.0.partition_point(|(commit, _)| *commit <= since);
        let first = later.checked_sub(1).map(|last| self.0[last].1.clone()).unwrap_or_default();
        let changes = self.0[later..].iter().map(|(_, state)| state.clone());
        Seen(std::iter::once(first).chain(changes).collect())
    }
}

impl<T> Default for States<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// If nothing is known of an instance or entity, it never existed.
impl<T: Default> Default for Seen<T> {
    fn default() -> Self {
        Self(vec![T::default()])
    }
}

impl<T> Seen<T> {
    /// Whether any of the states fits.
    pub(crate) fn was(&self, is_it: impl Fn(&T) -> bool) -> bool {
        self.0.iter().any(is_it)
    }

    /// Whether any change from one state to the next fits.
    pub(crate) fn became(&self, is_it: impl Fn(&T, &T) -> bool) -> bool {
        self.0.windows(2).any(|states| matches!(states, [from, to] if is_it(from, to)))
    }
}

impl Seen<State> {
    /// Whether the instance existed and had a status that fits.
    pub(crate) fn had(&self, is_it: impl Fn(RuntimeStatus) -> bool) -> bool {
        self.was(|state| state.is_some_and(|(_, status)| is_it(status)))
    }

    /// The statuses, in their order.
    pub(crate) fn statuses(&self) -> String {
        let status = |state: &State| match state {
            Some((_, status)) => status.to_string(),
            None => "missing".to_owned(),
        };
        self.0.iter().map(status).collect::<Vec<_>>().join(", then ")
    }

    /// Whether the instance was missing at some moment.
    pub(crate) fn was_missing(&self) -> bool {
        self.was(Option::is_none)
    }

    /// The status of the instance, if its state was the same all the time.
    pub(crate) fn stayed(&self) -> Option<RuntimeStatus> {
        match self.0[..] {
            [Some((_, status))] => Some(status),
            _ => None,
        }
    }
}
