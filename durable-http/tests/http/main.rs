//! The routes, driven in the process and over sockets.

mod access;
mod callbacks;
mod common;
mod golden;
mod limits;
mod openapi;
mod pattern;
mod serve;
mod v1;
