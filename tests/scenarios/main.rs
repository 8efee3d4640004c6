//! What users of Durable Functions do and complain about, written against the documented API.

mod bad_input;
mod combine;
mod common;
mod complaints;
mod points;
mod samples;
mod samples_more;
mod scale;
