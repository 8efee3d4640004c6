//! The dashboard over made-up instances, for work on its pages.
//!
//! `cargo run -p durable-ui --example preview` serves it at `http://127.0.0.1:7072/durable`.

use std::time::Duration;

use axum::Router;
use durable::client::NamedCall;
use durable::prelude::*;
use durable::protocol::{Json, TraceContext};
use durable_ui::UiOptions;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order {
    number: u32,
    customer: String,
    cents: u32,
}

#[derive(Serialize)]
struct Step {
    done: u32,
    of: u32,
    message: &'static str,
}

#[activity(name = "price_line")]
async fn price_line(line: u32) -> Result<u32> {
    tokio::time::sleep(Duration::from_millis(u64::from(line % 5) * 120)).await;
    Ok(line * 100)
}

#[activity(
    name = "charge_card",
    retry(max_number_of_attempts = 10, first_retry_interval = "20s", backoff_coefficient = 2.0)
)]
async fn charge_card(number: u32) -> Result<String> {
    if number.is_multiple_of(4) {
        return Err(Error::msg(
            "503 Service Unavailable: connect timeout after 8 s (acquirer-eu-2)",
        ));
    }
    Ok(format!("charge-{number}"))
}

#[activity(name = "import_line")]
async fn import_line(line: u32) -> Result<()> {
    Err(Error::msg(format!("line {line}: price is not a number: \"12,9O\"")))
}

#[orchestrator(name = "checkout", version = "3")]
async fn checkout(ctx: &OrchestrationContext, order: Order) -> Result<String> {
    ctx.set_custom_status(&Step { done: 1, of: 4, message: "pricing lines" })?;
    for line in 0..4 {
        price_line(line).await?;
    }
    ctx.set_custom_status(&Step { done: 3, of: 4, message: "charging the card" })?;
    let charge = charge_card(order.number).await?;
    if order.number.is_multiple_of(3) {
        let text = format!(
            "**Waits for an approval**\n- customer `{}`\n- see [the rules](https://example.com/rules)",
            order.customer
        );
        ctx.set_custom_status(&text)?;
        let _: bool = ctx.wait_for_external_event("Approval").await?;
    }
    Ok(charge)
}

#[orchestrator(name = "import_catalog", version = "4")]
async fn import_catalog(ctx: &OrchestrationContext, line: u32) -> Result<()> {
    Ok(import_line(line).await?)
}

#[tokio::main]
async fn main() -> Result<()> {
    let hub = TaskHub::builder().in_memory().open().await?;
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let options = UiOptions::new().name("shop").source_root(root);
    let options = options.trace_url("https://example.com/trace/{trace_id}");
    let ui = durable_ui::router(&hub, options);
    let app = Router::new().nest("/durable", ui);
    let place = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7072".to_owned());
    let listener = tokio::net::TcpListener::bind(place).await?;
    println!("http://{}/durable", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });
    for number in 0_u32.. {
        let call = if number % 9 == 5 {
            let id = format!("import-2026-11-28-{number:06}");
            NamedCall::new("import_catalog").input_json(json(&number)?).instance_id(id)
        } else {
            let order = Order { number, customer: format!("c-{}", 88_000 + number), cents: 24_900 };
            let id = format!("order-2026-11-28-{number:06}");
            let call = NamedCall::new("checkout").input_json(json(&order)?).instance_id(id);
            let region = if number.is_multiple_of(2) { "eu" } else { "us" };
            let trace =
                u128::from(number + 1).wrapping_mul(0xb5ad_4ece_da1c_e2a9_9e37_79b9_7f4a_7c15);
            let parent = format!("00-{trace:032x}-{:016x}-01", number + 1);
            let call = call.trace_context(TraceContext::parse(&parent)?);
            call.tag("region", region).tag("tier", "gold")
        };
        let run = hub.start_named(call).await?;
        match number % 11 {
            7 => drop(run.suspend("the supplier is closed until Monday").await),
            8 => drop(run.terminate("duplicate").await),
            _ => {}
        }
        let pause = if number < 300 { 20 } else { 2000 };
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    Ok(())
}

fn json(value: &impl Serialize) -> Result<Json> {
    Ok(Json::parse(&serde_json::to_string(value)?)?)
}
