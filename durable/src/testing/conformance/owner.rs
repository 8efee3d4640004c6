//! The points of the contract about owners and fencing.

use std::collections::BTreeSet;
use std::thread;

use super::StoreUnderTest;
use super::scene::{Group, Instance, Owner, Places, Scene, message, same};
use crate::protocol::RuntimeStatus;
use crate::store::{Epoch, StoreError};

/// Point 4: a previous owner of a partition can no longer commit.
///
/// # Panics
/// If the store violates the point.
pub fn a_fenced_owner_commits_nothing(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let scene = every_claim_raises_the_epoch(scene);
    let scene = an_old_epoch_is_refused(scene);
    fenced_after_a_crash(scene);
}

fn every_claim_raises_the_epoch(scene: Scene<'_>) -> Scene<'_> {
    let (first, second) = (scene.claim(10).1, scene.claim(10).1);
    same(&(first < second), &true, "whether a claim raises the epoch");

    let claim = || (0..8).map(|_| scene.claim(10).1).collect::<Vec<Epoch>>();
    let epochs: Vec<Vec<Epoch>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(claim)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let rising = epochs.iter().all(|epochs| epochs.is_sorted_by(|a, b| a < b));
    same(&rising, &true, "whether epochs rise for each of four who claim at once");
    let different: BTreeSet<Epoch> = epochs.into_iter().flatten().collect();
    same(&different.len(), &32, "how many different epochs 32 claims at once were given");
    let last = different.last().copied().unwrap_or(second);

    let scene = scene.crash();
    let after = scene.claim(10).1;
    same(&(last < after), &true, "whether a claim after a crash raises the epoch");
    let scene = scene.crash().crash();
    let again = scene.claim(10).1;
    same(&(after < again), &true, "whether a claim after more crashes raises the epoch");
    scene
}

fn an_old_epoch_is_refused(scene: Scene<'_>) -> Scene<'_> {
    let (old, neighbor) = (scene.claim(11), scene.claim(12));
    let mut instance = Instance::new(11, "order-11");
    scene.commit(&Group::by(&[old]).episode(instance.run(2)).send(11, &message(1)));
    let new = scene.claim(11);
    let places = Places { partitions: vec![11, 12], executions: vec![instance.execution()] };
    let before = scene.look(&places);

    let episode = || instance.clone().run(1);
    let groups = |owners: &[Owner]| {
        let group = Group::by(owners);
        [
            group.clone(),
            group.clone().episode(episode()),
            group.clone().consume(11, &message(1)),
            group.clone().send(11, &message(2)),
            group.clone().send(12, &message(2)),
            group.episode(episode()).consume(11, &message(1)).send(11, &message(2)),
        ]
    };
    for owners in [vec![old], vec![old, neighbor], vec![neighbor, old], vec![new, old]] {
        for group in groups(&owners) {
            scene.fenced(&group, 11, "one of its epochs is old");
            same(&scene.look(&places), &before, "the store after a commit under an old epoch");
        }
    }

    let mut other = Instance::new(12, "order-12");
    let group = Group::by(&[new, neighbor]).episode(instance.run(1)).episode(other.run(1));
    scene.commit(&group.consume(11, &message(1)));
    scene.commit(&Group::by(&[neighbor]).episode(other.run(1)));
    scene.fenced(&Group::by(&[old]), 11, "its epoch is old, also after the new owner's commit");
    for instance in [&instance, &other] {
        scene.holds(instance);
    }
    scene
}

fn fenced_after_a_crash(scene: Scene<'_>) {
    let mut instance = Instance::new(13, "order-13");
    let first = scene.claim(13);
    scene.commit(&Group::by(&[first]).episode(instance.run(2)));
    let second = scene.claim(13);
    let scene = scene.crash();
    let late = Group::by(&[first]).episode(instance.clone().run(1)).send(13, &message(1));
    scene.fenced(&late, 13, "its epoch was old before the crash");

    let third = scene.claim(13);
    for old in [first, second] {
        let late = Group::by(&[old]).episode(instance.clone().run(1)).send(13, &message(1));
        scene.fenced(&late, 13, "the partition was claimed anew after the crash");
    }
    scene.holds(&instance);
    scene.holds_messages(13, &[]);
    scene.commit(&Group::by(&[third]).episode(instance.finish(RuntimeStatus::Completed)));
    scene.holds(&instance);
}

/// Point 5: only the owner writes episodes and consumes messages; anyone may send messages.
///
/// # Panics
/// If the store violates the point.
pub fn a_partition_is_touched_by_its_owner_only(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let [mine, yours] = [scene.claim(20), scene.claim(21)];
    let [mut instance, mut other] = [Instance::new(20, "mine"), Instance::new(21, "yours")];
    let group = Group::by(&[mine, yours]).episode(instance.run(2)).episode(other.run(2));
    scene.commit(&group.send(20, &message(1)).send(21, &message(2)));
    let places = Places {
        partitions: vec![20, 21, 22],
        executions: vec![instance.execution(), other.execution()],
    };
    let before = scene.look(&places);

    let my_episode = || instance.clone().run(1);
    let your_episode = || other.clone().run(1);
    let refused = [
        (21, Group::by(&[mine]).episode(your_episode())),
        (21, Group::by(&[mine]).episode(my_episode()).episode(your_episode())),
        (21, Group::by(&[mine]).consume(21, &message(2))),
        (21, Group::by(&[mine]).episode(my_episode()).consume(21, &message(2))),
        (20, Group::by(&[yours]).episode(my_episode()).send(21, &message(3))),
        (20, Group::default().episode(my_episode())),
        (21, Group::by(&[mine]).purge(&other)),
        (21, Group::by(&[mine]).episode(my_episode()).purge(&other)),
        (20, Group::default().purge(&instance)),
        (22, Group::by(&[mine, yours]).purge(&Instance::new(22, "nobody's"))),
        (20, Group::default().consume(20, &message(1)).send(20, &message(3))),
        (22, Group::by(&[mine, yours]).episode(Instance::new(22, "nobody's").run(1))),
    ];
    for (partition, group) in &refused {
        scene.fenced(group, *partition, "it does not own a partition that it changes");
        same(
            &scene.look(&places),
            &before,
            "the store after a commit to another owner's partition",
        );
    }

    // Consuming a message of `yours` through `mine` may be refused or not, but must not consume it.
    match scene.store.commit(&Group::by(&[mine]).consume(20, &message(2)).0) {
        Ok(()) | Err(StoreError::Fenced { .. }) => {}
        Err(error) => panic!("consuming a message where it is not failed with: {error}"),
    }
    same(&scene.look(&places), &before, "the store after consuming in the wrong partition");

    scene.commit(&Group::default().send(20, &message(4)).send(22, &message(5)));
    scene.commit(&Group::by(&[mine]).episode(instance.run(1)).send(21, &message(6)));
    let scene = scene.crash();
    for instance in [&instance, &other] {
        scene.holds(instance);
    }
    scene.holds_messages(20, &[message(1), message(4)]);
    scene.holds_messages(21, &[message(2), message(6)]);
    scene.holds_messages(22, &[message(5)]);
}
