//! The point of the contract about the hub as a whole.

use std::sync::Arc;
use std::thread;

use super::StoreUnderTest;
use super::scene::{Group, Instance, Scene, hub, message, must, same};

/// Point 1: the record of the first creation is final; later creations change nothing.
///
/// # Panics
/// If the store violates the point.
pub fn a_hub_is_created_once(under_test: &dyn StoreUnderTest) {
    let store = under_test.open();
    let candidates: Vec<_> = (1..=8).map(hub).collect();
    let answers: Vec<_> = thread::scope(|scope| {
        let create = |hub| {
            let store = Arc::clone(&store);
            move || must(store.create(hub), "creating a hub while others do")
        };
        let threads: Vec<_> = candidates.iter().map(|hub| scope.spawn(create(hub))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    same(&answers.len(), &candidates.len(), "how many of eight creations at once were answered");
    let first = answers[0].clone();
    let known = candidates.contains(&first);
    same(&known, &true, "whether the record that holds is one of those that were given");
    for answer in &answers {
        same(answer, &first, "the record that one of eight creations at once was given");
    }

    let again = must(store.create(&hub(511)), "creating the hub again");
    same(&again, &first, "the hub's record, after another creation");
    let mut store = under_test.crash(store);
    for _ in 0..2 {
        let again = must(store.create(&hub(511)), "creating the hub after a crash");
        same(&again, &first, "the hub's record, after a crash");
        store = under_test.crash(store);
    }
    drop(store);
    creation_leaves_the_content(under_test);
}

fn creation_leaves_the_content(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let owner = scene.claim(0);
    let mut instance = Instance::new(0, "order-17");
    scene.commit(&Group::by(&[owner]).episode(instance.run(3)).send(0, &message(1)));
    must(scene.store.create(&hub(7)), "creating the hub again, over content");
    scene.holds(&instance);
    scene.holds_messages(0, &[message(1)]);
    scene.commit(&Group::by(&[owner]).episode(instance.run(1)));
    scene.holds(&instance);
}
