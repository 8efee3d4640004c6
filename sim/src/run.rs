//! One seed: chaos, then calm, then a restart that must change nothing.

use std::sync::Arc;
use std::time::Duration;

use durable::TaskHub;
use durable::protocol::{RuntimeStatus, Timestamp};
use durable::store::{InstanceFilter, MemoryStore, Store};
use durable::testing::sim::{Simulation, Stream};

use crate::client::Clients;
use crate::program::Writer;
use crate::rules::Committed;

/// After this many steps of the calm phase, a run must have come to rest.
const CALM_MAX: u64 = 40_000;

/// How often everything is resumed, because clients suspend something again.
const RESUMED_MAX: u32 = 100;

/// What came of a seed.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) steps: u64,
    pub(crate) trace: u64,
    pub(crate) operations: u64,
    pub(crate) episodes: u64,
    pub(crate) crashes: u32,
    pub(crate) failure: Option<String>,
    pub(crate) log: String,
}

struct Run {
    world: Simulation,
    store: Arc<MemoryStore>,
    committed: Committed,
    clients: Clients,
    sizes: Sizes,
    hub: Option<TaskHub>,
    crashes: u32,
    began: Timestamp,
}

/// The options of every process of a seed.
struct Sizes {
    partitions: u16,
    live: usize,
    activities: usize,
    entities: usize,
    inner: Vec<Option<usize>>,
}

pub(crate) fn run(seed: u64, keeps_log: bool) -> Outcome {
    let store = Arc::new(MemoryStore::default());
    let committed = Committed::default();
    let observer = Box::new(committed.clone());
    let world = Simulation::new(seed, Arc::<MemoryStore>::clone(&store), observer);
    if keeps_log {
        world.keep_log();
    }
    let clients = world.choose(|choices| {
        let mut writer = Writer::new(choices);
        Clients::new(choices, &mut writer)
    });
    let sizes = Sizes::draw(&world);
    for (number, script) in clients.scripts().iter().enumerate() {
        for op in script {
            world.say(&format_args!("client {number}: {op:?}"));
        }
    }
    let began = world.now();
    let mut run = Run { world, store, committed, clients, sizes, hub: None, crashes: 0, began };
    run.all();
    let Run { world, committed, clients, crashes, hub, .. } = run;
    drop(hub);
    Outcome {
        steps: world.steps(),
        trace: world.trace(),
        operations: clients.done(),
        episodes: committed.known().episodes,
        crashes,
        failure: world.failure().or_else(|| clients.failure()),
        log: world.log(),
    }
}

impl Sizes {
    fn draw(world: &Simulation) -> Self {
        world.choose(|choices| {
            let mut one_of = |all: &[usize]| choices.one_of(Stream::Swarm, all);
            // 0 is the size in production. Some seeds have all sizes tiny, because some faults need
            // several at once.
            let size: &[usize] = match one_of(&[0, 1, 2, 2]) {
                0 => &[1],
                1 => &[1, 1, 2],
                _ => &[0, 0, 1, 1, 2, 3, 5, 8],
            };
            let inner = (0..15).map(|_| Some(one_of(size)).filter(|size| *size > 0)).collect();
            Self {
                partitions: u16::try_from(one_of(&[1, 1, 2, 4])).unwrap_or(1),
                live: one_of(&[0, 0, 1, 3, 1000]),
                activities: one_of(&[1, 2, 8, 100]),
                entities: one_of(&[1, 2, 100]),
                inner,
            }
        })
    }
}

impl Run {
    fn all(&mut self) {
        let (steps, crashes) = self.world.choose(|choices| {
            let steps = choices.one_of(Stream::World, &[200, 500, 1000, 3000]);
            (steps, choices.one_of(Stream::World, &[50, 300, 1000, u32::MAX]))
        });
        self.open();
        for _ in 0..steps {
            if self.has_failed() || !self.world.step() {
                break;
            }
            if self.world.choose(|choices| choices.one_in(Stream::World, crashes)) {
                self.crash();
            }
        }
        self.world.calm_down();
        self.rest("calm");
        self.resume_all();
        let waiting = self.clients.waiting();
        if !waiting.is_empty() && !self.has_failed() {
            self.world.fail(format!("I14 a client waits for ever: {waiting:?}"));
        }
        let running = self.ids(|status| !status.is_finished());
        if let Some(hub) = &self.hub {
            self.world.spawn(self.clients.clone().look(hub.clone(), running));
        }
        self.rest("while it is looked at");
        self.restart();
    }

    /// Resumes what clients suspended, also those who went on only because of that.
    fn resume_all(&mut self) {
        for _ in 0..RESUMED_MAX {
            let suspended = self.ids(|status| status == RuntimeStatus::Suspended);
            let Some(hub) = self.hub.clone().filter(|_| !suspended.is_empty()) else { return };
            self.world.spawn(Clients::resume_all(hub, suspended));
            self.rest("after the resumption of all");
        }
        self.world.fail("I14 an instance cannot be resumed".to_owned());
    }

    /// Nobody could go on, so a restart changes nothing.
    fn restart(&mut self) {
        if self.has_failed() {
            return;
        }
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
        // A year is the longest time of a program, so nothing may sleep for so long.
        let passed = self.world.now().since(self.began);
        if passed > Duration::from_hours(24 * 365 * 1000) {
            self.world.fail("I15 something sleeps past its time".to_owned());
        }
        self.world.failure().is_some() || self.clients.failure().is_some()
    }

    fn open(&mut self) {
        let Sizes { partitions, live, activities, entities, inner } = &self.sizes;
        let builder = TaskHub::builder()
            .partitions(*partitions)
            .live_instances(*live)
            .activity_concurrency(*activities)
            .entity_concurrency(*entities);
        let mut index = 0;
        let opened = self.world.open(builder, |_, production| {
            index += 1;
            inner[index - 1].unwrap_or(production)
        });
        match opened {
            Ok(hub) => {
                for number in 0..self.clients.count() {
                    let (hub, store) = (hub.clone(), Arc::clone(&self.store));
                    let client =
                        self.clients.clone().run(number, hub, store, self.committed.clone());
                    self.world.spawn(client);
                }
                self.hub = Some(hub);
            }
            Err(error) => self.world.fail(format!("I22 the hub does not open: {error}")),
        }
    }

    fn crash(&mut self) {
        self.crashes += 1;
        self.hub = None;
        self.world.crash();
        self.clients.cut_off();
        self.open();
    }

    /// Steps until nobody can go on.
    fn rest(&mut self, when: &str) {
        for _ in 0..CALM_MAX {
            if self.has_failed() || !self.world.step() {
                return;
            }
        }
        self.world.fail(format!("I15 it does not come to rest, {when}"));
    }

    /// The orchestrations with such a status.
    fn ids(&self, is_wanted: impl Fn(RuntimeStatus) -> bool) -> Vec<String> {
        let all = self.store.instances(&InstanceFilter::default(), None, usize::MAX);
        let all = all.map(|page| page.instances).unwrap_or_default();
        let wanted = all.iter().filter(|it| !it.instance_id.as_str().starts_with('@'));
        let wanted = wanted.filter(|it| is_wanted(it.runtime_status));
        wanted.map(|it| it.instance_id.to_string()).collect()
    }
}
