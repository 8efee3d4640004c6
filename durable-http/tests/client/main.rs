//! The typed client, in the process and over both kinds of sockets.

mod errors;
mod events;
mod requests;

use std::time::Duration;

use durable::prelude::*;
use durable_http::client::Client;
use durable_http::{HttpOptions, Role, Server, serve};
use serde::{Deserialize, Serialize};

#[activity(name = "charge")]
async fn charge(cents: u32) -> Result<u32> {
    if cents == 0 { Err(Error::msg("nothing to charge")) } else { Ok(cents) }
}

#[orchestrator(name = "order")]
async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
    ctx.set_custom_status(&"waits for approval")?;
    let _approved: bool = ctx.wait_for_external_event("Approval").await?;
    Ok(charge(cents).await?)
}

#[orchestrator(name = "parent")]
async fn parent(ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
    ctx.create_timer(Duration::from_hours(1)).await;
    Ok(order(cents).instance_id("child of parent").await?)
}

#[derive(Default, Serialize, Deserialize)]
struct Counter(i64);

#[entity(name = "Counter")]
impl Counter {
    fn add(&mut self, n: i64) -> i64 {
        self.0 += n;
        self.0
    }
}

async fn open() -> TaskHub {
    TaskHub::builder().in_memory().open().await.unwrap()
}

/// A client in the process, one through TCP and one through a Unix socket, each with its own hub.
async fn clients() -> Vec<(TaskHub, Option<Server>, Client)> {
    let folder = tempfile::tempdir().unwrap().keep();
    let socket = format!("unix:{}", folder.join("hub.sock").display());
    let mut clients = Vec::new();
    let hub = open().await;
    let client = Client::in_process(durable_http::router(&hub, HttpOptions::new()));
    clients.push((hub, None, client));
    let hub = open().await;
    let options = HttpOptions::new().listen("127.0.0.1:0").key(Role::Admin, "k");
    let server = serve(&hub, options).await.unwrap();
    let client = Client::connect(&server.url()).unwrap().with_key("k").unwrap();
    clients.push((hub, Some(server), client));
    let hub = open().await;
    let server = serve(&hub, HttpOptions::new().listen(&socket)).await.unwrap();
    let client = Client::connect(&socket).unwrap();
    clients.push((hub, Some(server), client));
    clients
}

async fn close(hub: TaskHub, server: Option<Server>) {
    if let Some(server) = server {
        server.shutdown().await;
    }
    hub.shutdown().await.unwrap();
}
