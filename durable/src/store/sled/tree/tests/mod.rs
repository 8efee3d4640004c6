//! The simulated tree promises what sled does: the same operations have the same results.

use std::ops::Bound;
use std::path::Path;

use super::*;
use crate::store::sled::disk::simulated::SimDisk;

/// Random numbers by `SplitMix64`: a seed, and how many were drawn.
struct Random(u64, u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.1 += 1;
        let mut z = (self.0 << 40).wrapping_add(self.1.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    /// One of a few keys, some of which are prefixes of others.
    fn key(&mut self) -> Vec<u8> {
        let letters = [0, 1, b'i', b'q', u8::MAX];
        (0..=self.below(3)).map(|_| letters[usize::try_from(self.below(5)).unwrap()]).collect()
    }

    fn bound(&mut self) -> Bound<Vec<u8>> {
        match self.below(3) {
            0 => Bound::Included(self.key()),
            1 => Bound::Excluded(self.key()),
            _ => Bound::Unbounded,
        }
    }
}

fn all(scan: Scan, from_behind: bool) -> Vec<(Vec<u8>, usize)> {
    let own = |found: Result<(IVec, IVec), StoreError>| {
        let (key, value) = found.unwrap();
        (key.to_vec(), value.len())
    };
    if from_behind { scan.rev().map(own).collect() } else { scan.map(own).collect() }
}

fn is_ordered(from: &Bound<Vec<u8>>, to: &Bound<Vec<u8>>) -> bool {
    match (from, to) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
        (
            Bound::Included(from) | Bound::Excluded(from),
            Bound::Included(to) | Bound::Excluded(to),
        ) => from < to,
    }
}

#[test]
fn the_simulated_tree_shows_what_sled_shows() {
    for seed in 0..8 {
        let mut random = Random(seed, 0);
        let folder = tempfile::tempdir().unwrap();
        let mut disk = SimDisk::new(|_| 0);
        let path = Path::new("/tree");
        let open = |disk: &SimDisk| {
            let sled = Tree::open(&Disk::System, folder.path(), 1 << 20).unwrap();
            let disk = Disk::Simulated(disk.clone());
            let simulated = Tree::open(&disk, path, 0).unwrap();
            disk.open(Path::new("/")).unwrap().sync_folder().unwrap();
            (sled, simulated)
        };
        let (mut sled, mut simulated) = open(&disk);
        for step in 0..300 {
            match random.below(12) {
                0..5 => {
                    let (mut one, mut other) = (Batch::default(), Batch::default());
                    for _ in 0..random.below(6) {
                        let key = random.key();
                        if random.below(3) == 0 {
                            one.remove(key.clone());
                            other.remove(key);
                        } else {
                            let value = vec![7; usize::try_from(random.below(3000)).unwrap()];
                            one.insert(key.clone(), value.clone());
                            other.insert(key, value);
                        }
                    }
                    sled.apply(one).unwrap();
                    simulated.apply(other).unwrap();
                }
                5 => {
                    sled.sync().unwrap();
                    simulated.sync().unwrap();
                }
                6 if random.below(8) == 0 => {
                    // A clean end: sled writes what it has in memory.
                    sled.sync().unwrap();
                    simulated.sync().unwrap();
                    drop((sled, simulated));
                    disk = disk.restart(true);
                    (sled, simulated) = open(&disk);
                }
                6 | 7 => {
                    let key = random.key();
                    assert_eq!(
                        sled.get(&key).unwrap(),
                        simulated.get(&key).unwrap(),
                        "{seed} {step}"
                    );
                }
                8 => {
                    let prefix = random.key();
                    let found = all(simulated.scan_prefix(&prefix), false);
                    assert_eq!(all(sled.scan_prefix(&prefix), false), found, "{seed} {step}");
                }
                _ => {
                    let range = (random.bound(), random.bound());
                    if !is_ordered(&range.0, &range.1) {
                        continue;
                    }
                    let from_behind = random.below(2) == 0;
                    let found = all(simulated.range::<Vec<u8>>(range.clone()), from_behind);
                    let wanted = all(sled.range::<Vec<u8>>(range.clone()), from_behind);
                    assert_eq!(wanted, found, "{seed} {step} {range:?}");
                }
            }
        }
    }
}

#[test]
fn a_crash_leaves_the_batches_that_were_applied_first() {
    for seed in 0..200 {
        let mut random = Random(seed, 0);
        let mut chance = Random(seed, 1 << 32);
        let disk = SimDisk::new(move |end| u32::try_from(chance.below(u64::from(end))).unwrap());
        let path = Path::new("/tree");
        let on_disk = Disk::Simulated(disk.clone());
        let tree = Tree::open(&on_disk, path, 0).unwrap();
        tree.sync().unwrap();
        on_disk.open(Path::new("/")).unwrap().sync_folder().unwrap();
        let (mut states, mut synced) = (vec![Vec::new()], 0);
        for _ in 0..10 {
            let mut batch = Batch::default();
            for _ in 0..3 {
                batch.insert(random.key(), vec![0; usize::try_from(random.below(99)).unwrap()]);
            }
            tree.apply(batch).unwrap();
            states.push(all(tree.iter(), false));
            if random.below(4) == 0 {
                tree.sync().unwrap();
                synced = states.len() - 1;
            }
        }
        let disk = disk.restart(random.below(2) == 0);
        let error = tree.apply(Batch::default()).unwrap_err().to_string();
        assert!(!error.is_empty(), "the process has ended");
        let tree = Tree::open(&Disk::Simulated(disk), path, 0).unwrap();
        let found = all(tree.iter(), false);
        assert!(states[synced..].contains(&found), "seed {seed}");
    }
}
