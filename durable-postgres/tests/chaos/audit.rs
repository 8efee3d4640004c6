//! The audit: what must be true when all work has come to its end.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use durable::client::{EntityQuery, InstanceQuery};
use durable::prelude::*;
use tokio_postgres::NoTls;

use crate::hub::{Hub, PATIENCE};
use crate::work::{ACCOUNTS, Account, Journal, Receipt, job};

/// Rows that are gone once all work is done: messages and instances that are to run.
const LEFT: [&str; 5] = [
    "SELECT count(*) FROM chaos.message",
    "SELECT count(*) FROM chaos.active",
    "SELECT count(*) FROM chaos.due",
    "SELECT count(*) FROM chaos.outbox WHERE record IS NOT NULL",
    "SELECT count(*) FROM chaos.partition WHERE owner IS NOT NULL",
];

/// Lets all work come to its end, lets the processes leave, and judges. It returns the number of jobs.
pub(crate) fn audit(hub: &mut Hub) -> usize {
    hub.finish();
    let runtime = hub.runtime.handle().clone();
    let (jobs, mut wrong) = runtime.block_on(judge(hub)).expect("an audit");
    wrong.extend(hub.heard.all().wrong.iter().cloned());
    assert!(wrong.is_empty(), "{} of {jobs} jobs:\n{}", wrong.len(), wrong.join("\n"));
    hub.leave();
    let url = hub.cluster.url();
    let left = runtime.block_on(async {
        let (client, connection) =
            tokio_postgres::connect(&url, NoTls).await.expect("a connection");
        tokio::spawn(connection);
        let mut left = String::new();
        for sql in LEFT {
            let count: i64 = client.query_one(sql, &[]).await.expect("a count").get(0);
            if count > 0 {
                let _ = writeln!(left, "{sql}: {count}");
            }
        }
        left
    });
    assert!(left.is_empty(), "something is left:\n{left}");
    jobs
}

/// How many jobs there are, and what is wrong.
async fn judge(hub: &Hub) -> Result<(usize, Vec<String>)> {
    let mut wrong = Vec::new();
    let jobs = hub.client.stream(InstanceQuery::new().of::<job>()).try_collect().await?;
    for instance in &jobs {
        let run = hub.client.instance(&instance.instance_id)?;
        let ended = tokio::time::timeout(PATIENCE, run.wait_for_completion()).await;
        if ended.is_err() {
            let pending = run.pending().await?;
            wrong.push(format!("{} is stuck: {pending:?}", instance.instance_id));
        }
        if wrong.len() > 3 {
            return Ok((jobs.len(), wrong));
        }
    }
    let results = InstanceQuery::new().of::<job>().with_values();
    let results = hub.client.stream(results).try_collect().await?;
    let mut receipts: BTreeMap<String, Receipt> = BTreeMap::new();
    for details in &results {
        match details.output_as::<Receipt>()? {
            Some(receipt) => {
                receipts.insert(details.status.instance_id.to_string(), receipt);
            }
            None => wrong.push(format!("no result: {details:?}")),
        }
    }
    {
        let all = hub.heard.all();
        let lost = all.started.iter().filter(|job| !receipts.contains_key(*job));
        wrong.extend(lost.map(|job| format!("{job} was acknowledged and is lost")));
        let changed = all.done.iter().filter(|(job, told)| receipts.get(*job) != Some(told));
        wrong.extend(
            changed
                .map(|(job, told)| format!("{job} told {told:?} and has {:?}", receipts.get(job))),
        );
    }
    judge_entities(hub, jobs.len() as u64, &mut wrong).await?;
    Ok((jobs.len(), wrong))
}

async fn judge_entities(hub: &Hub, jobs: u64, wrong: &mut Vec<String>) -> Result<()> {
    let mut closed = 0;
    let journals = hub.client.query(&EntityQuery::new().of::<Journal>()).await?;
    for entity in journals.items {
        let journal: Journal = entity.state_as()?.unwrap_or_default();
        closed += journal.closed;
        wrong.extend(journal.wrong);
        wrong.extend(journal.open.iter().map(|(job, step)| format!("{job} ended at {step}")));
    }
    if closed != jobs {
        wrong.push(format!("{closed} of {jobs} jobs are in the journals"));
    }
    let accounts = EntityQuery::new().of::<Account>().include_transient();
    let accounts = hub.client.query(&accounts).await?.items;
    let (mut coins, mut changes) = (0, 0);
    for entity in &accounts {
        let account: Account = entity.state_as()?.unwrap_or_default();
        coins += account.coins;
        changes += account.changes;
        if let Some(owner) = &entity.locked_by {
            wrong.push(format!("{} is locked by {owner:?}", entity.entity_id));
        }
    }
    if (coins, changes) != (0, 2 * jobs) || accounts.len() as u64 > ACCOUNTS {
        wrong.push(format!("{coins} coins too many, {changes} changes of {jobs} jobs"));
    }
    Ok(())
}
