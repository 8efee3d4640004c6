//! What the processes do: jobs that cross partitions, and that leave traces which can be counted.

use std::collections::BTreeMap;
use std::time::Duration;

use durable::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) const ACCOUNTS: u64 = 5;
pub(crate) const JOURNALS: u64 = 8;
/// How many steps of a job are noted in its journal.
const STEPS: u32 = 4;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Selects the accounts, the journal and the pause.
    pub(crate) number: u64,
    /// Whether it waits for the event `Go` of a client.
    pub(crate) waits: bool,
}

/// The result of a job: what its activities made up. If anything recorded was done again, it differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) own: Uuid,
    pub(crate) answer: Uuid,
    pub(crate) checked: Uuid,
}

/// A value that no other attempt gives.
#[activity]
async fn mint(pause_ms: u64) -> Result<Uuid> {
    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    Ok(Uuid::new_v4())
}

/// Notes its steps, asks a partner in another partition, waits, and moves a coin between two accounts.
/// Each step follows from the one before, whichever partition notes it.
#[orchestrator]
pub(crate) async fn job(ctx: &OrchestrationContext, order: Order) -> Result<Receipt> {
    let id = ctx.instance_id().to_string();
    let number = order.number;
    let journal = format!("{}", number % JOURNALS);
    Journal::at(&journal).note(id.clone(), 1).signal()?;
    let own = mint(number % 7).await?;
    let asked = partner(id.clone(), journal.clone()).instance_id(format!("{id}-partner")).spawn();
    let answer = ctx.wait_for_external_event::<Uuid>("Answer").await?;
    Journal::at(&journal).note(id.clone(), 3).signal()?;
    ctx.create_timer(Duration::from_millis(number % 11 * 100)).await;
    if order.waits {
        ctx.wait_for_external_event::<()>("Go").await?;
    }
    let (from, to) = (number % ACCOUNTS, (number + 1 + number / 5 % 4) % ACCOUNTS);
    let both = (Account::at(from.to_string()), Account::at(to.to_string()));
    let mut accounts = ctx.lock_entities(both).await?;
    let (from, to) = &mut *accounts;
    from.add(-1).await?;
    let checked = mint(1).await?;
    to.add(1).await?;
    drop(accounts);
    let returned = asked.await?;
    if returned != answer {
        return Err(Error::msg(format!("the partner sent {answer} and returned {returned}")));
    }
    Journal::at(&journal).note(id, STEPS).await?;
    Ok(Receipt { own, answer, checked })
}

#[orchestrator]
async fn partner(ctx: &OrchestrationContext, job: String, journal: String) -> Result<Uuid> {
    Journal::at(journal).note(job.clone(), 2).signal()?;
    let answer = mint(0).await?;
    ctx.send_event(job, "Answer", &answer)?;
    Ok(answer)
}

/// The steps of jobs as they arrive.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Journal {
    /// The last step of each job that has not noted all.
    pub(crate) open: BTreeMap<String, u32>,
    pub(crate) closed: u64,
    /// Steps that were lost, repeated or out of order.
    pub(crate) wrong: Vec<String>,
}

#[entity]
impl Journal {
    fn note(&mut self, job: String, step: u32) {
        let last = self.open.remove(&job).unwrap_or_default();
        if step != last + 1 {
            self.wrong.push(format!("{job}: step {step} after step {last}"));
        }
        if step == STEPS {
            self.closed += 1;
        } else {
            self.open.insert(job, step);
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) coins: i64,
    pub(crate) changes: u64,
}

#[entity]
impl Account {
    fn add(&mut self, coins: i64) {
        self.coins += coins;
        self.changes += 1;
    }
}
