//! Data of earlier releases: their histories replay, and their folders open.

mod folders;
mod histories;
