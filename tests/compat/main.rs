//! What earlier releases have written: their histories replay, and their folders open.

mod folders;
mod histories;
