//! Processes that are killed at random moments: nothing acknowledged is lost, and nothing recorded
//! is repeated.

#[path = "../support/seed.rs"]
mod seed;

mod entities;
mod instances;
mod messages;
mod poison;
