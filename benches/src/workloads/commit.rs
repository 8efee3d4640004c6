//! `commit/1` and `step/64`: commits of 1 and of 64 steps, straight into the embedded store.
//!
//! A step is what a hub writes for one: the four events of an episode with about 200 bytes of JSON
//! in each payload, the instance's record, a message consumed and a message sent; 1,000 instances
//! take turns. All commits of a run are made before it, so the time is the store's alone. The raw
//! log appends and syncs as many bytes, commit for commit.

use std::time::Duration;

use durable::protocol::{
    EventKind, ExecutionId, ExecutionStarted, HistoryEvent, HubRecord, InstanceId, InstanceRecord,
    Json, MessageId, PartitionId, RuntimeStatus, Tags, TaskMessage, Timestamp,
};
use durable::store::{Commit, EpisodeWrite, SledStore, Store};
use durable::{Error, Result};

use crate::clock::now;
use crate::plan::Plan;
use crate::raw::RawLog;
use crate::recorder::bytes_of;
use crate::report::{Engine, Report, Unit};
use crate::stats::percentile;

const INSTANCES: u32 = 1000;
const PARTITION: PartitionId = PartitionId(0);

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let (plan, mut moved) = (plan.clone(), std::mem::take(report));
    let done = tokio::task::spawn_blocking(move || {
        group(&plan, &mut moved, "commit/1", 1, plan.pick(500, 20_000))?;
        group(&plan, &mut moved, "step/64", 64, plan.pick(1000, 5000))?;
        Ok::<_, Error>(moved)
    });
    *report = done.await??;
    Ok(())
}

fn group(plan: &Plan, report: &mut Report, name: &str, steps: usize, commits: usize) -> Result<()> {
    for _ in plan.rounds(Duration::from_secs(3)) {
        let commits = Writer::new().commits(commits, steps)?;
        let sizes: Vec<_> = commits.iter().map(bytes_of).collect();
        add(report, name, Engine::Durable, steps, &durable(plan, commits)?);
        add(report, name, Engine::Raw, steps, &raw(plan, &sizes)?);
    }
    Ok(())
}

fn add(report: &mut Report, name: &str, engine: Engine, steps: usize, times: &[Duration]) {
    let total: Duration = times.iter().sum();
    let rate = (times.len() * steps) as f64 / total.as_secs_f64();
    report.add(name, engine, Unit("steps/s"), rate);
    let times: Vec<_> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
    for (part, percent) in [("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9)] {
        report.add(&format!("{name}/{part}"), engine, Unit("us"), percentile(&times, percent));
    }
}

/// For how long one engine commits in one run at most: on a busy disk there are fewer commits.
fn limit(plan: &Plan) -> Duration {
    plan.pick(Duration::from_millis(500), Duration::from_secs(8))
}

fn durable(plan: &Plan, commits: Vec<Commit>) -> Result<Vec<Duration>> {
    let folder = plan.fresh()?;
    let store = SledStore::open(folder.path())?;
    let created_at = Timestamp::default();
    store.create(&HubRecord::new(1, created_at))?;
    let epoch = store.claim(PARTITION)?;
    let mut times = Vec::with_capacity(commits.len());
    let until = now() + limit(plan);
    for mut commit in commits.into_iter().take_while(|_| now() < until) {
        commit.owners = vec![(PARTITION, epoch)];
        let began = now();
        store.commit(&commit)?;
        times.push(began.elapsed());
    }
    Ok(times)
}

fn raw(plan: &Plan, sizes: &[usize]) -> Result<Vec<Duration>> {
    let folder = plan.fresh()?;
    let mut log = RawLog::create(folder.path())?;
    let until = now() + limit(plan);
    sizes.iter().take_while(|_| now() < until).map(|&bytes| log.append(bytes)).collect()
}

/// Makes commits as a hub would.
struct Writer {
    records: Vec<InstanceRecord>,
    /// The message that each instance has not consumed yet.
    waiting: Vec<Option<MessageId>>,
    payload: Json,
    next: u32,
}

impl Writer {
    fn new() -> Self {
        Self { records: Vec::new(), waiting: Vec::new(), payload: Json::null(), next: 0 }
    }

    fn commits(mut self, commits: usize, steps: usize) -> Result<Vec<Commit>> {
        self.payload = Json::parse(&format!("\"{}\"", "x".repeat(198)))?;
        for n in 0..INSTANCES {
            let id = InstanceId::new(format!("{:032x}", u128::from(n) * 0x9e37_79b9_7f4a_7c15))?;
            let execution = ExecutionId::from_u128(u128::from(n) * 0x9e37_79b9_7f4a_7c15);
            let mut record = InstanceRecord::new(id, execution, "order", None, at(0));
            record.runtime_status = RuntimeStatus::Running;
            record.active = true;
            self.records.push(record);
            self.waiting.push(None);
        }
        Ok((0..commits).map(|_| self.commit(steps)).collect())
    }

    fn commit(&mut self, steps: usize) -> Commit {
        let mut commit = Commit::default();
        for _ in 0..steps {
            self.step(&mut commit);
        }
        commit
    }

    fn step(&mut self, commit: &mut Commit) {
        let n = self.next;
        self.next += 1;
        let place = (n % INSTANCES) as usize;
        let time = at(i64::from(n));
        let task = i32::try_from(n / INSTANCES).unwrap_or(i32::MAX);
        let events = self.events(time, task);
        let record = &mut self.records[place];
        record.last_episode = record.history_len;
        record.history_len += events.len() as u64;
        record.last_updated_at = time;
        let (record, partition) = (record.clone(), PARTITION);
        let event = EventKind::task_result(task, Ok(self.payload.clone()));
        let id = MessageId::from_u128(u128::from(n) + 1);
        let mut message = TaskMessage::new(id, record.instance_id.clone(), event);
        message.execution_id = Some(record.execution_id);
        let consumed = self.waiting[place].replace(message.id);
        commit.consumed.extend(consumed.map(|id| (PARTITION, id)));
        commit.messages.push((PARTITION, message));
        commit.episodes.push(EpisodeWrite::new(partition, record, events));
    }

    /// The events of an episode: a result came, and the next activity is asked for.
    fn events(&self, time: Timestamp, task: i32) -> Vec<HistoryEvent> {
        let payload = || self.payload.clone();
        let came = match task {
            0 => {
                let id = ExecutionId::from_u128(1);
                ExecutionStarted::new("order", None, payload(), id).into()
            }
            _ => EventKind::task_result(task - 1, Ok(payload())),
        };
        let asked = EventKind::TaskScheduled {
            name: "charge".to_owned(),
            version: None,
            input: payload(),
            source: Some("src/order.rs:17".to_owned()),
            tags: Tags::new(),
        };
        vec![
            HistoryEvent::new(time, EventKind::OrchestratorStarted),
            HistoryEvent::new(time, came),
            HistoryEvent::action(task, time, asked),
            HistoryEvent::new(time, EventKind::OrchestratorCompleted),
        ]
    }
}

fn at(n: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + n * 100).unwrap_or_default()
}
