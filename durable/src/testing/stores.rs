//! The stores that suites of [`TestHub`](super::TestHub) run on, by name.

use std::env;
use std::fmt;
use std::sync::Arc;

use super::conformance::StoreUnderTest;

/// The environment variable that names the store.
const VARIABLE: &str = "DURABLE_TEST_STORE";

/// Where a [`TestHub`](super::TestHub) keeps its store: the place of the store, and the store in
/// it.
pub(crate) type Place = Arc<dyn StoreUnderTest + Send>;

/// A kind of store, registered by [`test_store!`](super::test_store).
#[doc(hidden)]
pub struct TestStore {
    name: &'static str,
    make: fn() -> Arc<dyn StoreUnderTest + Send>,
    is_default: bool,
}

inventory::collect!(TestStore);

impl TestStore {
    #[doc(hidden)]
    pub const fn new(
        name: &'static str,
        make: fn() -> Arc<dyn StoreUnderTest + Send>,
        is_default: bool,
    ) -> Self {
        Self { name, make, is_default }
    }
}

impl fmt::Debug for TestStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TestStore").field(&self.name).finish()
    }
}

/// An empty place of the store that the environment names, or of the default store. `None`
/// means a store in memory.
pub(crate) fn chosen() -> Option<Place> {
    let registered = || inventory::iter::<TestStore>.into_iter();
    let wanted = env::var(VARIABLE).ok();
    let store = match wanted.as_deref() {
        None => registered().find(|store| store.is_default)?,
        Some("memory") => return None,
        Some(name) => registered().find(|store| store.name == name).unwrap_or_else(|| {
            let names: Vec<_> = registered().map(|store| store.name).collect();
            panic!(
                "no store `{name}` is registered, as `{VARIABLE}` wants; registered: memory, {}",
                names.join(", ")
            )
        }),
    };
    Some((store.make)())
}

/// Registers a store under a name, so that a whole suite of [`TestHub`](crate::testing::TestHub)s
/// runs on it.
///
/// The macro takes a name, an expression that creates a
/// [`StoreUnderTest`](crate::testing::conformance::StoreUnderTest) at an empty place, and
/// optionally `default`: hubs then use the store when none is named.
/// `DURABLE_TEST_STORE=NAME cargo test` runs the tests of a program on the store of that name.
/// `memory` always exists, and is the default unless another store is. A hub whose builder sets a
/// store uses that one.
///
/// ```
/// use std::sync::Arc;
///
/// use durable::store::{MemoryStore, Store};
/// use durable::testing::conformance::StoreUnderTest;
///
/// #[derive(Debug, Default)]
/// struct MyStore(Arc<MemoryStore>);
///
/// impl StoreUnderTest for MyStore {
///     fn open(&self) -> Arc<dyn Store> {
///         Arc::clone(&self.0) as Arc<dyn Store>
///     }
/// }
///
/// durable::testing::test_store!("mine", MyStore::default());
/// # fn main() {}
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __test_store {
    ($name:literal, $under_test:expr $(,)?) => {
        $crate::__test_store! { @submit $name, $under_test, false }
    };
    ($name:literal, $under_test:expr, default $(,)?) => {
        $crate::__test_store! { @submit $name, $under_test, true }
    };
    (@submit $name:literal, $under_test:expr, $is_default:literal) => {
        $crate::__private_0_1::inventory::submit! {
            $crate::testing::TestStore::new(
                $name,
                || ::std::sync::Arc::new($under_test),
                $is_default,
            )
        }
    };
}
