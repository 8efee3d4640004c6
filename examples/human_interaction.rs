//! Human interaction: an expense waits for approval, is escalated if nobody answers, and is
//! rejected if no approver is left.
//!
//! ```text
//! cargo run -p examples --bin human_interaction
//! ```
//! First in virtual time, as in a test (`durable::testing`): each approver has 72 hours and is
//! reminded every 24. Then live, with one second for each. The printed report is read from the
//! history.
//!
//! Nothing runs while an approver thinks: the instance waits for an event and a timer, both on
//! disk.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::{Table, presets};
use durable::OrchestrationHandle;
use durable::prelude::*;
use durable::protocol::{EventKind, HistoryEvent, InstanceId};
use durable::task::Elapsed;
use durable::testing::TestHub;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

#[derive(Clone, Serialize, Deserialize)]
struct Expense {
    what: String,
    euros: u32,
    /// The approvers, in the order in which they are asked.
    approvers: Vec<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Patience {
    reminder_every: Duration,
    escalation_after: Duration,
}

const OFFICE: Patience = Patience {
    reminder_every: Duration::from_hours(24),
    escalation_after: Duration::from_hours(72),
};

const LIVE: Patience = Patience {
    reminder_every: Duration::from_millis(400),
    escalation_after: Duration::from_secs(1),
};

/// The answer of an approver. The type carries the event's name, for both sides.
#[durable::event]
#[derive(Debug, Serialize, Deserialize)]
struct Approval {
    by: String,
    approved: bool,
}

#[derive(Debug, Serialize, Deserialize)]
enum Decision {
    Approved { by: String },
    Rejected { by: String },
    NobodyAnswered,
}

/// Asks one approver after the other, until one answers.
#[orchestrator]
async fn approve_expense(
    ctx: &OrchestrationContext,
    expense: Expense,
    patience: Patience,
) -> Result<Decision> {
    for (level, approver) in expense.approvers.iter().enumerate() {
        ctx.set_custom_status(&format!("waiting for {approver}"))?;
        // Approvers who were asked earlier may still answer.
        let asked = &expense.approvers[..=level];
        if let Some(Approval { by, approved }) = answer(ctx, &expense, asked, patience).await? {
            ctx.clear_custom_status();
            return Ok(if approved {
                Decision::Approved { by }
            } else {
                Decision::Rejected { by }
            });
        }
    }
    ctx.set_custom_status(&"nobody answered")?;
    Ok(Decision::NobodyAnswered)
}

/// Asks the last of the approvers in `asked`, sends reminders, and gives up at the deadline.
#[durable::helper]
async fn answer(
    ctx: &OrchestrationContext,
    expense: &Expense,
    asked: &[String],
    patience: Patience,
) -> Result<Option<Approval>> {
    let Some(approver) = asked.last() else { return Ok(None) };
    let deadline = ctx.current_utc_datetime() + patience.escalation_after;
    ask(approver, expense, deadline).await?;
    let mut reminder = ctx.current_utc_datetime() + patience.reminder_every;
    loop {
        let approval = ctx.wait_for_event::<Approval>();
        match durable::timeout(reminder.min(deadline), approval).await {
            Ok(approval) => {
                let approval = approval?;
                // Anybody who knows the id can raise an event, but only approvers may approve.
                if asked.contains(&approval.by) {
                    return Ok(Some(approval));
                }
            }
            Err(Elapsed) if reminder >= deadline => return Ok(None),
            Err(Elapsed) => {
                remind(approver, expense).await?;
                reminder += patience.reminder_every;
            }
        }
    }
}

/// Writes to the approver. The message carries the instance's id, so that the answer can be
/// delivered.
#[activity(retry(max_number_of_attempts = 5, first_retry_interval = "1s"))]
async fn ask(
    ctx: &ActivityContext,
    outbox: State<Outbox>,
    approver: &str,
    expense: &Expense,
    until: DateTime<Utc>,
) -> Result<()> {
    outbox.send(Letter { to: approver.to_owned(), reply_to: ctx.instance_id().clone() })?;
    println!("to {approver}: do you approve {} for {} euros?", expense.what, expense.euros);
    println!("    please answer by {}", until.format("%F %T"));
    Ok(())
}

#[activity(retry(max_number_of_attempts = 5, first_retry_interval = "1s"))]
async fn remind(approver: &str, expense: &Expense) -> Result<()> {
    println!("to {approver}: {} still waits for you", expense.what);
    Ok(())
}

/// Simulates the mail service.
type Outbox = UnboundedSender<Letter>;

#[derive(Debug)]
struct Letter {
    to: String,
    reply_to: InstanceId,
}

#[tokio::main]
async fn main() -> Result<()> {
    in_virtual_time().await?;
    live().await
}

async fn in_virtual_time() -> Result<()> {
    let (outbox, mut letters) = unbounded_channel();
    let hub = TestHub::builder().configure(|hub| hub.state::<Outbox>(outbox)).open().await?;

    println!("=== in virtual time: Ada answers after 30 hours\n");
    let run = hub.start(approve_expense(expense("a keyboard", 90), OFFICE)).await?;
    // Virtual time passes only in `advance`, or while a test waits for a result.
    hub.advance(Duration::from_hours(30)).await;
    tell_status(&run).await?;
    answer_next_letter(&hub, &mut letters, true).await?;
    tell(&run).await?;

    println!("=== in virtual time: somebody else approves, Ada is away, and Grace says no\n");
    let run = hub.start(approve_expense(expense("a sofa", 2400), OFFICE)).await?;
    hub.settle().await;
    run.raise(&Approval { by: "Mallory".into(), approved: true }).await?;
    hub.advance(Duration::from_hours(80)).await;
    tell_status(&run).await?;
    let _unanswered = letters.recv().await;
    answer_next_letter(&hub, &mut letters, false).await?;
    tell(&run).await?;

    println!("=== in virtual time: nobody answers\n");
    let run = hub.start(approve_expense(expense("a yacht", 900_000), OFFICE)).await?;
    tell(&run).await
}

async fn live() -> Result<()> {
    let (outbox, mut letters) = unbounded_channel();
    let hub = TaskHub::builder().in_memory().state::<Outbox>(outbox).open().await?;

    println!("=== live, with one second for each: Ada answers\n");
    let run = hub.start(approve_expense(expense("a keyboard", 90), LIVE)).await?;
    answer_next_letter(&hub, &mut letters, true).await?;
    tell(&run).await?;

    println!("=== live, with one second for each: nobody answers\n");
    let run = hub.start(approve_expense(expense("a sofa", 2400), LIVE)).await?;
    tell(&run).await?;
    Ok(hub.shutdown().await?)
}

fn expense(what: &str, euros: u32) -> Expense {
    Expense { what: what.into(), euros, approvers: vec!["Ada".into(), "Grace".into()] }
}

/// The handler behind a link in the letter: all it has is the instance's id.
async fn answer_next_letter(
    hub: &TaskHub,
    letters: &mut UnboundedReceiver<Letter>,
    approved: bool,
) -> Result<()> {
    let Some(letter) = letters.recv().await else { return Ok(()) };
    println!("from {}: {}", letter.to, if approved { "yes" } else { "no" });
    let instance = hub.instance(letter.reply_to.as_str())?;
    instance.raise(&Approval { by: letter.to, approved }).await?;
    Ok(())
}

/// The status that a web page would show meanwhile.
async fn tell_status(run: &OrchestrationHandle<approve_expense>) -> Result<()> {
    println!("status: {}", run.custom_status::<String>().await?.unwrap_or_default());
    Ok(())
}

async fn tell(run: &OrchestrationHandle<approve_expense>) -> Result<()> {
    match run.result().await? {
        Decision::Approved { by } => println!("-> approved by {by}"),
        Decision::Rejected { by } => println!("-> rejected by {by}"),
        Decision::NobodyAnswered => println!("-> rejected, since nobody answered"),
    }
    println!("{}\n", account(&run.history().await?));
    Ok(())
}

/// The time of each event, since the start.
fn account(history: &[HistoryEvent]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["after", "what happened"]);
    let Some(start) = history.first().map(|event| event.timestamp.to_datetime()) else {
        return table;
    };
    for event in history {
        let what = match &event.kind {
            EventKind::TaskScheduled { name, .. } => format!("{name} is called"),
            EventKind::EventRaised { name, input } => format!("{name} came: {input}"),
            EventKind::TimerFired { .. } => "the time is up".to_owned(),
            EventKind::ExecutionCompleted { result: Some(result), .. } => {
                format!("it returned {result}")
            }
            _ => continue,
        };
        table.add_row([text(event.timestamp.to_datetime() - start), what]);
    }
    table
}

fn text(time: TimeDelta) -> String {
    if time.is_zero() {
        return "at once".to_owned();
    }
    if time < TimeDelta::minutes(1) {
        return format!("{} ms", time.num_milliseconds());
    }
    format!("{} h", time.num_hours())
}
