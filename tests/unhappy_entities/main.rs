//! Entities when things go wrong: code that does not fit, stores that fail, hubs that stop.
//!
//! Two types under one name could not be told apart in one hub, so every hub here is told which
//! functions it has.

#[path = "../it/breaking.rs"]
mod breaking;
mod failures;
mod held;
mod stops;
