//! Function chaining: one activity after another, and the resulting history.
//!
//! ```text
//! cargo run -p examples --bin function_chaining -- Tokyo Seattle London
//! ```

use clap::Parser;
use comfy_table::{ContentArrangement, Table, presets};
use durable::prelude::*;
use durable::protocol::{EventKind, HistoryEvent};

/// Greets cities, one after another, durably.
#[derive(Parser)]
struct Arguments {
    /// The cities.
    #[arg(default_values = ["Tokyo", "Seattle", "London"])]
    cities: Vec<String>,
}

#[activity]
async fn say_hello(city: &str) -> Result<String> {
    if city.trim().is_empty() {
        return Err(Error::msg("there is no city without a name"));
    }
    Ok(format!("Hello {city}!"))
}

#[orchestrator]
async fn hello_sequence(ctx: &OrchestrationContext, cities: Vec<String>) -> Result<Vec<String>> {
    let mut greetings = Vec::new();
    for city in &cities {
        greetings.push(say_hello(city).await?);
    }
    Ok(greetings)
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let hub = TaskHub::builder().in_memory().open().await?;
    let run = hub.start(hello_sequence(arguments.cities)).await?;
    match run.result().await {
        Ok(greetings) => println!("{}", greetings.join("\n")),
        Err(error) => println!("no greetings: {error}"),
    }
    println!("{}", table(&run.history().await?));
    hub.shutdown().await?;
    Ok(())
}

fn table(history: &[HistoryEvent]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["time", "event", "name", "input", "result"]);
    for event in history {
        let time = event.timestamp.to_datetime().format("%H:%M:%S%.6f").to_string();
        let (name, input, result) = columns(history, &event.kind);
        table.add_row([time, event.kind.type_name().to_owned(), name, input, result]);
    }
    table
}

/// Name, input and result of an event, if it has them.
fn columns(history: &[HistoryEvent], kind: &EventKind) -> (String, String, String) {
    let nothing = String::new;
    match kind {
        EventKind::ExecutionStarted(started) => {
            (started.name.clone(), started.input.to_string(), nothing())
        }
        EventKind::TaskScheduled { name, input, .. } => {
            (name.clone(), input.to_string(), nothing())
        }
        EventKind::TaskCompleted { task_scheduled_id, result, .. } => {
            (scheduled(history, *task_scheduled_id), nothing(), result.to_string())
        }
        EventKind::TaskFailed { task_scheduled_id, failure, .. } => {
            (scheduled(history, *task_scheduled_id), nothing(), failure.to_string())
        }
        EventKind::ExecutionCompleted { result: Some(result), .. } => {
            (nothing(), nothing(), result.to_string())
        }
        EventKind::ExecutionCompleted { failure: Some(failure), .. } => {
            (nothing(), nothing(), failure.to_string())
        }
        _ => (nothing(), nothing(), nothing()),
    }
}

/// The name of the activity that was scheduled under this id.
fn scheduled(history: &[HistoryEvent], id: i32) -> String {
    let name = history.iter().find_map(|event| match &event.kind {
        EventKind::TaskScheduled { name, .. } if event.event_id == id => Some(name.clone()),
        _ => None,
    });
    name.unwrap_or_default()
}
