//! The threads of a node. They do the waiting, and run the turns of the supervisor and the inbox.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::inbox::Inbox;
use super::supervisor::Supervisor;
use crate::hub::threads::Threads;
use crate::hub::time::clock;

/// How often the node renews its leases and looks for changes.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often it does so while partitions are leaving.
const WHILE_LEAVING: Duration = Duration::from_millis(10);
/// How long one wait for messages may last.
const WAIT: Duration = Duration::from_secs(5);
/// The pause after a failed attempt to receive.
const PAUSE: Duration = Duration::from_millis(500);

/// Starts the threads of a node that has joined.
pub(crate) fn spawn(
    supervisor: Supervisor,
    inbox: Inbox,
    threads: &Threads,
) -> std::io::Result<()> {
    threads.start("durable-nodes", move || supervise(supervisor))?;
    threads.start("durable-inbox", move || receive(inbox))
}

fn supervise(mut supervisor: Supervisor) {
    let nodes = Arc::clone(supervisor.nodes());
    let mut assigned_at = None::<Instant>;
    while !nodes.is_stopping() {
        nodes.bell.wait(if supervisor.is_waiting() { WHILE_LEAVING } else { INTERVAL });
        if !nodes.is_stopping() {
            let is_due = assigned_at.is_none_or(|at| at.elapsed() >= INTERVAL);
            let now = clock::stopwatch();
            if supervisor.turn(is_due) {
                assigned_at = Some(now);
            }
        }
    }
    supervisor.end();
}

fn receive(mut inbox: Inbox) {
    let nodes = Arc::clone(&inbox.nodes);
    while !nodes.is_stopping() {
        if !inbox.turn(WAIT) {
            nodes.pause.wait(PAUSE);
        }
    }
}
