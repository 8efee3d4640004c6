//! Approval by link: an expense is approved by a person who follows a link, without an account and
//! without an API key.
//!
//! ```text
//! cargo run -p examples --bin approval_by_link
//! ```
//! Open one of the links that it prints in a browser, and confirm. A real program would send them by
//! mail: `GET` only asks, because mail scanners follow links, too. A link works once, and until the time of
//! its approver is up; then the next approver is asked.
//!
//! `APPROVAL_SECRET` in the environment, of at least 32 bytes, signs the links. Without it they are valid
//! for one run only. The links are made in the activity that sends them, so they are in no history.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use durable::InstanceId;
use durable::prelude::*;
use durable_http::{CallbackKeys, CallbackUrl, Callbacks, HttpOptions, Shutdown};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

#[derive(Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// The hub's folder; without it, the hub is in memory.
    #[arg(long)]
    hub: Option<PathBuf>,
    /// How many seconds each approver has: 72 hours.
    #[arg(long, default_value_t = 72 * 60 * 60)]
    patience: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Expense {
    what: String,
    euros: u32,
    /// The approvers, in the order in which they are asked.
    approvers: Vec<String>,
}

/// What a link raises.
#[durable::event]
#[derive(Serialize, Deserialize)]
struct Approval {
    by: String,
    approved: bool,
}

/// Asks one approver after the other, until one answers.
#[orchestrator]
async fn approve_expense(
    ctx: &OrchestrationContext,
    expense: Expense,
    patience: Duration,
) -> Result<Option<Approval>> {
    for approver in &expense.approvers {
        let yes = answer(ctx, &expense, approver, true)?.expires_in(patience);
        let no = answer(ctx, &expense, approver, false)?.expires_in(patience);
        let deadline = yes.expires_at();
        ask(approver, &expense, &yes, &no).await?;
        let approval = ctx.wait_for_event::<Approval>();
        if let Ok(approval) = durable::timeout(deadline, approval).await {
            return Ok(Some(approval?));
        }
    }
    Ok(None)
}

/// The link with which the approver gives this answer. Both answers are one event with another payload.
fn answer(
    ctx: &OrchestrationContext,
    expense: &Expense,
    approver: &str,
    is_yes: bool,
) -> Result<CallbackUrl> {
    let verb = if is_yes { "Approve" } else { "Reject" };
    let Expense { what, euros, .. } = expense;
    ctx.callback_url("Approval")
        .prompt(format!("{verb} {what} for {euros} euros?"))
        .payload(&Approval { by: approver.to_owned(), approved: is_yes })
}

/// Stands for a mail to the approver.
#[activity(retry(max_number_of_attempts = 5, first_retry_interval = "1s"))]
async fn ask(
    keys: State<CallbackKeys>,
    approver: &str,
    expense: &Expense,
    yes: &CallbackUrl,
    no: &CallbackUrl,
) -> Result<()> {
    println!("to {approver}: do you approve {} for {} euros?", expense.what, expense.euros);
    println!("  yes: {}\n  no:  {}", keys.link(yes), keys.link(no));
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { listen, hub, patience } = Arguments::parse();
    let listener = TcpListener::bind(listen).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let random = |_| format!("{}{}", InstanceId::generate(), InstanceId::generate());
    let secret = std::env::var("APPROVAL_SECRET").unwrap_or_else(random);
    let keys = CallbackKeys::new(url, secret)?;

    let builder = TaskHub::builder().state(keys.clone());
    let builder = match hub {
        Some(path) => builder.path(path),
        None => builder.in_memory(),
    };
    let hub = builder.open().await?;
    let shutdown = Shutdown::new();
    let options = HttpOptions::new().callbacks(keys).shutdown(shutdown.clone());
    let routes = durable_http::router(&hub, options);
    let server = axum::serve(listener, routes).with_graceful_shutdown(shutdown.begun());
    let server = tokio::spawn(server.into_future());

    let approvers = vec!["Ada".to_owned(), "Grace".to_owned()];
    let expense = Expense { what: "a sofa".into(), euros: 2400, approvers };
    let call = approve_expense(expense, Duration::from_secs(patience)).instance_id("sofa");
    let run = hub.start_if_absent(call).await?;
    match run.result().await? {
        Some(Approval { by, approved: true }) => println!("-> approved by {by}"),
        Some(Approval { by, approved: false }) => println!("-> rejected by {by}"),
        None => println!("-> rejected, since nobody answered"),
    }
    // The page that answers the approver is sent completely.
    shutdown.begin();
    server.await??;
    Ok(hub.shutdown().await?)
}
