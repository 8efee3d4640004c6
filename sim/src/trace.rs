//! What orchestrators observed, for rules that cannot be checked with the store alone.
//!
//! Strict replays run on threads of their own, where nothing is recorded.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use durable::OrchestrationContext;
use durable::prelude::ActivityContext;
use durable::protocol::{ExecutionId, InstanceId};
use uuid::Uuid;

/// The first part of a custom status that lists the events of several waits.
pub(crate) const ORDERED: &str = "ordered";

thread_local! {
    /// The number of the deployed code. The threads of strict replays have the last number, with
    /// which only patches decide what runs.
    static DEPLOYMENT: Cell<u8> = const { Cell::new(u8::MAX) };
    static SEEN: RefCell<Seen> = RefCell::default();
}

#[derive(Default)]
struct Seen {
    wrong: Option<String>,
    /// The executions that other code began and whose behavior a deployment may have changed.
    changed: BTreeSet<ExecutionId>,
    /// The execution that made each GUID.
    guids: BTreeMap<Uuid, (ExecutionId, u64)>,
    /// The numbers of the events that each instance has read.
    read: BTreeSet<(InstanceId, u64)>,
    /// The operations of clients that may take effect after later ones.
    unordered: BTreeSet<u64>,
    /// The number of times that the body of each activity has run.
    runs: BTreeMap<(ExecutionId, i32), u32>,
}

/// Forgets everything.
pub(crate) fn begin() {
    DEPLOYMENT.set(0);
    SEEN.take();
}

pub(crate) fn deployment() -> u8 {
    DEPLOYMENT.get()
}

pub(crate) fn deploy() {
    DEPLOYMENT.set(deployment().saturating_add(1));
}

/// Records a failure.
pub(crate) fn wrong(what: &str) {
    SEEN.with_borrow_mut(|seen| _ = seen.wrong.get_or_insert_with(|| what.to_owned()));
}

/// The first failure.
pub(crate) fn failure() -> Option<String> {
    SEEN.with_borrow(|seen| seen.wrong.clone())
}

/// Records that a deployment may have changed an execution without a patch. Events that were
/// recorded before then belong to other code.
pub(crate) fn note_change(execution: ExecutionId) {
    SEEN.with_borrow_mut(|seen| seen.changed.insert(execution));
}

pub(crate) fn has_changed(execution: ExecutionId) -> bool {
    SEEN.with_borrow(|seen| seen.changed.contains(&execution))
}

/// I18: a GUID is different from all others, and the same in replays. Executions that begin at the
/// same moment under the same id may share a GUID, but only virtual time makes that likely.
pub(crate) fn note_guid(ctx: &OrchestrationContext, guid: Uuid) {
    let maker = (ctx.execution_id(), ctx.generation());
    let first = SEEN.with_borrow_mut(|seen| *seen.guids.entry(guid).or_insert(maker));
    if first.0 != maker.0 && (first.1 > 0 || maker.1 > 0) {
        wrong("I18 two executions make the same GUID");
    }
}

/// Records that an orchestrator got an event.
pub(crate) fn note_read(ctx: &OrchestrationContext, number: u64) {
    let id = ctx.instance_id().clone();
    SEEN.with_borrow_mut(|seen| _ = seen.read.insert((id, number)));
}

/// Whether an instance has read an event, in any execution. A read that a crash undid counts, too.
pub(crate) fn has_read(id: &InstanceId, number: u64) -> bool {
    SEEN.with_borrow(|seen| seen.read.contains(&(id.clone(), number)))
}

/// Records that a client no longer waits for an operation, which another process may carry out
/// after the next one.
pub(crate) fn note_unordered(number: u64) {
    SEEN.with_borrow_mut(|seen| _ = seen.unordered.insert(number));
}

/// Whether an operation takes effect before the later ones of its client.
pub(crate) fn is_ordered(number: u64) -> bool {
    SEEN.with_borrow(|seen| !seen.unordered.contains(&number))
}

/// How often an activity has run, including this time.
pub(crate) fn run_again(ctx: &ActivityContext) -> u32 {
    let key = (ctx.execution_id(), ctx.task_id());
    SEEN.with_borrow_mut(|seen| {
        let runs = seen.runs.entry(key).or_default();
        *runs += 1;
        *runs
    })
}

/// A number that depends on both.
pub(crate) fn hash(a: u64, b: u64) -> u64 {
    let mut hash = a.wrapping_add(b.wrapping_mul(0xd6e8_feb8_6659_fd93));
    for _ in 0..2 {
        hash = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    hash ^ (hash >> 29)
}
