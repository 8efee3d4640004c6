//! The requests of an execution and the tasks that wait for their results.
//!
//! Rules:
//! 1. Ids count up from 0 in the order in which the orchestrator asks.
//! 2. A request is *unrecorded* until its event is in the history. Its task is *open* from then on
//!    until its result is delivered.
//! 3. A task that is dropped without its result is abandoned: an unrecorded request is forgotten, a
//!    recorded one is cancelled.

use std::collections::BTreeMap;

use super::groups::{Slot, Woken};
use crate::orchestration::request::Request;
use crate::protocol::{FailureDetails, Json};

/// The result of a task.
pub(crate) type TaskResult = Result<Json, FailureDetails>;

/// All requests of an execution that are unrecorded or have no result.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    next_id: i32,
    unrecorded: BTreeMap<i32, Box<Request>>,
    awaited: BTreeMap<i32, Awaited>,
    /// Number of entries in `awaited` without a result.
    pending: usize,
    cancelled: Vec<i32>,
}

/// A task that has not taken its result.
#[derive(Debug)]
struct Awaited {
    /// The child that polled it last.
    waiter: Option<Slot>,
    result: Option<TaskResult>,
}

impl Tasks {
    /// The id of the next request, which is the number of requests so far.
    pub(super) fn next_id(&self) -> i32 {
        self.next_id
    }

    /// Adds a request. Unless it is one-way, `waiter` waits for its result.
    pub(super) fn add(&mut self, request: Box<Request>, waiter: Option<Slot>) {
        let id = self.next_id;
        self.next_id = id.saturating_add(1);
        if !request.is_one_way() {
            self.awaited.insert(id, Awaited { waiter, result: None });
            self.pending += 1;
        }
        self.unrecorded.insert(id, request);
    }

    /// Takes the result of a task. If it has not arrived, its arrival will wake `waiter`.
    pub(super) fn take_result(&mut self, id: i32, waiter: Option<Slot>) -> Option<TaskResult> {
        let task = self.awaited.get_mut(&id)?;
        task.waiter = waiter;
        let result = task.result.take()?;
        self.awaited.remove(&id);
        Some(result)
    }

    /// Stops waiting for a task (rule 3).
    pub(super) fn abandon(&mut self, id: i32) {
        if self.awaited.remove(&id).is_some_and(|task| task.result.is_none()) {
            self.pending -= 1;
            if self.unrecorded.remove(&id).is_none() {
                self.cancelled.push(id);
            }
        }
    }

    /// Delivers the result of a task; nothing is woken if no task has this id.
    pub(super) fn resolve(&mut self, id: i32, result: TaskResult) -> Option<Woken> {
        let task = self.awaited.get_mut(&id)?;
        if task.result.replace(result).is_none() {
            self.pending -= 1;
        }
        Some(Woken(task.waiter))
    }

    /// Records the request with this id, if it is unrecorded.
    pub(super) fn record(&mut self, id: i32) -> Option<Box<Request>> {
        self.unrecorded.remove(&id)
    }

    /// Records all requests that are unrecorded, in order.
    pub(super) fn record_all(&mut self) -> BTreeMap<i32, Box<Request>> {
        std::mem::take(&mut self.unrecorded)
    }

    pub(super) fn first_unrecorded(&self) -> Option<&Request> {
        self.unrecorded.first_key_value().map(|(_, request)| &**request)
    }

    /// Whether a task was cancelled since [`take_cancelled`](Self::take_cancelled) was last called.
    pub(super) fn is_cancelled(&self, id: i32) -> bool {
        self.cancelled.contains(&id)
    }

    pub(super) fn take_cancelled(&mut self) -> Vec<i32> {
        std::mem::take(&mut self.cancelled)
    }

    /// Whether a task is recorded and has no result.
    pub(super) fn is_open(&self, id: i32) -> bool {
        !self.unrecorded.contains_key(&id)
            && self.awaited.get(&id).is_some_and(|task| task.result.is_none())
    }

    /// Whether a task has no result, recorded or not.
    pub(super) fn has_pending(&self) -> bool {
        self.pending > 0
    }
}

/// Random requests, recordings, results and drops, compared with a list of tasks.
#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::super::random::Random;
    use super::*;
    use crate::orchestration::request::Ask;
    use crate::protocol::{InstanceId, Json, Timestamp};

    /// A task as rules 1 to 3 describe it.
    #[derive(Clone, Copy, Debug, Default)]
    #[expect(clippy::struct_excessive_bools, reason = "any combination can be reached")]
    struct Model {
        is_one_way: bool,
        is_recorded: bool,
        has_result: bool,
        /// Its result was taken, or it was abandoned.
        is_over: bool,
        is_forgotten: bool,
    }

    fn request(is_one_way: bool) -> Box<Request> {
        let ask = if is_one_way {
            let instance_id = InstanceId::new("other").unwrap();
            Ask::SendEvent { instance_id, name: "n".to_owned(), input: Json::null() }
        } else {
            Ask::Timer { fire_at: Timestamp::default(), limit: None }
        };
        Box::new(Request { ask, source: Location::caller() })
    }

    fn step(random: &mut Random, tasks: &mut Tasks, model: &mut Vec<Model>) {
        let number = random.below(model.len().max(1));
        let id = i32::try_from(number).unwrap();
        match (random.below(6), model.get_mut(number)) {
            (0, _) | (_, None) => {
                let is_one_way = random.below(4) == 0;
                tasks.add(request(is_one_way), None);
                model.push(Model { is_one_way, ..Model::default() });
            }
            (1, Some(task)) => {
                let recorded = tasks.record(id).is_some();
                assert_eq!(recorded, !task.is_recorded && !task.is_forgotten);
                task.is_recorded |= recorded;
            }
            (2, Some(task)) => {
                let is_awaited = !task.is_one_way && !task.is_over;
                assert_eq!(tasks.resolve(id, Ok(Json::null())).is_some(), is_awaited);
                task.has_result |= is_awaited;
            }
            (3, Some(task)) => {
                let is_ready = task.has_result && !task.is_over;
                assert_eq!(tasks.take_result(id, None).is_some(), is_ready);
                task.is_over |= is_ready;
            }
            (4, Some(task)) => {
                let counts = !task.is_one_way && !task.is_over && !task.has_result;
                tasks.abandon(id);
                let cancelled = counts && task.is_recorded;
                assert_eq!(tasks.take_cancelled(), if cancelled { vec![id] } else { vec![] });
                task.is_forgotten |= counts && !task.is_recorded;
                task.is_over |= !task.is_one_way;
            }
            (_, Some(_)) => {
                let unrecorded = |task: &Model| !task.is_recorded && !task.is_forgotten;
                let expected = (0..).zip(&*model).filter(|(_, task)| unrecorded(task));
                let expected: Vec<i32> = expected.map(|(id, _)| id).collect();
                assert_eq!(tasks.first_unrecorded().is_some(), !expected.is_empty());
                assert_eq!(tasks.record_all().into_keys().collect::<Vec<_>>(), expected);
                for task in model {
                    task.is_recorded |= !task.is_forgotten;
                }
            }
        }
    }

    #[test]
    fn tasks_are_recorded_resolved_and_cancelled() {
        for seed in 1..=500 {
            let (mut random, mut tasks, mut model) =
                (Random(seed), Tasks::default(), Vec::<Model>::new());
            for _ in 0..200 {
                step(&mut random, &mut tasks, &mut model);
                let is_pending = |it: &Model| !it.is_one_way && !it.is_over && !it.has_result;
                assert_eq!(tasks.has_pending(), model.iter().any(is_pending), "seed {seed}");
                for (id, task) in (0..).zip(&model) {
                    let is_open = task.is_recorded && is_pending(task);
                    assert_eq!(tasks.is_open(id), is_open, "seed {seed}, task {id}");
                }
            }
            assert_eq!(usize::try_from(tasks.next_id()).unwrap(), model.len());
        }
    }
}
