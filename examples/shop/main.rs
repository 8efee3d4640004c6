//! A shop with orders, approvals, stock and a schedule, which makes its own traffic and serves its
//! API and its dashboard.
//!
//! ```text
//! cargo run -p examples --bin shop
//! cargo run -p examples --bin shop -- --hub /tmp/shop
//! ```
//! Open the address that it prints. Orders come in, and most of them complete. Five are stuck
//! (`stuck.rs`), each for a different reason: find out why, with the dashboard or the command line, and
//! get them going.

mod orders;
mod stock;
mod stuck;

use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use clap::Parser;
use durable::client::InstanceQuery;
use durable::prelude::*;
use durable::schedule::Schedule;
use durable_http::{HttpOptions, Shutdown};
use durable_ui::UiOptions;
use tokio::net::TcpListener;

use orders::{Approval, Order, fulfill};
use stock::{PRODUCTS, restock};

/// Runs a small shop.
#[derive(Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// The hub's folder; by default a new one in the temporary folder.
    #[arg(long)]
    hub: Option<PathBuf>,
    /// The number of orders a minute.
    #[arg(long, default_value_t = 60)]
    orders: u32,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { listen, hub: folder, orders } = Arguments::parse();
    let new_folder = || std::env::temp_dir().join(format!("durable-shop-{}", std::process::id()));
    let folder = folder.unwrap_or_else(new_folder);
    let hub = TaskHub::open(&folder).await?;
    stuck::before_opening(&hub).await?;
    hub.shutdown().await?;

    let hub = TaskHub::open(&folder).await?;
    stuck::start(&hub).await?;
    if hub.schedule("restock")?.describe().await.is_err() {
        let every_minute = Schedule::cron("* * * * *")?.of(restock());
        hub.create_schedule("restock", every_minute).await?;
    }
    let shutdown = Shutdown::new();
    let http = HttpOptions::new().task_hub_name("shop").shutdown(shutdown.clone());
    let options = UiOptions::new().http(http);
    let app = Router::new().merge(durable_ui::router(&hub, options));
    let listener = TcpListener::bind(listen).await?;
    println!("the hub is in {}", folder.display());
    println!("listening on http://{}", listener.local_addr()?);

    let traffic = tokio::spawn(trade(hub.clone(), orders.max(1)));
    // The shop waits for its answers, but not for open pages of the dashboard.
    let interrupted = shutdown.begin_after(interrupted());
    axum::serve(listener, app).with_graceful_shutdown(interrupted).await?;
    traffic.abort();
    Ok(hub.shutdown().await?)
}

/// Customers that order, and a manager that approves large orders.
async fn trade(hub: TaskHub, orders_a_minute: u32) -> Result<()> {
    let first = hub.count(&InstanceQuery::new().of::<fulfill>()).await?;
    let first = u32::try_from(first).unwrap_or_default() + 1;
    let mut ticks = tokio::time::interval(Duration::from_mins(1) / orders_a_minute);
    for number in first.. {
        ticks.tick().await;
        let order = order(number);
        let customer = order.customer.clone();
        let call = fulfill(order).tag("customer", customer).instance_id(format!("order-{number}"));
        hub.start_if_absent(call).await?;
        // The manager looks through the orders of some time ago.
        if let Some(earlier) = number.checked_sub(5) {
            let approval =
                Approval { approved: !earlier.is_multiple_of(3), by: "Grace".to_owned() };
            let _not_there_or_finished =
                hub.instance(format!("order-{earlier}"))?.raise(&approval).await;
        }
    }
    Ok(())
}

fn order(number: u32) -> Order {
    let pick = |from: &[&str], step: u32| {
        let at = usize::try_from(number * step).unwrap_or_default() % from.len();
        from[at].to_owned()
    };
    // Nobody orders a tray: its shelf is being counted.
    let product = pick(&["teapot", "kettle", "mug", "samovar"], 1);
    debug_assert!(PRODUCTS.contains(&product.as_str()));
    let quantity = 1 + number % 3;
    let euros = quantity * if product == "samovar" { 300 } else { 25 };
    let customer = pick(&["Ada", "Alan", "Barbara", "Edsger", "Grace"], 3);
    let address = pick(&["London", "Oslo", "Lima", "Kyoto"], 7);
    Order { number, customer, product, quantity, euros, address }
}

/// Waits for Ctrl-C.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // The signal cannot be caught, so the system ends the process itself.
        std::future::pending::<()>().await;
    }
}
