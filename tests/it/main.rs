//! What users see of a hub, through the public API.

mod activities;
mod conformance;
mod failures;
mod hub;
mod registration;
mod resume;
mod verify;
