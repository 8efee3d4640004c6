//! The contract of [`Store`], as tests that every store runs.
//!
//! There is one function for each numbered point of the contract, with exactly that point's name.
//! The functions require nothing beyond the contract, and use a store only through the trait.
//!
//! A store runs all of them with one line, [`conformance_tests!`](super::conformance_tests), and
//! defines in [`StoreUnderTest`] how it is opened and how it crashes.

// Read next: `scene.rs` (the helpers of the tests).

mod cluster;
mod cluster_scene;
mod cluster_under_test;
mod commit;
mod creations;
mod due;
mod history;
mod history_pages;
mod hub;
mod large;
mod messages;
mod owner;
mod pages;
mod partition;
mod positions;
mod purge;
mod replaced;
mod scene;
#[cfg(test)]
mod tests;
mod verbatim;

use std::sync::Arc;

pub use self::cluster::{
    CLUSTER_POINTS, ClusterPoint, a_message_that_was_not_committed_goes_to_the_next_owner,
    a_message_to_another_node_arrives_once_and_in_order, a_parked_partition_is_not_claimed,
    a_partition_has_one_owner, a_partition_that_does_not_run_is_claimed_again,
    a_request_is_answered_once, a_request_that_was_not_answered_goes_to_the_next_owner,
    a_silent_owner_is_replaced_and_fenced, a_withdrawn_request_is_neither_delivered_nor_answered,
    the_nodes_share_a_clock,
};
pub use self::cluster_under_test::ClusterUnderTest;
pub use self::commit::{a_commit_is_all_or_nothing, an_acknowledged_commit_survives};
pub use self::creations::instances_are_found_by_creation;
pub use self::due::due_instances_are_found;
pub use self::history::{history_is_appended_at_its_end, history_is_kept_in_order};
pub use self::history_pages::history_is_found_by_page;
pub use self::hub::a_hub_is_created_once;
pub use self::large::large_values_come_back_whole;
pub use self::messages::{a_message_stays_until_it_is_consumed, messages_keep_their_order};
pub use self::owner::{a_fenced_owner_commits_nothing, a_partition_is_touched_by_its_owner_only};
pub use self::pages::{a_page_scans_no_more_than_it_may, instances_are_found_by_page};
pub use self::partition::{active_instances_are_found, partitions_do_not_see_each_other};
pub use self::positions::messages_are_found_by_page;
pub use self::purge::a_purged_instance_is_gone;
pub use self::replaced::a_replaced_history_is_gone;
pub use self::verbatim::the_store_makes_nothing_up;
use crate::store::Store;

/// A place where a store keeps its content, so that a test can open, crash and reopen the store.
///
/// A value represents one place, which is empty when the value is created: a folder, a database,
/// or, for a store in memory, the store itself.
///
/// ```
/// use std::sync::Arc;
///
/// use durable::store::{MemoryStore, Store};
/// use durable::testing::conformance::{self, StoreUnderTest};
///
/// /// A crash of the process would lose everything in memory, so none is simulated: the same
/// /// store is opened again.
/// #[derive(Debug, Default)]
/// struct InMemory(Arc<MemoryStore>);
///
/// impl StoreUnderTest for InMemory {
///     fn open(&self) -> Arc<dyn Store> {
///         Arc::clone(&self.0) as Arc<dyn Store>
///     }
/// }
///
/// conformance::messages_keep_their_order(&InMemory::default());
/// ```
pub trait StoreUnderTest: Sync {
    /// Opens the store at this place.
    ///
    /// This method is called again after the store that it last returned was dropped, and must then
    /// return a store with the same content.
    fn open(&self) -> Arc<dyn Store>;

    /// Simulates a crash of the process that has the store open, and opens what is left at this
    /// place.
    ///
    /// `store` is the last store that [`open`](Self::open) or `crash` returned; there is no other
    /// reference to it. By default the store is dropped and opened again, which does not test a
    /// crash without a drop. A store that keeps files should copy them while it is open, and open
    /// the copy.
    fn crash(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        drop(store);
        self.open()
    }
}

/// The test of a point of the contract. It panics if the store violates the point.
///
/// ```
/// use durable::testing::conformance::{Point, a_hub_is_created_once};
///
/// let point: Point = a_hub_is_created_once;
/// # let _ = point;
/// ```
pub type Point = fn(&dyn StoreUnderTest);

/// Every point of the contract with its name, in the contract's order.
///
/// ```
/// use durable::testing::conformance::POINTS;
///
/// assert_eq!(POINTS[0].0, "a_hub_is_created_once");
/// ```
pub const POINTS: &[(&str, Point)] = crate::__conformance_tests!(@each table []);

/// Defines a `#[test]` for each point of the contract of a [`Store`](crate::store::Store).
///
/// The macro takes an expression that creates a
/// [`StoreUnderTest`](crate::testing::conformance::StoreUnderTest) at an empty place; each test
/// evaluates it once.
///
/// ```
/// #[cfg(test)]
/// mod memory {
///     use std::sync::Arc;
///
///     use durable::store::{MemoryStore, Store};
///     use durable::testing::conformance::StoreUnderTest;
///
///     #[derive(Debug, Default)]
///     struct InMemory(Arc<MemoryStore>);
///
///     impl StoreUnderTest for InMemory {
///         fn open(&self) -> Arc<dyn Store> {
///             Arc::clone(&self.0) as Arc<dyn Store>
///         }
///     }
///
///     durable::testing::conformance_tests!(InMemory::default());
/// }
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    (@each $then:ident $given:tt) => {
        $crate::__conformance_tests! {
            @$then $given
            a_hub_is_created_once
            a_commit_is_all_or_nothing
            an_acknowledged_commit_survives
            a_fenced_owner_commits_nothing
            a_partition_is_touched_by_its_owner_only
            history_is_kept_in_order
            history_is_appended_at_its_end
            large_values_come_back_whole
            messages_keep_their_order
            a_message_stays_until_it_is_consumed
            active_instances_are_found
            the_store_makes_nothing_up
            partitions_do_not_see_each_other
            due_instances_are_found
            a_replaced_history_is_gone
            a_purged_instance_is_gone
            instances_are_found_by_page
            messages_are_found_by_page
            history_is_found_by_page
            a_page_scans_no_more_than_it_may
            instances_are_found_by_creation
        }
    };
    (@tests [$under_test:expr] $($point:ident)*) => {
        $(
            #[test]
            fn $point() {
                $crate::testing::conformance::$point(&$under_test);
            }
        )*
    };
    (@table [] $($point:ident)*) => {
        &[$((stringify!($point), $point)),*]
    };
    ($under_test:expr $(,)?) => {
        $crate::__conformance_tests! { @each tests [$under_test] }
    };
}
