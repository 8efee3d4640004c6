//! Processes that are killed at random moments: nothing acknowledged is lost, nothing recorded is done
//! again, whatever instances, messages and entities were in the middle of.

#[path = "../support/seed.rs"]
mod seed;

mod entities;
mod instances;
mod messages;
