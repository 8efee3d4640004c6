//! What orchestrators and clients can do, feature by feature, in virtual time.

mod activities;
mod attempts;
mod children;
mod continue_as_new;
mod due;
mod entities;
mod errors;
mod events;
mod failures;
mod handles;
mod kit;
mod limits;
mod listeners;
mod manage;
mod observability;
mod parameters;
mod parity;
mod progress;
mod residents;
mod retries;
mod rewinds;
mod schedules;
mod store;
mod suspensions;
mod timers;
mod values;
