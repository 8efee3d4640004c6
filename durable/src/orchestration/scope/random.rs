//! Random numbers from a seed, so that a seed of a model test reproduces its run.

/// A small generator (xorshift); its seed is not 0.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % 1_000_000).unwrap_or_default() % end
    }
}
