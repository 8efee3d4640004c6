//! Runs a case on a hub with virtual time, in one of several ways, and returns the result.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use durable::RuntimeStatus;
use durable::client::{EntityQuery, InstanceQuery, InstanceStatus, ManageError};
use durable::prelude::*;
use durable::protocol::FailureDetails;
use durable::testing::{RecordedHistory, TestHub, verify_replay_strictly};

use crate::chance::Chance;
use crate::interpret::{
    Args, Counter, ROOT, STRANGER, World, event_name, hang, program, sorted, stranger,
};
use crate::program::{Action, Case, Child, ChildId, Does, Micros, Node, SECOND};

/// The time by which a case has ended, which is longer than all of its sleeps together.
pub(crate) const HORIZON: Micros = 1_000_000 * SECOND;
/// The kind of finding of a run that hangs.
pub(crate) const HANGS: &str = "the hub hangs";
/// A run that takes this long in real time is considered to hang.
const PATIENCE: Duration = Duration::from_secs(15);

/// What is done to the hub while a case runs. It must not affect the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disturbance {
    Nothing,
    /// Every instance is evicted after each episode.
    Eviction,
    /// The hub is shut down and opened again at random moments.
    Reopening,
    /// The hub crashes at random moments.
    Crashes,
    /// The instance is suspended and resumed, and no time passes in between.
    Pauses,
}

/// A way to run a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) disturbance: Disturbance,
    pub(crate) has_shadow_replay: bool,
}

/// Something is wrong. The kind stays the same while a case is shrunk.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) kind: &'static str,
    pub(crate) text: String,
}

/// The result of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// How the instance ended, if it has ended and still exists.
    pub(crate) end: Option<String>,
    pub(crate) log: Vec<String>,
    /// The answer to each action of the script.
    pub(crate) answers: Vec<String>,
    /// The number of instances in each state, and the states of the entities.
    pub(crate) statuses: BTreeMap<String, usize>,
    pub(crate) counters: BTreeMap<String, u64>,
}

impl Way {
    /// All ways. The others are compared with the first one.
    pub(crate) fn all() -> Vec<Self> {
        let way = |disturbance, has_shadow_replay| Self { disturbance, has_shadow_replay };
        vec![
            way(Disturbance::Nothing, true),
            way(Disturbance::Eviction, false),
            way(Disturbance::Crashes, true),
            way(Disturbance::Pauses, false),
            way(Disturbance::Eviction, true),
            way(Disturbance::Reopening, false),
        ]
    }

    /// Whether a case promises the same result this way.
    pub(crate) fn fits(self, case: &Case) -> bool {
        match self.disturbance {
            Disturbance::Nothing | Disturbance::Eviction => true,
            // An attempt that was running begins again, and so does its time limit.
            Disturbance::Reopening | Disturbance::Crashes => !case.program.body.has(&|node| {
                matches!(node, Node::Activity(call)
                    if call.does == Does::Hang && call.options.attempt_timeout.is_some())
            }),
            Disturbance::Pauses => {
                !case.script.iter().any(|(_, action)| matches!(action, Action::Suspend))
            }
        }
    }
}

/// Runs a case, and gives up if it hangs.
pub(crate) async fn run(case: &Case, way: Way, seed: u64) -> Result<Observed, Finding> {
    let stage = Stage::new(case, way, seed);
    match tokio::time::timeout(PATIENCE, stage.run()).await {
        Ok(observed) => observed,
        Err(_elapsed) => Err(finding(HANGS, format!("{way:?}"))),
    }
}

pub(crate) fn finding(kind: &'static str, text: impl Into<String>) -> Finding {
    Finding { kind, text: text.into() }
}

fn broken(error: impl std::fmt::Display) -> Finding {
    finding("the hub is broken", error.to_string())
}

/// A case that is running.
struct Stage<'a> {
    case: &'a Case,
    way: Way,
    chance: Chance,
    world: World,
    answers: Vec<String>,
}

impl<'a> Stage<'a> {
    fn new(case: &'a Case, way: Way, seed: u64) -> Self {
        let chance = Chance::new(seed, "disturbance");
        Self { case, way, chance, world: World::default(), answers: Vec::new() }
    }

    async fn open(&self) -> Result<TestHub, Finding> {
        let live = if self.way.disturbance == Disturbance::Eviction { 0 } else { 1000 };
        let configure = |hub: durable::client::TaskHubBuilder| {
            hub.partitions(self.case.partitions)
                .live_instances(live)
                .verify_replay(self.way.has_shadow_replay)
                .state(self.world.clone())
        };
        TestHub::builder().never::<hang>().configure(configure).open().await.map_err(broken)
    }

    async fn run(mut self) -> Result<Observed, Finding> {
        let mut hub = self.open().await?;
        if self.case.program.body.calls_strangers() {
            hub.start(stranger().instance_id(STRANGER)).await.map_err(broken)?;
            hub.settle().await;
        }
        let began = hub.now();
        let call = program(Args::new(self.case.program.clone())).instance_id(ROOT);
        hub.start(call).await.map_err(broken)?;
        let mut script = self.case.script.clone();
        script.push((HORIZON, Action::Resume));
        for (number, (at, action)) in script.iter().enumerate() {
            hub = self.advance(hub, began, *at).await?;
            if number < self.case.script.len() {
                let answer = self.act(&hub, action, number).await?;
                self.answers.push(format!("{action:?}: {answer}"));
                hub = self.disturb(hub, 2).await?;
            }
        }
        let observed = self.observe(&hub).await?;
        hub.shutdown().await.map_err(broken)?;
        Ok(observed)
    }

    /// Lets time pass up to this moment after the beginning, and disturbs the hub in the meantime.
    async fn advance(
        &mut self,
        mut hub: TestHub,
        began: DateTime<Utc>,
        to: Micros,
    ) -> Result<TestHub, Finding> {
        hub = self.disturb(hub, 4).await?;
        for _ in 0..self.chance.between(1, 3) {
            let left = to.saturating_sub(elapsed(&hub, began)).min(200 * SECOND);
            if left > 1 {
                hub.advance(Duration::from_micros(self.chance.between(1, left - 1))).await;
                self.check(&hub).await?;
                hub = self.disturb(hub, 1).await?;
            }
        }
        let left = to.saturating_sub(elapsed(&hub, began));
        hub.advance(Duration::from_micros(left)).await;
        self.check(&hub).await?;
        Ok(hub)
    }

    /// Disturbs the hub, once in this many calls.
    async fn disturb(&mut self, hub: TestHub, once_in: u64) -> Result<TestHub, Finding> {
        if !self.chance.one_in(once_in) {
            return Ok(hub);
        }
        match self.way.disturbance {
            Disturbance::Nothing | Disturbance::Eviction => Ok(hub),
            Disturbance::Reopening => hub.reopen().await.map_err(broken),
            Disturbance::Crashes => hub.crash().await.map_err(broken),
            Disturbance::Pauses => {
                hub.settle().await;
                let root = hub.instance(ROOT).map_err(broken)?;
                if root.suspend("for no time").await.is_ok() {
                    hub.settle().await;
                    root.resume("at once").await.map_err(broken)?;
                }
                Ok(hub)
            }
        }
    }

    async fn act(&self, hub: &TestHub, action: &Action, number: usize) -> Result<String, Finding> {
        hub.settle().await;
        let root = hub.instance(ROOT).map_err(broken)?;
        let answer = match action {
            Action::Raise(name) => root.raise_event(&event_name(*name), &number).await,
            Action::Suspend => root.suspend("the script wants it").await,
            Action::Resume => root.resume("the script wants it").await,
            Action::Terminate => root.terminate("the script wants it").await,
            Action::Rewind => root.rewind("the script wants it").await,
            Action::Restart => root.restart().await,
            Action::Purge => root.purge_recursively().await.map(drop),
            Action::Mend => {
                self.world.mend();
                Ok(())
            }
        };
        match answer {
            Ok(()) => Ok("done".to_owned()),
            Err(ManageError::StillSuspended { .. }) => {
                Err(finding("it stays suspended", format!("at {action:?}")))
            }
            Err(error) => {
                let text = format!("{error:?}");
                let name = text.split(|c: char| !c.is_alphanumeric()).next();
                Ok(name.unwrap_or_default().to_owned())
            }
        }
    }

    /// Checks what must be true at each moment at which nothing is running.
    async fn check(&self, hub: &TestHub) -> Result<(), Finding> {
        for record in instances(hub).await? {
            let id = &record.instance_id;
            if let Some(suspension) = &record.suspension
                && suspension.code.is_some()
            {
                return Err(finding("the runtime suspended it", format!("{id}: {suspension}")));
            }
            // An instance in its first generation may still wait for its start.
            if record.runtime_status == RuntimeStatus::Pending && record.generation > 0 {
                return Err(finding("it has begun and is pending", format!("{id}")));
            }
            // No attempt is recorded when it begins.
            let has_retries =
                self.case.program.body.has(
                    &|node| matches!(node, Node::Activity(call) if call.options.retry.is_some()),
                );
            let is_late = record.next_due.is_some_and(|due| due.to_datetime() < hub.now());
            if is_late && !has_retries && record.suspension.is_none() {
                let text = format!("{id}: due {:?}, now {}", record.next_due, hub.now());
                return Err(finding("it sleeps past its time", text));
            }
        }
        Ok(())
    }

    async fn observe(self, hub: &TestHub) -> Result<Observed, Finding> {
        let mut observed = Observed { answers: self.answers, ..Observed::default() };
        let all = instances(hub).await?;
        for record in &all {
            let name = format!("{}", record.runtime_status);
            *observed.statuses.entry(name).or_default() += 1;
            verify(hub, record).await?;
        }
        if all.iter().any(|record| record.instance_id.as_str() == ROOT) {
            (observed.end, observed.log) = result(hub).await?;
        }
        let entities = EntityQuery::new().include_transient();
        for entity in hub.query(&entities).await.map_err(broken)?.items {
            let id = entity.entity_id.to_string();
            if let Some(owner) = &entity.locked_by {
                let text = format!("{id} by {owner:?}");
                let ended = all.iter().all(|record| record.runtime_status.is_finished());
                if ended {
                    return Err(finding("a lock outlives its owner", text));
                }
            }
            let state =
                hub.entity_state::<Counter>(entity.entity_id.key()).await.map_err(broken)?;
            observed.counters.insert(id, state.map_or(0, |counter| counter.value));
        }
        if self.way.disturbance == Disturbance::Nothing {
            again(hub, self.case, &observed).await?;
        }
        Ok(observed)
    }
}

fn elapsed(hub: &TestHub, began: DateTime<Utc>) -> Micros {
    let passed = (hub.now() - began).num_microseconds().unwrap_or_default();
    passed.unsigned_abs()
}

async fn instances(hub: &TestHub) -> Result<Vec<InstanceStatus>, Finding> {
    hub.stream(InstanceQuery::new()).try_collect().await.map_err(broken)
}

/// A history survives a round trip through a file, and replays exactly.
async fn verify(hub: &TestHub, record: &InstanceStatus) -> Result<(), Finding> {
    let id = &record.instance_id;
    let instance = hub.instance(id.as_str()).map_err(broken)?;
    let history = RecordedHistory::of(&instance).await.map_err(broken)?;
    let folder = tempfile::tempdir().map_err(broken)?;
    let path = folder.path().join("history.json");
    history.save(&path).map_err(broken)?;
    let loaded = RecordedHistory::load(&path).map_err(broken)?;
    if loaded != history {
        return Err(finding("a history comes back changed", format!("{id}")));
    }
    verify_replay_strictly(&loaded)
        .map_err(|error| finding("a history does not replay", format!("{id}: {error}")))
}

/// How the instance ended, and its log.
async fn result(hub: &TestHub) -> Result<(Option<String>, Vec<String>), Finding> {
    let root = hub.instance(ROOT).map_err(broken)?;
    let details = root.details().await.map_err(broken)?;
    Ok(match (details.status.runtime_status, details.failure, details.output) {
        (RuntimeStatus::Completed, _, Some(log)) => {
            let log = serde_json::from_str(log.as_str()).map_err(broken)?;
            (Some("Completed".to_owned()), sorted(log))
        }
        (RuntimeStatus::Failed, Some(failure), _)
            if failure.error_type == FailureDetails::PANIC =>
        {
            (Some("Failed: Panicked".to_owned()), Vec::new())
        }
        (RuntimeStatus::Failed, Some(failure), _) => {
            let mut lines = failure.message.lines().map(str::to_owned);
            let label = lines.next().unwrap_or_default();
            (Some(format!("Failed: {label}")), sorted(lines.collect()))
        }
        (status, ..) => (status.is_finished().then(|| status.to_string()), Vec::new()),
    })
}

/// An ended instance behaves the same when it is restarted. When it is purged, it is removed
/// together with its sub-orchestrations, and nothing else is removed.
async fn again(hub: &TestHub, case: &Case, first: &Observed) -> Result<(), Finding> {
    let root = hub.instance(ROOT).map_err(broken)?;
    if first.end.is_none() {
        return Ok(());
    }
    let is_predicted = case.script.is_empty() && case.program.generations == 0;
    let is_restarted = is_predicted && case.partitions == 1;
    if is_restarted {
        root.restart().await.map_err(broken)?;
        hub.advance(Duration::from_micros(HORIZON)).await;
        let (end, log) = result(hub).await?;
        if (&end, &without_guids(&log)) != (&first.end, &without_guids(&first.log)) {
            let text = format!(
                "{:?}\n{}\nagain {end:?}\n{}",
                first.end,
                first.log.join("\n"),
                log.join("\n")
            );
            return Err(finding("a restart comes to another end", text));
        }
    }
    root.purge_recursively().await.map_err(broken)?;
    let left = instances(hub).await?;
    let is_left = |id: &str| left.iter().any(|record| record.instance_id.as_str() == id);
    if is_left(ROOT) {
        return Err(finding("a purge leaves it", ""));
    }
    if case.program.body.calls_strangers() && !is_left(STRANGER) {
        return Err(finding("a purge takes a stranger", ""));
    }
    let forgets =
        |node: &Node| matches!(node, Node::Child(Child { program, .. }) if program.generations > 0);
    let forgets = case.program.generations > 0 || case.program.body.has(&forgets);
    let has_retries = case.program.body.has(&|node| {
        matches!(node, Node::Child(Child { id, options, .. })
            if options.retry.is_some() && *id == ChildId::Generated)
    });
    let left = left.iter().filter(|record| record.instance_id.as_str() != STRANGER).count();
    if left > 0 && !forgets && !has_retries && is_predicted && !is_restarted {
        return Err(finding("a purge leaves sub-orchestrations", format!("{left}")));
    }
    Ok(())
}

/// The log without GUIDs, which depend on the execution.
pub(crate) fn without_guids(log: &[String]) -> Vec<String> {
    let without = |line: &String| {
        let mut words: Vec<_> = line.split(' ').collect();
        for n in 1..words.len() {
            if words[n - 1].ends_with("guid") {
                words[n] = "*";
            }
        }
        words.join(" ")
    };
    log.iter().map(without).collect()
}
