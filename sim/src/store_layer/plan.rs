//! What a seed decides about a run before the run begins.

use std::time::Duration;

use durable::store::Durability;
use durable::testing::sim::{Choices, DiskFaults, Stream};

/// The choices of a seed for the whole run.
pub(super) struct Plan {
    pub(super) durability: Durability,
    pub(super) sizes: Vec<(&'static str, usize)>,
    pub(super) faults: DiskFaults,
    /// The process ends after at most this many calls; 0 for never.
    pub(super) crashes: u32,
    pub(super) preemption: u32,
}

impl Plan {
    pub(super) fn draw(choices: &mut Choices) -> Self {
        let mut one_of = |all: &[u32]| choices.one_of(Stream::Swarm, all);
        let durability = match one_of(&[0, 0, 0, 1]) {
            0 => Durability::Immediate,
            _ => Durability::Within(Duration::from_millis(20)),
        };
        let (segment, segments) = (one_of(&[64, 512, 4096, 65_536]), one_of(&[1, 4, 16]));
        let sizes = [
            ("segment_min", segment),
            ("segment_max", segment * segments),
            // A segment is prepared in at most 16 steps, because every step counts as two calls.
            ("segment_step", (segment * segments / one_of(&[1, 4, 16])).max(64)),
            ("checkpoint_operations", one_of(&[1, 2, 8, 128])),
            ("checkpoint_bytes", one_of(&[64, 1024, 131_072])),
            ("tail", one_of(&[1, 64, 3072])),
            ("overlay", one_of(&[512, 4096, 16_384, 65_536, 1 << 20])),
        ];
        let sizes = sizes.map(|(name, size)| (name, size as usize)).to_vec();
        let lacks = one_of(&[0, 0, 10, 50, 300]);
        let breaks = one_of(&[0, 0, 0, 50, 300]);
        Self {
            durability,
            sizes,
            faults: DiskFaults { lacks, breaks },
            crashes: one_of(&[0, 30, 100, 300, 1000]),
            preemption: one_of(&[0, 1, 2, 4, 16]),
        }
    }
}
