//! How much memory and disk a store uses.

/// The disk and memory usage of a store, and further figures of that store.
///
/// With the feature `metrics`, the hub reports the usage after each commit:
/// `durable_store_disk_bytes`, `durable_store_memory_bytes`, and `durable_store_NAME` for each
/// [figure](Self::figure).
///
/// ```
/// use durable::store::Usage;
///
/// let usage = Usage::default().disk_bytes(4096).figure("connections", 3);
/// assert_eq!(usage.figures, [("connections", 3)]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Bytes on disk; 0 if the store does not know.
    pub disk_bytes: u64,
    /// Bytes in memory, apart from caches; 0 if the store does not know.
    pub memory_bytes: u64,
    /// Figures that only this store has. Names are in `snake_case` and end with the unit, as metric
    /// names do.
    pub figures: Vec<(&'static str, u64)>,
}

impl Usage {
    /// Sets the number of bytes on disk.
    #[must_use]
    pub fn disk_bytes(self, disk_bytes: u64) -> Self {
        Self { disk_bytes, ..self }
    }

    /// Sets the number of bytes in memory.
    #[must_use]
    pub fn memory_bytes(self, memory_bytes: u64) -> Self {
        Self { memory_bytes, ..self }
    }

    /// Adds a figure that only this store has.
    #[must_use]
    pub fn figure(mut self, name: &'static str, value: u64) -> Self {
        self.figures.push((name, value));
        self
    }
}
