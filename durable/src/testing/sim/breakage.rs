//! A store that fails in the middle of a simulation.

use crate::store::StoreError;

/// How a call of the store fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breakage {
    /// It panics instead of returning an error.
    pub panics: bool,
    /// It fails after it took effect.
    pub is_late: bool,
}

impl Breakage {
    pub(super) fn happen<T>(self) -> Result<T, StoreError> {
        assert!(!self.panics, "planned, in the store");
        Err(StoreError::damaged("planned"))
    }
}
