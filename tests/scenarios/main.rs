//! Use cases and complaints of users of Durable Functions, written against the documented API.

mod applications;
mod bad_input;
mod combine;
mod common;
mod complaints;
mod patterns;
mod points;
mod scale;
