//! From the events of a history to lanes.
//!
//! One pass over the history opens a lane for each request and closes it with the answer. Lanes
//! that are still open at the end are completed from what the instance waits for.

use std::collections::{HashMap, HashSet};

use durable::protocol::{EventKind, HistoryEvent, Timestamp};

use super::draft::Draft;
use super::instance::InstanceLane;
use super::{LaneKind, LaneState, Phase, PointKind, Source, Start, Waits, request};

/// The lanes of a history, and the data that links one to the next.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) drafts: Vec<Draft>,
    /// The index of each answer in the history, ascending, with the index of its lane.
    pub(super) answers: Vec<(usize, usize)>,
    pub(super) started_at: Timestamp,
    /// The time of the earliest event.
    pub(super) first_at: Timestamp,
    pub(super) ended_at: Option<Timestamp>,
    /// The index of the event that ended the execution.
    pub(super) ended_index: Option<usize>,
    /// The time of the latest event.
    pub(super) last_at: Timestamp,
}

pub(super) fn read(source: &Source<'_>) -> Read {
    let mut reader = Reader::new(source);
    for (index, event) in source.history.iter().enumerate() {
        reader.first_at = reader.first_at.min(event.timestamp);
        reader.last_at = reader.last_at.max(event.timestamp);
        reader.event(index, event);
    }
    reader.finish()
}

struct Reader<'a> {
    source: &'a Source<'a>,
    instance: InstanceLane,
    /// All lanes except the lane of the instance.
    drafts: Vec<Draft>,
    by_task: HashMap<i32, usize>,
    /// The lanes of events by lower-case name, in the order of arrival.
    by_event: HashMap<String, Vec<usize>>,
    answers: Vec<(usize, usize)>,
    episode: usize,
    /// The episodes that made requests or ended the execution, with their times.
    active: Vec<(usize, Timestamp)>,
    /// When the orchestrator last made progress.
    progress: Timestamp,
    first_at: Timestamp,
    last_at: Timestamp,
    ended: Option<(usize, Timestamp)>,
}

impl<'a> Reader<'a> {
    fn new(source: &'a Source<'a>) -> Self {
        let first = source.history.first();
        let started_at = first.map_or(source.status.created_at, |event| event.timestamp);
        Self {
            source,
            instance: InstanceLane::new(source.status, started_at),
            drafts: Vec::new(),
            by_task: HashMap::new(),
            by_event: HashMap::new(),
            answers: Vec::new(),
            episode: 0,
            active: Vec::new(),
            progress: started_at,
            first_at: started_at,
            last_at: started_at,
            ended: None,
        }
    }

    fn event(&mut self, index: usize, event: &HistoryEvent) {
        let at = event.timestamp;
        match &event.kind {
            EventKind::OrchestratorStarted => self.episode += 1,
            EventKind::ExecutionCompleted { .. } => {
                self.instance.event(event);
                self.ended = Some((index, at));
                self.active.push((self.episode, at));
            }
            EventKind::ExecutionRewound { .. } => {
                self.instance.event(event);
                self.ended = None;
                self.drafts.iter_mut().for_each(|draft| draft.rewound(at));
            }
            EventKind::TimerFired { timer_id: -1, .. }
            | EventKind::ExecutionStarted(_)
            | EventKind::ExecutionTerminated { .. }
            | EventKind::ExecutionSuspended { .. }
            | EventKind::ExecutionResumed { .. }
            | EventKind::GenericEvent { .. } => self.instance.event(event),
            EventKind::EventRaised { name, .. } => self.raised(index, at, name),
            kind => {
                if !self.requested(index, event) {
                    self.answer(index, at, kind);
                }
            }
        }
    }

    fn raised(&mut self, index: usize, at: Timestamp, name: &str) {
        let since = self.progress.min(at);
        let mut draft = Draft::new(format!("e{index}"), LaneKind::Event, name, index, since);
        draft.bar(since, at, Phase::Waiting, Start::Estimated);
        draft.point(at, PointKind::Arrived, None);
        draft.answered = Some(index);
        draft.lane.state = LaneState::Completed;
        draft.lane.until = Some(at);
        self.answers.push((index, self.drafts.len()));
        self.by_event.entry(name.to_lowercase()).or_default().push(self.drafts.len());
        self.drafts.push(draft);
        self.progress = at;
    }

    /// Opens the lane of a request. Returns whether the event is one.
    fn requested(&mut self, index: usize, event: &HistoryEvent) -> bool {
        let Some(mut draft) = request::draft(index, event) else { return false };
        self.noted_request(event.timestamp);
        if let EventKind::EntityUnlockSent { task_scheduled_id, .. } = &event.kind
            && self.unlocked(*task_scheduled_id, event)
        {
            return true;
        }
        draft.episode = self.episode;
        self.open(event.event_id, draft);
        true
    }

    fn open(&mut self, task: i32, mut draft: Draft) {
        if task >= 0 {
            draft.lane.tasks.push((task, task));
            if self.by_task.contains_key(&task) {
                // A history has each id once. The first event is the request.
                return;
            }
            self.by_task.insert(task, self.drafts.len());
        }
        self.drafts.push(draft);
    }

    fn noted_request(&mut self, at: Timestamp) {
        if self.active.last().is_none_or(|(episode, _)| *episode < self.episode) {
            self.active.push((self.episode, at));
        }
    }

    /// Closes the lane of a critical section. Returns whether there is one.
    fn unlocked(&mut self, lock: i32, event: &HistoryEvent) -> bool {
        let Some(index) = self.by_task.get(&lock).copied() else { return false };
        let draft = &mut self.drafts[index];
        if draft.lane.kind != LaneKind::Lock {
            return false;
        }
        draft.unlocked(event.timestamp);
        let task = event.event_id;
        if task >= 0 && self.by_task.insert(task, index).is_none() {
            draft.lane.tasks.push((task, task));
            draft.lane.tasks.sort_unstable();
        }
        true
    }

    fn answer(&mut self, index: usize, at: Timestamp, kind: &EventKind) {
        let (task, failure, began) = match kind {
            EventKind::TaskCompleted { task_scheduled_id: task, began, .. } => {
                (*task, None, *began)
            }
            EventKind::SubOrchestrationInstanceCompleted { task_scheduled_id: task, .. }
            | EventKind::EntityOperationCompleted { task_scheduled_id: task, .. }
            | EventKind::EntityLockGranted { task_scheduled_id: task }
            | EventKind::TimerFired { timer_id: task, .. } => (*task, None, None),
            EventKind::TaskFailed { task_scheduled_id: task, failure, began, .. } => {
                (*task, Some(failure), *began)
            }
            EventKind::SubOrchestrationInstanceFailed { task_scheduled_id: task, failure }
            | EventKind::EntityOperationFailed { task_scheduled_id: task, failure } => {
                (*task, Some(failure), None)
            }
            EventKind::TaskAttemptFailed { task_scheduled_id, .. } => {
                if let Some(draft) = self.by_task.get(task_scheduled_id) {
                    self.drafts[*draft].attempt_failed(at, kind);
                }
                return;
            }
            _ => return,
        };
        let Some(draft) = self.by_task.get(&task).copied() else { return };
        match failure {
            None => self.drafts[draft].completed(index, at, began),
            Some(failure) => self.drafts[draft].failed(index, at, began, failure),
        }
        self.answers.push((index, draft));
        self.progress = at;
    }

    fn finish(mut self) -> Read {
        let status = self.source.status;
        let ended_at = match self.ended {
            Some((_, at)) => Some(at),
            None => status.runtime_status.is_finished().then_some(status.last_updated_at),
        };
        let ended_at = ended_at.map(|at| at.max(self.instance.started_at()));
        let now = self.source.now.max(self.last_at);
        for draft in self.drafts.iter_mut().filter(|draft| draft.is_open()) {
            let id = draft.lane.tasks.first().map_or(-1, |(id, _)| *id);
            let is_awaited = |waits: &Waits| waits.tasks.contains(&id) || draft.holds_locks();
            if ended_at.is_none() && self.source.waits.is_none_or(is_awaited) {
                draft.continues(now);
            } else {
                // The first later episode that made requests is the first that can have dropped it.
                let later = self.active.partition_point(|(it, _)| *it <= draft.episode);
                let dropped = self.active.get(later).map(|(_, at)| *at);
                draft.abandoned(dropped.or(ended_at).unwrap_or(now).min(ended_at.unwrap_or(now)));
            }
        }
        if let Some(waits) = self.source.waits.filter(|_| ended_at.is_none()) {
            self.events_of(waits, now);
        }
        let started_at = self.instance.started_at();
        let ended_index = self.ended.map(|(index, _)| index);
        let instance = self.instance.finish(status, ended_at, now);
        // The lane of the instance is the first.
        self.drafts.insert(0, instance);
        self.answers.iter_mut().for_each(|(_, draft)| *draft += 1);
        let (answers, drafts) = (self.answers, self.drafts);
        let (first_at, last_at) = (self.first_at, self.last_at);
        Read { drafts, answers, started_at, first_at, ended_at, ended_index, last_at }
    }

    /// Marks unread events, and adds awaited ones.
    fn events_of(&mut self, waits: &Waits, now: Timestamp) {
        let mut unread = HashSet::new();
        for name in waits.unread.iter().rev() {
            let of_name = self.by_event.get_mut(&name.to_lowercase());
            let Some(index) = of_name.and_then(Vec::pop) else { continue };
            let draft = &mut self.drafts[index];
            unread.insert(index);
            draft.lane.state = LaneState::Unread;
            draft.lane.bars.clear();
            draft.lane.since = draft.lane.until.unwrap_or(draft.lane.since);
        }
        self.answers.retain(|(_, draft)| !unread.contains(draft));
        for (number, name) in waits.events.iter().enumerate() {
            let index = self.source.history.len();
            let wait = waits.event_waits.get(number);
            let (since, start) = match wait {
                Some(wait) => (wait.since, Start::Known),
                None => (self.progress, Start::Estimated),
            };
            let mut draft = Draft::new(format!("w{number}"), LaneKind::Event, name, index, since);
            draft.lane.source = wait.map(|wait| wait.source.clone());
            draft.bar(since, now, Phase::Waiting, start);
            self.drafts.push(draft);
        }
    }
}
