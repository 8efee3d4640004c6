//! One seed: a chaotic phase, then a calm phase, and then a restart that must change nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use durable::TaskHub;
use durable::protocol::{RuntimeStatus, Timestamp};
use durable::store::{InstanceFilter, MemoryStore, Store};
use durable::testing::MemoryCluster;
use durable::testing::sim::{Breakage, Choices, Deviation, LogLine, Simulation, Stream};

use crate::case::Case;
use crate::client::Clients;
use crate::faulty::Faulty;
use crate::nodes::{Event, Nodes};
use crate::rules::Committed;
use crate::trace;

/// The maximum number of steps of the calm phase until a run must be at rest.
const CALM_MAX: u64 = 40_000;

/// The maximum number of rounds of resuming everything, because clients suspend instances again.
const RESUMED_MAX: u32 = 100;

/// The maximum number of steps of a shutdown.
const SHUTDOWN_MAX: u32 = 20_000;

/// The amounts by which a clock may jump ahead.
const JUMPS: [Duration; 6] = [
    Duration::from_micros(1),
    Duration::from_secs(3),
    Duration::from_secs(40),
    Duration::from_mins(20),
    Duration::from_hours(5),
    Duration::from_hours(24 * 365),
];

/// The average number of steps between two crashes, clean restarts, deployments of other code,
/// jumps of the clock, failures of the store, and ends of the hub's runtime.
struct Rates([u32; 6]);

impl Rates {
    fn draw(choices: &mut Choices) -> Self {
        let mut one_of = |all: &[u32]| choices.one_of(Stream::Swarm, all);
        Self([
            one_of(&[50, 300, 1000, u32::MAX]),
            one_of(&[300, 1000, u32::MAX, u32::MAX]),
            one_of(&[100, 300, 1000, u32::MAX]),
            one_of(&[20, 100, 1000, u32::MAX, u32::MAX, u32::MAX]),
            one_of(&[100, 500, u32::MAX, u32::MAX, u32::MAX, u32::MAX]),
            one_of(&[100, 500, u32::MAX, u32::MAX, u32::MAX, u32::MAX]),
        ])
    }
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) steps: u64,
    pub(crate) trace: u64,
    pub(crate) operations: u64,
    pub(crate) episodes: u64,
    pub(crate) crashes: u32,
    pub(crate) failure: Option<String>,
    pub(crate) log: Vec<LogLine>,
    /// The time spent in the rules.
    pub(crate) in_rules: Duration,
    /// The choices of the schedule that were not 0.
    pub(crate) deviations: Vec<Deviation>,
}

struct Run {
    world: Simulation,
    store: Arc<dyn Store>,
    committed: Committed,
    clients: Clients,
    case: Case,
    /// The open processes.
    hubs: Vec<Option<TaskHub>>,
    crashes: u32,
    began: Timestamp,
}

/// Runs a case with these choices: either those that its seed makes after drawing the case, or
/// those of the case's saved schedule.
pub(crate) fn run(case: &Case, choices: Choices, keeps_log: bool) -> Outcome {
    trace::begin();
    let committed = Committed::default();
    let observer = Box::new(committed.clone());
    // A faulty store has only one process.
    let processes = if case.fault.is_some() { 1 } else { case.options.nodes.max(1) };
    let store: Arc<dyn Store>;
    let world = if processes > 1 {
        let cluster = MemoryCluster::default();
        store = Arc::new(cluster.node());
        Simulation::of_cluster(choices, &cluster, observer)
    } else {
        store = Arc::<MemoryStore>::default();
        let mut used = Arc::clone(&store);
        if let Some(fault) = case.fault {
            used = Arc::new(Faulty::new(used, fault));
        }
        Simulation::new(choices, used, observer)
    };
    if keeps_log {
        world.keep_log();
    }
    let (clients, began) = (Clients::new(&case.clients, processes), world.now());
    if case.breaks_code() {
        committed.permits_suspensions();
    }
    let case = case.clone();
    let hubs = vec![None; processes];
    let mut run = Run { world, store, committed, clients, case, hubs, crashes: 0, began };
    run.all();
    let Run { world, committed, clients, crashes, hubs, .. } = run;
    drop(hubs);
    Outcome {
        steps: world.steps(),
        trace: world.trace(),
        operations: clients.done(),
        episodes: committed.known().episodes,
        crashes,
        failure: world.failure().or_else(|| clients.failure()).or_else(trace::failure),
        log: world.log(),
        in_rules: world.time_in_rules(),
        deviations: world.choose(|choices| choices.deviations()),
    }
}

impl Run {
    fn all(&mut self) {
        let rates = self.world.choose(Rates::draw);
        let processes = self.hubs.len();
        let mut nodes = (processes > 1).then(|| self.world.choose(|it| Nodes::draw(it, processes)));
        self.open();
        for _ in 0..self.case.steps {
            if self.has_failed() || !self.world.step() {
                break;
            }
            match &mut nodes {
                None => self.disturb(&rates),
                Some(nodes) => self.disturb_nodes(nodes),
            }
        }
        self.mend();
        if self.world.is_broken() && !self.has_failed() {
            self.fall_over();
        }
        self.world.calm_down();
        self.committed.calms_down(self.world.now());
        self.rest("calm");
        self.resume_all();
        let waiting = self.clients.waiting(&Committed::locked(&*self.store));
        if !waiting.is_empty() && !self.has_failed() {
            self.world.fail(format!("I14 a client waits for ever: {waiting:?}"));
        }
        let ended = self.ids(RuntimeStatus::is_finished);
        if let Some(id) = ended.iter().find(|id| self.clients.awaited_ends().contains(*id)) {
            self.world.fail(format!("I14 a client waits for the end of {id}, which has ended"));
        }
        if let Err(wrong) = self.clients.have_followed(&*self.store) {
            self.world.fail(wrong);
        }
        let running = self.ids(|status| !status.is_finished());
        let all = self.ids(|_| true);
        if let Some(hub) = self.hub() {
            let store = Arc::clone(&self.store);
            let looks =
                self.clients.clone().look(hub.clone(), running, store, self.committed.clone());
            self.world.spawn(looks);
            if !self.case.breaks_code() {
                let replays = self.clients.clone().replay(hub.clone(), all, self.committed.clone());
                self.world.spawn(replays);
            }
        }
        self.rest("while it is looked at");
        if !self.has_failed()
            && let Err(wrong) = self.committed.at_rest(&*self.store)
        {
            self.world.fail(wrong);
        }
        self.restart();
        for number in 0..self.hubs.len() {
            if !self.has_failed() {
                self.shut_down(number);
            }
        }
    }

    /// Applies events of one of several processes.
    fn disturb_nodes(&mut self, nodes: &mut Nodes) {
        let Some((event, number)) = self.world.choose(|choices| nodes.next(choices)) else {
            return;
        };
        let is_open = self.hubs[number].is_some();
        match event {
            Event::Opens if !is_open => self.open_at(number),
            Event::Dies if is_open => {
                self.crashes += 1;
                self.cut_off(number);
                self.world.crash_at(number);
            }
            Event::ShutsDown if is_open => self.shut_down(number),
            Event::AllDie => self.crash(),
            Event::IsDeployed => {
                trace::deploy();
                self.crash();
            }
            Event::Jumps => {
                let ahead = self.world.choose(|choices| choices.one_of(Stream::World, &JUMPS));
                self.world.jump(ahead);
            }
            Event::Expires => self.world.expire(number),
            Event::Freezes if is_open => self.world.freeze(number, true),
            Event::Wakes => self.world.freeze(number, false),
            Event::IsCutOff if is_open => self.world.cut_off(number),
            Event::Reconnects => self.world.reconnect(number),
            Event::Renews => self.world.renew(number),
            Event::Opens | Event::Dies | Event::ShutsDown | Event::Freezes | Event::IsCutOff => {}
        }
    }

    /// Lets all processes run and own the partitions that they should own.
    fn mend(&mut self) {
        if self.hubs.len() == 1 || self.has_failed() {
            return;
        }
        for number in 0..self.hubs.len() {
            self.world.expire(number);
            self.world.freeze(number, false);
            self.world.reconnect(number);
            if self.hubs[number].is_none() {
                self.open_at(number);
            }
        }
    }

    /// An open process.
    fn hub(&self) -> Option<TaskHub> {
        self.hubs.iter().flatten().next().cloned()
    }

    /// Applies events that affect a process from outside.
    fn disturb(&mut self, rates: &Rates) {
        let happens = |rate: u32| self.world.choose(|choices| choices.one_in(Stream::World, rate));
        let [crash, restart, deploy, jump, breakage, runtime] = rates.0.map(happens);
        if self.world.is_broken() {
            self.fall_over();
        } else if crash || deploy {
            if deploy {
                trace::deploy();
            }
            self.crash();
        } else if restart {
            self.shut_down(0);
            self.open();
        } else if jump {
            let ahead = self.world.choose(|choices| choices.one_of(Stream::World, &JUMPS));
            self.world.jump(ahead);
        } else if breakage {
            let [panics, is_late] =
                [(); 2].map(|()| self.world.choose(|choices| choices.one_in(Stream::World, 2)));
            self.world.break_store(Breakage { panics, is_late });
        } else if runtime {
            self.world.end_runtime();
        }
    }

    /// Called after a fault that the hub does not survive: all waiters get the error, the hub shuts
    /// down, and another one is opened.
    fn fall_over(&mut self) {
        self.clients.hold(true);
        for _ in 0..SHUTDOWN_MAX {
            if self.has_failed() || !self.world.step() {
                break;
            }
        }
        let waiting = self.clients.waiting(&BTreeSet::new());
        if self.world.has_failed() && !waiting.is_empty() {
            self.world.fail(format!("I22 the hub has failed, and a client waits: {waiting:?}"));
        }
        self.shut_down(0);
        self.clients.hold(false);
        self.open();
    }

    /// Shuts a process down in an orderly way, whatever is running.
    fn shut_down(&mut self, number: usize) {
        if self.hubs.len() > 1 {
            self.world.freeze(number, false);
        }
        self.clients.shut_down(number);
        self.world.close(number);
        self.until("the activities have ended", |world| world.is_drained(number));
        self.world.stop(number);
        self.until("the partitions have stopped", |world| world.has_stopped(number));
        self.cut_off(number);
        if self.hubs.len() > 1 {
            self.world.leave(number);
            self.world.crash_at(number);
        } else {
            self.world.crash();
        }
    }

    /// Takes steps until a condition holds.
    fn until(&self, what: &str, is_so: impl Fn(&Simulation) -> bool) {
        for _ in 0..SHUTDOWN_MAX {
            if is_so(&self.world) || self.has_failed() {
                return;
            }
            if !self.world.step() {
                break;
            }
        }
        if !is_so(&self.world) {
            self.world.fail(format!("I23 a shutdown waits until {what}"));
        }
    }

    /// Resumes everything that clients have suspended, including the instances that clients suspend
    /// only after others have been resumed.
    fn resume_all(&mut self) {
        for _ in 0..RESUMED_MAX {
            if self.has_failed() {
                return;
            }
            let suspended = self.ids(|status| status == RuntimeStatus::Suspended);
            let Some(hub) = self.hub().filter(|_| !suspended.is_empty()) else { return };
            let committed = self.committed.clone();
            self.world.spawn(Clients::resume_all(hub, suspended, committed));
            self.rest("after the resumption of all");
        }
        self.world.fail("I14 an instance cannot be resumed".to_owned());
    }

    /// Restarts the hub. No actor could continue, so the restart must change nothing.
    fn restart(&mut self) {
        if self.has_failed() {
            return;
        }
        self.clients.stop();
        self.crash();
        let before = self.committed.known().episodes;
        self.rest("after a restart");
        let known = self.committed.known();
        if known.episodes != before {
            let last = known.last.as_ref().map(ToString::to_string).unwrap_or_default();
            drop(known);
            self.world.fail(format!("I14 only a restart lets {last} go on"));
        }
    }

    fn has_failed(&self) -> bool {
        // A year is the longest time in a program, so no instance may sleep for that long.
        let passed = self.world.now().since(self.began);
        if passed > Duration::from_hours(24 * 365 * 1000) {
            self.world.fail("I15 something sleeps past its time".to_owned());
        }
        self.world.failure().is_some()
            || self.clients.failure().is_some()
            || trace::failure().is_some()
    }

    /// Opens all processes.
    fn open(&mut self) {
        (0..self.hubs.len()).for_each(|number| self.open_at(number));
    }

    fn open_at(&mut self, number: usize) {
        let Case { options, sizes, .. } = &self.case;
        let builder = TaskHub::builder()
            .partitions(options.partitions)
            .live_instances(options.live)
            .activity_concurrency(options.activities)
            .entity_concurrency(options.entities);
        let size = |name: &str, production| sizes.get(name).copied().unwrap_or(production);
        match self.world.open_at(number, builder, size) {
            Ok(hub) => {
                for client in self.clients.of(number) {
                    let (hub, store) = (hub.clone(), Arc::clone(&self.store));
                    let client =
                        self.clients.clone().run(client, hub, store, self.committed.clone());
                    self.world.spawn_at(number, client);
                }
                self.hubs[number] = Some(hub);
            }
            Err(error) => self.world.fail(format!("I22 the hub does not open: {error}")),
        }
    }

    fn crash(&mut self) {
        self.crashes += 1;
        (0..self.hubs.len()).for_each(|number| self.cut_off(number));
        self.world.crash();
        (0..self.hubs.len()).for_each(|number| self.world.expire(number));
        self.open();
    }

    /// Cuts off a process, so that no client hears from it any more.
    fn cut_off(&mut self, number: usize) {
        self.hubs[number] = None;
        self.clients.cut_off(number);
        self.committed.cut_off();
    }

    /// Takes steps until no actor can continue.
    fn rest(&mut self, when: &str) {
        for _ in 0..CALM_MAX {
            if self.has_failed() || !self.world.step() {
                return;
            }
        }
        self.world.fail(format!("I15 it does not come to rest, {when}"));
    }

    /// The orchestrations with one of these statuses.
    fn ids(&self, is_wanted: impl Fn(RuntimeStatus) -> bool) -> Vec<String> {
        let all = self.store.instances(&InstanceFilter::default(), None, usize::MAX);
        let all = all.map(|page| page.instances).unwrap_or_default();
        let wanted = all.iter().filter(|it| !it.instance_id.as_str().starts_with('@'));
        let wanted = wanted.filter(|it| is_wanted(it.runtime_status));
        wanted.map(|it| it.instance_id.to_string()).collect()
    }
}
