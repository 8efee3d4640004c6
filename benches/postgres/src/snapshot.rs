//! `snapshot`: hello sequences while another session holds a snapshot open, as an analysis, a
//! backup or a forgotten transaction does. In the meantime, the server cannot remove dead rows.
//!
//! The server also slows down as its tables grow. So the same load runs on a second database, in which no
//! snapshot is open, in turns with the first.

use std::time::Duration;

use durable::{Error, Result, TaskHub};
use tokio_postgres::NoTls;

use crate::load::{Throughput, Window};
use crate::{Arguments, ours};

const WINDOW: Window = Window { warm_up: Duration::from_secs(1), counted: Duration::from_secs(14) };

pub(crate) async fn run(url: &str, arguments: &Arguments) -> Result<()> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let connection = tokio::spawn(connection);
    let control = format!("durable_control_{}", std::process::id());
    client.batch_execute(&format!("CREATE DATABASE {control}")).await?;
    let (held, _) = ours::open(url, arguments.partitions).await?;
    let (free, _) = ours::open(&with_database(url, &control)?, arguments.partitions).await?;
    println!("| under load for | with the snapshot | without | p50 ms | p99 ms | ratio |");
    println!("|---|---|---|---|---|---|");
    for _ in 0..2 {
        compare("before", &held, &free, arguments).await?;
    }
    client
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class")
        .await?;
    let (mut loaded, mut ratios) = (Duration::ZERO, Vec::new());
    while loaded < Duration::from_secs_f64(arguments.minutes * 60.0) {
        loaded += WINDOW.warm_up + WINDOW.counted;
        let label = format!("{} s", loaded.as_secs());
        ratios.push(compare(&label, &held, &free, arguments).await?);
    }
    client.batch_execute("COMMIT").await?;
    compare("closed", &held, &free, arguments).await?;
    let mut late = ratios.split_off(ratios.len() / 2);
    late.sort_by(f64::total_cmp);
    let median = late.get(late.len() / 2).copied().unwrap_or(f64::NAN);
    println!("median ratio in the second half of the time: {median:.2}");
    held.shutdown().await?;
    free.shutdown().await?;
    client.batch_execute(&format!("DROP DATABASE {control} WITH (FORCE)")).await?;
    drop(client);
    connection.await.map_err(Error::msg)??;
    Ok(())
}

/// Runs the load on both. Returns the throughput with the snapshot in parts of that without.
async fn compare(
    label: &str,
    held: &TaskHub,
    free: &TaskHub,
    arguments: &Arguments,
) -> Result<f64> {
    let without = ours::hello_on(free, arguments.outstanding, WINDOW).await?;
    let Throughput { per_second, p50_ms, p99_ms } =
        ours::hello_on(held, arguments.outstanding, WINDOW).await?;
    let ratio = per_second / without.per_second;
    println!(
        "| {label} | {per_second:.0}/s | {:.0}/s | {p50_ms:.1} | {p99_ms:.1} | {ratio:.2} |",
        without.per_second
    );
    Ok(ratio)
}

/// A URL with another database.
fn with_database(url: &str, name: &str) -> Result<String> {
    let (path, query) =
        url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let server = path.split("://").nth(1).and_then(|rest| rest.rsplit_once('/'));
    let (server, _) = server.ok_or_else(|| Error::msg("the URL must name a database"))?;
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok(format!("postgres://{server}/{name}{query}"))
}
