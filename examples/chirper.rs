//! Chirper: a small application of entities: people chirp, follow each other, and read.
//!
//! ```text
//! cargo run -p examples --bin chirper
//! cargo run -p examples --bin chirper -- post /tmp/chirper ada "the engine weaves patterns"
//! cargo run -p examples --bin chirper -- follow /tmp/chirper grace ada
//! cargo run -p examples --bin chirper -- timeline /tmp/chirper grace
//! ```
//! The first plays a scene in virtual time. The others work in a hub's folder, each command in a
//! process of its own.
//!
//! Each person has two entities: `Chirps` with their messages, and `Follows` with the people they
//! follow. An entity belongs to one person and changes as a whole. Operations on several entities
//! are orchestrations: `timeline` asks `Follows` for the names, and then calls all their `Chirps`
//! at once. There is no sign-up: an entity exists from its first operation on.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Parser, Subcommand};
use durable::client::EntityError;
use durable::entity::EntityHandle;
use durable::prelude::*;
use durable::testing::TestHub;
use serde::{Deserialize, Serialize};

/// People chirp, follow each other, and read, durably. Without a command, a scene is played.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// Posts a message.
    Post { hub: PathBuf, person: String, text: String },
    /// Follows somebody.
    Follow { hub: PathBuf, person: String, whom: String },
    /// Stops following somebody.
    Unfollow { hub: PathBuf, person: String, whom: String },
    /// Shows the messages of the people that a person follows.
    Timeline { hub: PathBuf, person: String },
    /// Deletes a person's messages and the list of people they follow.
    Leave { hub: PathBuf, person: String },
}

/// How long a chirp may be.
const LETTERS: usize = 80;
/// How many chirps of a person are kept.
const KEPT: usize = 100;
/// How many chirps a timeline shows.
const SHOWN: usize = 10;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Chirp {
    at: DateTime<Utc>,
    person: String,
    text: String,
}

/// Why a message is refused. The caller gets this value.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
enum NotSaid {
    #[error("{letters} letters are too many, {LETTERS} are allowed")]
    TooLong { letters: usize },
}

/// The messages of one person, newest first.
#[derive(Default, Serialize, Deserialize)]
struct Chirps(VecDeque<Chirp>);

#[entity]
impl Chirps {
    fn post(&mut self, ctx: &EntityContext, text: String) -> Result<(), NotSaid> {
        let letters = text.chars().count();
        if letters > LETTERS {
            return Err(NotSaid::TooLong { letters });
        }
        let (at, person) = (ctx.current_utc_datetime(), ctx.key().to_owned());
        self.0.push_front(Chirp { at, person, text });
        // The state is read and written as a whole, so it has to stay small.
        self.0.truncate(KEPT);
        Ok(())
    }

    fn newest(&self, count: usize) -> Vec<Chirp> {
        self.0.iter().take(count).cloned().collect()
    }
}

/// The people that one person follows. Following somebody twice has no further effect.
#[derive(Default, Serialize, Deserialize)]
struct Follows(BTreeSet<String>);

#[entity]
impl Follows {
    fn add(&mut self, whom: String) {
        self.0.insert(whom);
    }

    fn remove(&mut self, whom: &str) {
        self.0.remove(whom);
    }

    fn all(&self) -> BTreeSet<String> {
        self.0.clone()
    }
}

/// The messages of the people that a person follows, newest first.
#[orchestrator]
async fn timeline(ctx: &OrchestrationContext, person: &str) -> Result<Vec<Chirp>> {
    let followed = Follows::at(person).all().await?;
    let asked = followed.iter().map(|whom| Chirps::at(whom).newest(SHOWN));
    let mut chirps = durable::try_join_all(asked).await?.concat();
    // Messages of the same time stay in the order of the names.
    chirps.sort_by_key(|chirp| std::cmp::Reverse(chirp.at));
    chirps.truncate(SHOWN);
    Ok(chirps)
}

#[tokio::main]
async fn main() -> Result<()> {
    let Some(what) = Arguments::parse().what else { return scene().await };
    let hub = match &what {
        What::Post { hub, .. }
        | What::Follow { hub, .. }
        | What::Unfollow { hub, .. }
        | What::Timeline { hub, .. }
        | What::Leave { hub, .. } => TaskHub::open(hub).await?,
    };
    match what {
        What::Post { person, text, .. } => post(&hub, &person, &text).await?,
        What::Follow { person, whom, .. } => follow(&hub, &person, &whom).await?,
        What::Unfollow { person, whom, .. } => unfollow(&hub, &person, &whom).await?,
        What::Timeline { person, .. } => show(&hub, &person).await?,
        What::Leave { person, .. } => leave(&hub, &person).await?,
    }
    Ok(hub.shutdown().await?)
}

/// A call, because the answer may be a refusal.
async fn post(hub: &TaskHub, person: &str, text: &str) -> Result<()> {
    match hub.call_entity(Chirps::at(person).post(text.to_owned())).await {
        Ok(()) => println!("{person}: {text}"),
        Err(EntityError::Failed(failed)) => match failed.error() {
            Some(reason) => println!("{person} is not heard: {reason}"),
            None => println!("{person} is not heard: {}", failed.details()),
        },
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// A signal, because there is no answer: it is durable now, and runs before later operations of the
/// entity.
async fn follow(hub: &TaskHub, person: &str, whom: &str) -> Result<()> {
    // Refuse an invalid name now instead of in every timeline.
    Chirps::at(whom).entity_id()?;
    hub.signal_entity(Follows::at(person).add(whom.to_owned())).await?;
    println!("{person} follows {whom}");
    Ok(())
}

async fn unfollow(hub: &TaskHub, person: &str, whom: &str) -> Result<()> {
    hub.signal_entity(Follows::at(person).remove(whom)).await?;
    println!("{person} follows {whom} no more");
    Ok(())
}

async fn show(hub: &TaskHub, person: &str) -> Result<()> {
    let run = hub.start(timeline(person)).await?;
    let chirps = run.result().await?;
    match chirps.len() {
        0 => println!("{person} has nothing to read"),
        _ => println!("what {person} reads:"),
    }
    for Chirp { at, person, text } in chirps {
        println!("  {} {person}: {text}", at.format("%d %b %R"));
    }
    // The question is answered, so its history is no longer needed.
    Ok(run.purge().await?)
}

/// Both entities are deleted. Other people may still follow the name, because an entity knows only
/// itself.
async fn leave(hub: &TaskHub, person: &str) -> Result<()> {
    hub.delete_entity(Chirps::at(person)).await?;
    hub.delete_entity(Follows::at(person)).await?;
    println!("{person} has left");
    Ok(())
}

/// A day, in virtual time.
async fn scene() -> Result<()> {
    let hub = TestHub::open().await?;
    follow(&hub, "grace", "ada").await?;
    follow(&hub, "grace", "alan").await?;
    follow(&hub, "alan", "grace").await?;
    post(&hub, "ada", "the engine weaves patterns as the loom weaves leaves").await?;
    hub.advance(Duration::from_hours(2)).await;
    post(&hub, "alan", "can machines think?").await?;
    hub.advance(Duration::from_mins(40)).await;
    post(&hub, "grace", "found a moth in relay 70").await?;
    post(&hub, "grace", &"nanoseconds are short, ".repeat(4)).await?;
    hub.advance(Duration::from_hours(1)).await;
    post(&hub, "ada", "note G is done").await?;
    println!();
    show(&hub, "grace").await?;
    show(&hub, "alan").await?;
    println!();
    unfollow(&hub, "grace", "alan").await?;
    leave(&hub, "ada").await?;
    show(&hub, "grace").await?;
    post(&hub, "ada", "back again").await?;
    show(&hub, "grace").await?;
    Ok(hub.shutdown().await?)
}
