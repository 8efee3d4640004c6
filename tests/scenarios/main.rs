//! What users of Durable Functions do and complain about, written against the documented API.

mod applications;
mod bad_input;
mod combine;
mod common;
mod complaints;
mod patterns;
mod points;
mod scale;
