//! `step/1`: a durable step through the hub, one outstanding, beside the round trip of a transaction.
//!
//! One orchestration awaits activities one after the other; a step is from one activity to the next.
//! The round trip is that of BEGIN, the INSERT of one row and COMMIT, sent together.

use std::time::Instant;

use durable::{Error, Result};
use tokio_postgres::{Client, NoTls};

use crate::clock::now;
use crate::ours::{self, sequence};
use crate::report::Report;
use crate::stats::percentile;
use crate::Arguments;

pub(crate) async fn run(url: &str, arguments: &Arguments, report: &mut Report) -> Result<()> {
    let steps = if arguments.quick { 1000 } else { 4000 };
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let connection = tokio::spawn(connection);
    client.batch_execute("CREATE TABLE IF NOT EXISTS bare (number int8, bytes bytea)").await?;
    let (hub, notes) = ours::open(url, arguments.partitions).await?;
    hub.start(sequence(200)).await?.result().await?;
    bare(&client, 200).await?;
    for _ in 0..arguments.runs {
        // In turns, a few hundred each, because other programs may use the same cores.
        for _ in 0..steps / 200 {
            notes.take();
            hub.start(sequence(200)).await?.result().await?;
            add(report, "durable", &notes.take());
            if !arguments.alone {
                add(report, "round trip", &bare(&client, 200).await?);
            }
        }
    }
    hub.shutdown().await?;
    drop(client);
    connection.await.map_err(Error::msg)??;
    Ok(())
}

fn add(report: &mut Report, engine: &'static str, marks: &[Instant]) {
    let us: Vec<_> = marks.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1e6).collect();
    report.add_value("step/1/p50", engine, "us", percentile(&us, 50.0));
    report.add_value("step/1/p99", engine, "us", percentile(&us, 99.0));
}

/// The times at which transactions were answered.
async fn bare(client: &Client, count: i64) -> Result<Vec<Instant>> {
    let begin = client.prepare("BEGIN").await?;
    let insert = client.prepare("INSERT INTO bare VALUES ($1, $2)").await?;
    let commit = client.prepare("COMMIT").await?;
    let mut marks = Vec::new();
    for number in 0..count {
        marks.push(now());
        let bytes = [7_u8; 300];
        futures_util::future::try_join3(
            client.execute(&begin, &[]),
            client.execute(&insert, &[&number, &bytes.as_slice()]),
            client.execute(&commit, &[]),
        )
        .await?;
    }
    Ok(marks)
}
