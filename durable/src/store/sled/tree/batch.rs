//! Changes of a tree that are made together.

use ::sled::IVec;

/// Changes that are made together.
#[derive(Debug, Default)]
pub(in crate::store::sled) struct Batch(pub(super) Vec<(IVec, Option<IVec>)>);

impl Batch {
    pub(in crate::store::sled) fn insert(&mut self, key: impl Into<IVec>, value: impl Into<IVec>) {
        self.0.push((key.into(), Some(value.into())));
    }

    pub(in crate::store::sled) fn remove(&mut self, key: impl Into<IVec>) {
        self.0.push((key.into(), None));
    }

    pub(in crate::store::sled) fn keys(&self) -> Vec<IVec> {
        self.0.iter().map(|(key, _)| key.clone()).collect()
    }
}
