//! Many orchestrations that request the same locks in opposite orders and end at random: no
//! deadlock, no lost update, no lock left.

use std::collections::BTreeSet;
use std::time::Duration;

use durable::RuntimeStatus;
use durable::client::{EntityQuery, ManageError};
use durable::entity::EntityHandle;

use super::seed::{self, Random};
use super::*;

/// Loses an update if two instances have it locked at once.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cell {
    value: usize,
    writers: BTreeSet<String>,
}

#[entity]
impl Cell {
    fn read(&self) -> usize {
        self.value
    }

    fn write(&mut self, ctx: &EntityContext, value: usize) {
        self.writers.insert(ctx.caller().map(ToString::to_string).unwrap_or_default());
        self.value = value;
    }
}

/// The plan of one orchestration.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Plan {
    cells: Vec<u64>,
    /// The number of minutes after which it abandons its lock request.
    patience: u64,
    /// The number of minutes that it holds the locks.
    thinks: u64,
    end: Finish,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Finish {
    Return,
    Drop,
    Fail,
    Panic,
    Anew,
}

#[orchestrator]
async fn increments(ctx: &OrchestrationContext, plan: Plan) -> Result<bool> {
    let cells: Vec<_> = plan.cells.iter().map(|cell| Cell::at(cell.to_string())).collect();
    let patience = ctx.create_timer(Duration::from_mins(plan.patience));
    let durable::task::Race2::First(section) =
        durable::race((ctx.lock_entities(cells), patience)).await
    else {
        return Ok(false);
    };
    let mut section = section?;
    let mut values = Vec::new();
    for cell in section.iter_mut() {
        values.push(cell.read().await?);
    }
    ctx.create_timer(Duration::from_mins(plan.thinks)).await;
    for (cell, value) in section.iter_mut().zip(values) {
        cell.write(value + 1).await?;
    }
    match plan.end {
        Finish::Return => {}
        Finish::Drop => {
            drop(section);
            ctx.create_timer(Duration::from_mins(3)).await;
        }
        Finish::Fail => return Err(Error::msg("so it ends")),
        Finish::Panic => panic!("so it ends"),
        Finish::Anew => {
            // It must not be possible to tell another writer from the previous one.
            let plan = Plan { cells: vec![99], end: Finish::Return, ..plan };
            return ctx.continue_as_new(increments(plan)).await;
        }
    }
    Ok(true)
}

const CELLS: u64 = 6;

fn plan(random: &mut Random) -> Plan {
    let mut cells: Vec<u64> = Vec::new();
    for _ in 0..=random.below(4) {
        let cell = random.below(CELLS);
        if !cells.contains(&cell) {
            cells.push(cell);
        }
    }
    let ends =
        [Finish::Return, Finish::Return, Finish::Drop, Finish::Fail, Finish::Panic, Finish::Anew];
    let end = ends[usize::try_from(random.below(6)).unwrap_or_default()];
    let patience = if random.below(3) == 0 { random.below(60) } else { 100_000 };
    Plan { cells, patience, thinks: random.below(4), end }
}

/// What a client does to one of them.
async fn meddle(hub: &TestHub, id: &str, random: &mut Random) -> Result<()> {
    let run = hub.instance(id)?;
    let done = match random.below(4) {
        0 | 1 => run.terminate("enough").await,
        2 => run.suspend("a while").await,
        _ => run.resume("enough").await,
    };
    match done {
        Ok(()) | Err(ManageError::Finished { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn storm(mut random: Random, count: usize, meddles: bool) -> Result<()> {
    let mut hub = TestHub::open().await?;
    let ids: Vec<_> = (0..count).map(|n| format!("storm-{n}")).collect();
    for id in &ids {
        hub.start(increments(plan(&mut random)).instance_id(id)).await?;
        match random.below(8) {
            0 => hub.settle().await,
            1 => hub.advance(Duration::from_mins(random.below(10))).await,
            2 if meddles => {
                let other = usize::try_from(random.below(count as u64))?;
                if hub.instance(&ids[other])?.status().await.is_ok() {
                    meddle(&hub, &ids[other], &mut random).await?;
                }
            }
            3 if random.below(4) == 0 => hub = hub.crash().await?,
            _ => {}
        }
    }
    for id in &ids {
        if meddles && random.below(3) == 0 {
            meddle(&hub, id, &mut random).await?;
        }
        if random.below(20) == 0 {
            hub.advance(Duration::from_mins(random.below(10))).await;
        }
    }
    for id in &ids {
        let run = hub.instance(id)?;
        match run.resume("the end").await {
            Ok(()) | Err(ManageError::Finished { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    for id in &ids {
        hub.instance(id)?.wait_for_completion().await?;
    }
    hub.settle().await;
    let query = EntityQuery::new().of::<Cell>().include_transient();
    for entity in hub.query(&query).await?.items {
        let id = &entity.entity_id;
        assert_eq!(entity.locked_by, None, "{id}");
        assert!(entity.state.is_some(), "{id} was only locked");
        let Some(cell) = entity.state_as::<Cell>()? else { continue };
        // An instance that continues as new writes twice under one name, only to the last cell.
        if id.key() != "99" {
            assert_eq!(cell.value, cell.writers.len(), "{id} has lost an update");
        }
    }
    let all = Plan { cells: (0..CELLS).collect(), patience: 1, thinks: 0, end: Finish::Return };
    let last = hub.start(increments(all)).await?;
    assert!(last.result().await?, "a section over all entities gets its locks");
    assert_eq!(hub.clean_entities().await?, durable::client::CleanedEntities::default());
    if !meddles {
        let failed = durable::client::InstanceQuery::new().status(RuntimeStatus::Terminated);
        assert_eq!(hub.count(&failed).await?, 0);
    }
    Ok(hub.shutdown().await?)
}

#[tokio::test]
async fn a_storm_of_lock_requests_is_served_to_the_end() -> Result<()> {
    let mut random = Random::new(seed::seed());
    let rounds = if seed::is_long() { 200 } else { 6 };
    for round in 0..rounds {
        storm(random.clone(), 100, round % 2 == 0).await?;
        random.below(2);
    }
    Ok(())
}

/// Scheduled signals arrive, and clients signal, while a queue is read that did not fit into
/// memory.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Hot {
    /// The next expected number.
    next: u64,
    wrong: Vec<u64>,
    scheduled: u64,
    early: u64,
}

#[entity]
impl Hot {
    fn number(&mut self, n: u64) {
        if n != self.next {
            self.wrong.push(n);
        }
        self.next = n + 1;
    }

    fn later(&mut self, ctx: &EntityContext, due: chrono::DateTime<chrono::Utc>) {
        self.scheduled += 1;
        self.early += u64::from(ctx.current_utc_datetime() < due);
    }
}

#[orchestrator]
async fn heats(ctx: &OrchestrationContext, key: String, from: u64, until: u64) -> Result<()> {
    for n in from..until {
        Hot::at(&key).number(n).signal()?;
    }
    Ok(())
}

#[orchestrator]
async fn heats_later(ctx: &OrchestrationContext, key: String, count: u64) -> Result<()> {
    let due = ctx.current_utc_datetime() + chrono::TimeDelta::hours(1);
    for _ in 0..count {
        Hot::at(&key).later(due).signal_at(due)?;
        // Another signal after it, which delays another entity.
        Hot::at(format!("{key}-other")).number(0).signal()?;
    }
    Ok(())
}

#[orchestrator]
async fn holds_hot(ctx: &OrchestrationContext, key: String) -> Result<()> {
    let _section = ctx.lock_entities(Hot::at(&key)).await?;
    Ok(ctx.wait_for_external_event::<()>("go on").await?)
}

#[tokio::test]
async fn a_signal_scheduled_while_a_queue_is_read_is_delivered_once() -> Result<()> {
    const COUNT: u64 = 9000;
    let rounds = if seed::is_long() { 100 } else { 4 };
    let hub = TestHub::builder().configure(|hub| hub.verify_replay(false)).open().await?;
    for round in 0..rounds {
        let key = format!("hot-{round}");
        let holder = hub.start(holds_hot(key.clone())).await?;
        hub.settle().await;
        hub.start(heats(key.clone(), 0, COUNT)).await?.result().await?;
        hub.settle().await;
        // From here on, the queue is read from the store repeatedly while all these signals arrive.
        holder.raise_event("go on", &()).await?;
        let (mut next, mut later) = (COUNT, 0);
        while hub.entity(Hot::at(&key).entity_id()?).await?.is_none_or(|hot| hot.backlog > 100) {
            for _ in 0..10 {
                let due = hub.now() + chrono::TimeDelta::hours(1);
                let scheduled =
                    hub.signal_entity_at(Duration::from_hours(1), Hot::at(&key).later(due));
                let signalled = hub.signal_entity(Hot::at(&key).number(next));
                let (scheduled, signalled) = tokio::join!(scheduled, signalled);
                scheduled?;
                signalled?;
                next += 1;
                later += 1;
            }
        }
        hub.settle().await;
        let hot = hub.entity_state::<Hot>(&key).await?.unwrap_or_default();
        assert_eq!((hot.next, hot.wrong.as_slice(), hot.scheduled), (next, &[][..], 0), "{later}");
        hub.advance(Duration::from_hours(2)).await;
        let hot = hub.entity_state::<Hot>(&key).await?.unwrap_or_default();
        assert_eq!((hot.scheduled, hot.early), (later, 0));
    }
    Ok(hub.shutdown().await?)
}
