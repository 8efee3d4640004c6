//! Fresh ids: the one place where the library makes random GUIDs.
//!
//! A simulation derives them from its seed instead, so that the same seed produces the same ids.

use uuid::Uuid;

/// A GUID that nobody has used before.
pub(crate) fn guid() -> Uuid {
    #[cfg(feature = "testing")]
    if let Some(guid) = seeded::next() {
        return guid;
    }
    Uuid::new_v4()
}

#[cfg(feature = "testing")]
pub(crate) use self::seeded::Seeded;

#[cfg(feature = "testing")]
mod seeded {
    use std::cell::Cell;

    use uuid::Uuid;

    use crate::chance;

    thread_local! {
        /// The seed, and how many numbers were drawn from it.
        static STREAM: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
    }

    /// A guard: until it is dropped, the fresh ids of this thread come from a seed.
    #[derive(Debug)]
    pub(crate) struct Seeded(());

    impl Seeded {
        pub(crate) fn new(seed: u64) -> Self {
            STREAM.set(Some((seed, 0)));
            Self(())
        }
    }

    impl Drop for Seeded {
        fn drop(&mut self) {
            STREAM.set(None);
        }
    }

    pub(super) fn next() -> Option<Uuid> {
        let (seed, count) = STREAM.get()?;
        STREAM.set(Some((seed, count + 2)));
        let (high, low) = (chance::number(seed, count), chance::number(seed, count + 1));
        let bytes = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
        Some(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }
}
