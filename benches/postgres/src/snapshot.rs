//! `snapshot`: hello sequences while another session holds a snapshot open, as an analysis, a
//! backup or a forgotten transaction does. In the meantime, the server cannot remove dead rows.

use std::time::Duration;

use durable::{Error, Result};
use tokio_postgres::NoTls;

use crate::clock::now;
use crate::load::Window;
use crate::{Arguments, ours};

pub(crate) async fn run(url: &str, arguments: &Arguments) -> Result<()> {
    let (hub, _) = ours::open(url, arguments.partitions).await?;
    let window = Window { warm_up: Duration::from_secs(1), counted: Duration::from_secs(14) };
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let connection = tokio::spawn(connection);
    println!("| snapshot open for | orchestrations/s | p50 ms | p99 ms | to before |");
    println!("|---|---|---|---|---|");
    let mut before = 0.0;
    for round in 0..3 {
        let found = ours::hello_on(&hub, arguments.outstanding, window).await?;
        if round > 0 {
            before += found.per_second / 2.0;
        }
        println!("| - | {:.0} | {:.1} | {:.1} | |", found.per_second, found.p50_ms, found.p99_ms);
    }
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class").await?;
    let begun = now();
    while begun.elapsed() < Duration::from_secs_f64(arguments.minutes * 60.0) {
        let found = ours::hello_on(&hub, arguments.outstanding, window).await?;
        println!(
            "| {:.0} s | {:.0} | {:.1} | {:.1} | {:.2} |",
            begun.elapsed().as_secs_f64(),
            found.per_second,
            found.p50_ms,
            found.p99_ms,
            found.per_second / before
        );
    }
    client.batch_execute("COMMIT").await?;
    for _ in 0..2 {
        let found = ours::hello_on(&hub, arguments.outstanding, window).await?;
        let to_before = found.per_second / before;
        println!(
            "| closed | {:.0} | {:.1} | {:.1} | {to_before:.2} |",
            found.per_second, found.p50_ms, found.p99_ms
        );
    }
    hub.shutdown().await?;
    drop(client);
    connection.await.map_err(Error::msg)??;
    Ok(())
}
