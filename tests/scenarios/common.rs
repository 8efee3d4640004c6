//! Code that the scenarios share: hubs of each kind, and an outside world that activities change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use durable::client::TaskHubBuilder;
use durable::prelude::*;
use durable::testing::{TestHub, TestHubBuilder};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_mins(1);
pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const DAY: Duration = Duration::from_hours(24);

/// After this much real time, a scenario is considered to hang.
const PATIENCE: Duration = Duration::from_mins(1);

/// The world outside the hub, which records every change.
#[derive(Clone, Debug, Default)]
pub(crate) struct World(Arc<Things>);

#[derive(Debug, Default)]
struct Things {
    log: Mutex<Vec<String>>,
    set: Mutex<BTreeSet<String>>,
    gauges: Mutex<BTreeMap<String, (usize, usize)>>,
}

impl World {
    pub(crate) fn log(&self, line: impl Into<String>) {
        self.0.log.lock().unwrap().push(line.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.log.lock().unwrap().clone()
    }

    /// How many lines begin like this.
    pub(crate) fn count(&self, prefix: &str) -> usize {
        self.0.log.lock().unwrap().iter().filter(|line| line.starts_with(prefix)).count()
    }

    pub(crate) fn set(&self, what: &str) {
        self.0.set.lock().unwrap().insert(what.to_owned());
    }

    pub(crate) fn is_set(&self, what: &str) -> bool {
        self.0.set.lock().unwrap().contains(what)
    }

    pub(crate) fn enter(&self, gauge: &str) {
        let mut gauges = self.0.gauges.lock().unwrap();
        let (now, most) = gauges.entry(gauge.to_owned()).or_default();
        *now += 1;
        *most = (*most).max(*now);
    }

    pub(crate) fn leave(&self, gauge: &str) {
        self.0.gauges.lock().unwrap().entry(gauge.to_owned()).or_default().0 -= 1;
    }

    pub(crate) fn most(&self, gauge: &str) -> usize {
        self.0.gauges.lock().unwrap().get(gauge).map_or(0, |(_, most)| *most)
    }
}

pub(crate) fn builder(world: &World) -> TestHubBuilder {
    let world = world.clone();
    TestHub::builder().configure(|hub| hub.state(world))
}

/// A hub that does not replay every episode, for large scenarios.
pub(crate) async fn fast_hub() -> Result<TestHub> {
    let hub = builder(&World::default()).configure(|hub| hub.verify_replay(false));
    Ok(hub.open().await?)
}

/// Runs a scenario where instances stay alive, and where each episode is a replay.
pub(crate) async fn on_every_hub(
    scenario: impl AsyncFn(&TestHub, &World) -> Result<()>,
) -> Result<()> {
    on_hubs(true, scenario).await
}

/// The same, without a shadow replay of every episode.
pub(crate) async fn on_unverified_hubs(
    scenario: impl AsyncFn(&TestHub, &World) -> Result<()>,
) -> Result<()> {
    on_hubs(false, scenario).await
}

async fn on_hubs(
    verify: bool,
    scenario: impl AsyncFn(&TestHub, &World) -> Result<()>,
) -> Result<()> {
    for live in [10_000, 0] {
        let world = World::default();
        let setting = |hub: TaskHubBuilder| hub.live_instances(live).verify_replay(verify);
        let hub = builder(&world).configure(setting).open().await?;
        let done = patiently(scenario(&hub, &world)).await;
        done.inspect_err(|error| eprintln!("with {live} live instances: {error:?}"))?;
        (*hub).clone().shutdown().await?;
    }
    Ok(())
}

/// Fails instead of hanging.
pub(crate) async fn patiently<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(PATIENCE, work).await.map_err(|_elapsed| Error::msg("it hangs"))?
}

/// A change of the outside world.
#[activity]
pub(crate) async fn act(world: State<World>, what: String) -> String {
    world.log(what.clone());
    what
}

/// Fails until the world has what it needs.
#[activity]
pub(crate) async fn act_if(world: State<World>, needs: String, what: String) -> Result<String> {
    if !world.is_set(&needs) {
        return Err(Error::msg(format!("{what} needs {needs}")));
    }
    world.log(what.clone());
    Ok(what)
}

/// Runs until it is cancelled.
#[activity]
pub(crate) async fn act_until_cancelled(
    ctx: &ActivityContext,
    world: State<World>,
    what: String,
) -> Result<String> {
    world.log(format!("began {what}"));
    ctx.cancellation_token().cancelled().await;
    world.log(format!("cancelled {what}"));
    Err(Error::msg("cancelled"))
}
