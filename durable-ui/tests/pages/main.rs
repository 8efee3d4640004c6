//! The pages of a hub with instances of every status, as a browser gets them.

mod access;
mod assets;
mod common;
mod instance;
mod lint;
mod lists;
