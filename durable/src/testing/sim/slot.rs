//! The place of a process in a world.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::hub::simulation::Process;
use crate::testing::MemoryNode;

/// A place for a process, which is empty while no process runs there.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) process: Option<Rc<Process>>,
    /// Whether the process still reaches the store.
    pub(super) is_alive: Arc<AtomicBool>,
    /// Whether it is frozen, so that it takes no steps.
    pub(super) is_frozen: bool,
    /// Its share of the store.
    pub(super) node: Option<MemoryNode>,
    /// The nodes of processes that have died and whose leases have not expired.
    pub(super) left: Vec<MemoryNode>,
}
