#![allow(unused)]

use durable::prelude::*;

use std::sync::atomic::{AtomicU32 as Counter, Ordering};
use tokio::sync::mpsc::channel as pipe;
use std::sync::{Mutex, RwLock as Lock, atomic};

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> u32 {
    let full = std::sync::Mutex::new(1);
    let used = Mutex::new(1);
    let renamed = Lock::new(1);
    let in_module = atomic::AtomicBool::new(true);
    let counter = Counter::new(1);
    let once = std::sync::OnceLock::<u32>::new();
    let (sender, receiver) = tokio::sync::oneshot::channel::<u32>();
    let (sender, receiver) = pipe::<u32>(1);
    let (sender, receiver) = std::sync::mpsc::channel::<u32>();
    counter.load(Ordering::SeqCst)
}

fn main() {}
