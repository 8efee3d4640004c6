//! What a hub costs while nothing happens.

use std::time::Duration;

use durable::prelude::*;
use tokio_postgres::{Client, NoTls};

use super::server::Cluster;
use super::workers::{Worker, balanced, open};

const PARTITIONS: u16 = 64;
const WORKERS: u32 = 4;
const TIME: Duration = Duration::from_secs(30);

pub(crate) async fn run(cluster: &Cluster) -> Result<()> {
    let url = cluster.url();
    let hub = open(&url, None, PARTITIONS).await?;
    let workers = (0..WORKERS).map(|number| Worker::start(&url, format!("worker-{number}")));
    let workers: Vec<_> = workers.collect::<Result<_>>()?;
    balanced(&hub, workers.len()).await?;
    hub.shutdown().await?;
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);
    // The last looks of a busy time are over by then.
    tokio::time::sleep(Duration::from_secs(15)).await;
    let (queries, cpu) = (transactions(&client).await?, cpu(&workers)?);
    tokio::time::sleep(TIME).await;
    let queries = transactions(&client).await? - queries;
    let seconds = TIME.as_secs_f64();
    let busy = self::cpu(&workers)?.into_iter().zip(cpu).map(|(after, before)| after - before);
    let most = busy.map(|ticks| f64::from(ticks) / seconds).fold(0.0, f64::max);
    let queries = f64::from(u32::try_from(queries)?) / seconds;
    println!("idle, {PARTITIONS} partitions, {WORKERS} processes: {queries:.1} queries/s together");
    // A tick is a hundredth of a second.
    println!("idle: at most {most:.2} % of a core for each process");
    for worker in workers {
        worker.leave().await?;
    }
    Ok(())
}

/// The transactions so far: outside of commits, each statement is one.
async fn transactions(client: &Client) -> Result<i64> {
    client.batch_execute("SELECT pg_stat_clear_snapshot()").await?;
    let count = "SELECT sum(xact_commit + xact_rollback)::int8 FROM pg_stat_database
                 WHERE datname = current_database()";
    Ok(client.query_one(count, &[]).await?.get(0))
}

/// The ticks of processor time that each worker has used.
fn cpu(workers: &[Worker]) -> Result<Vec<u32>> {
    let ticks = |worker: &Worker| {
        let id = worker.child.id().unwrap_or_default();
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
        let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
        let mut times = fields.split_whitespace().skip(11).take(2);
        let mut next = || times.next().unwrap_or_default().parse::<u32>();
        Ok(next()? + next()?)
    };
    workers.iter().map(ticks).collect()
}
