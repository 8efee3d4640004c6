//! How the tests open a store that several processes share.

use std::sync::Arc;

use crate::store::Store;

/// A place where several processes share a store.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use durable::store::Store;
/// use durable::testing::conformance::{self, ClusterUnderTest};
/// use durable::testing::{MemoryCluster, MemoryNode};
///
/// #[derive(Debug, Default)]
/// struct InMemory(MemoryCluster, Mutex<Vec<MemoryNode>>);
///
/// impl ClusterUnderTest for InMemory {
///     fn open(&self) -> Arc<dyn Store> {
///         let node = self.0.node();
///         self.1.lock().unwrap().push(node.clone());
///         Arc::new(node)
///     }
///
///     fn silence(&self, number: usize) {
///         self.1.lock().unwrap()[number].cut_off();
///     }
/// }
///
/// conformance::a_partition_has_one_owner(&InMemory::default());
/// ```
pub trait ClusterUnderTest: Sync {
    /// Opens the store as another process would. The store has not joined the hub yet. All stores
    /// of this place share their content.
    fn open(&self) -> Arc<dyn Store>;

    /// Lets the lease of a process expire, if that is possible without waiting. `number` identifies
    /// the process by its call of [`open`](Self::open), counted from 0. By default the tests wait
    /// until the lease has expired.
    fn silence(&self, number: usize) {
        let _ = number;
    }
}
