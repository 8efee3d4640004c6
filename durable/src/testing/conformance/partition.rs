//! The points of the contract that speak of what the owner of a partition finds in it.

use super::StoreUnderTest;
use super::scene::{Group, Instance, Scene, message, same};
use crate::protocol::{RuntimeStatus, Suspension};
use crate::store::EpisodeWrite;

/// Point 11: the unfinished instances of a partition are found, and no others.
///
/// # Panics
/// If the store breaks the point.
pub fn unfinished_instances_are_found(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let scene = by_status(scene);
    let scene = through_a_life(scene);
    among_many(scene);
}

/// One instance of each status, with a first episode only and with a second.
fn by_status(scene: Scene<'_>) -> Scene<'_> {
    let unfinished = [RuntimeStatus::Pending, RuntimeStatus::Running, RuntimeStatus::Suspended];
    let finished = [RuntimeStatus::Completed, RuntimeStatus::Failed, RuntimeStatus::Terminated];
    let owner = scene.claim(80);
    scene.holds_unfinished(80, &[]);
    let mut wanted = Vec::new();
    for status in unfinished.into_iter().chain(finished) {
        let [mut at_once, mut later] =
            ["at once", "later"].map(|when| Instance::new(80, &format!("{status} {when}")));
        if status == RuntimeStatus::Suspended {
            let suspension = Suspension { code: "DURABLE0101".into(), reason: "other code".into() };
            at_once.record.suspension = Some(suspension);
        }
        let group = Group::by(&[owner]).episode(later.run(2)).episode(at_once.finish(status));
        scene.commit(&group);
        scene.commit(&Group::by(&[owner]).episode(later.finish(status)));
        for instance in [&at_once, &later] {
            scene.holds(instance);
        }
        if unfinished.contains(&status) {
            wanted.extend([at_once, later].map(|instance| instance.id().as_str().to_owned()));
        }
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        scene.holds_unfinished(80, &wanted);
    }
    let scene = scene.crash();
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    scene.holds_unfinished(80, &wanted);
    scene
}

/// One instance from its start to its end, and what may come behind that.
fn through_a_life(scene: Scene<'_>) -> Scene<'_> {
    let mut life = Instance::new(81, "order 17");
    let scene = then(scene, "once it runs", true, [life.run(1)]);
    let scene = then(scene, "as it runs on", true, [life.run(2), life.run(1)]);
    let suspended = life.finish(RuntimeStatus::Suspended);
    let scene = then(scene, "once it is suspended", true, [suspended]);
    let scene = then(scene, "once it is resumed", true, [life.run(2)]);
    let failed = life.finish(RuntimeStatus::Failed);
    let scene = then(scene, "once it has failed", false, [failed]);
    let scene = then(scene, "once the same execution goes on", true, [life.run(2)]);
    let end = life.finish(RuntimeStatus::Completed);
    let scene = then(scene, "once it has completed", false, [end]);
    let again = [life.run(1), life.finish(RuntimeStatus::Terminated), life.run(1)];
    let scene = then(scene, "once it went on, ended and went on in one commit", true, again);

    life.begin(2);
    let scene = then(scene, "once it runs a second time", true, [life.run(1)]);
    let end = life.finish(RuntimeStatus::Terminated);
    life.begin(3);
    let again = [end, life.run(2)];
    let scene = then(scene, "once it was ended and started in one commit", true, again);
    let end = life.finish(RuntimeStatus::Completed);
    let scene = then(scene, "once it has completed a third time", false, [end]);
    life.begin(4);
    let whole = [life.run(2), life.finish(RuntimeStatus::Completed)];
    let scene = then(scene, "once it has run from start to end in one commit", false, whole);
    scene.holds(&life);
    scene
}

/// Commits the episodes and looks whether the instance counts as unfinished, also after a crash.
#[track_caller]
fn then<'a, const N: usize>(
    scene: Scene<'a>,
    what: &str,
    unfinished: bool,
    episodes: [EpisodeWrite; N],
) -> Scene<'a> {
    let owner = scene.claim(81);
    scene.commit(&episodes.into_iter().fold(Group::by(&[owner]), Group::episode));
    let found = scene.load(81).unfinished.len();
    same(&found, &usize::from(unfinished), &format!("how many are unfinished, {what}"));
    let scene = scene.crash();
    scene.holds_unfinished(81, if unfinished { &["order 17"] } else { &[] });
    scene
}

fn among_many(scene: Scene<'_>) {
    let owner = scene.claim(82);
    let mut instances: Vec<Instance> =
        (0..300).map(|number| Instance::new(82, &format!("order-{number}"))).collect();
    let start = instances
        .iter_mut()
        .fold(Group::by(&[owner]), |group, instance| group.episode(instance.run(1)));
    scene.commit(&start);
    let is_third = |index: &usize| index.is_multiple_of(3);
    let end = instances.iter_mut().enumerate().filter(|(index, _)| is_third(index));
    let end = end.fold(Group::by(&[owner]), |group, (_, instance)| {
        group.episode(instance.finish(RuntimeStatus::Completed))
    });
    scene.commit(&end);
    let wanted = instances.iter().enumerate().filter(|(index, _)| !is_third(index));
    let wanted: Vec<&str> = wanted.map(|(_, instance)| instance.id().as_str()).collect();
    scene.holds_unfinished(82, &wanted);
    scene.crash().holds_unfinished(82, &wanted);
}

/// Point 13: what an owner finds in its partition is the partition's own.
///
/// # Panics
/// If the store breaks the point.
pub fn partitions_do_not_see_each_other(under_test: &dyn StoreUnderTest) {
    // Numbers that a store could take for each other: by one of their bytes, or by their digits.
    const PARTITIONS: [u16; 9] = [0, 1, 2, 10, 11, 97, 256, 257, 511];
    let scene = Scene::open(under_test);
    let owners = PARTITIONS.map(|partition| scene.claim(partition));
    let id = |partition: u16| format!("a{partition}");
    let mut instances = PARTITIONS.map(|partition| Instance::new(partition, &id(partition)));
    let mut group = Group::by(&owners);
    for (instance, &partition) in instances.iter_mut().zip(&PARTITIONS) {
        let number = u128::from(partition);
        group = group.episode(instance.run(2)).send(partition, &message(number));
    }
    scene.commit(&group);
    let each = |scene: &Scene<'_>, gone: &[u16]| {
        for &partition in &PARTITIONS {
            if gone.contains(&partition) {
                scene.holds_unfinished(partition, &[]);
                scene.holds_messages(partition, &[]);
            } else {
                scene.holds_unfinished(partition, &[&id(partition)]);
                scene.holds_messages(partition, &[message(partition.into())]);
            }
        }
        for partition in [3, 12, 255, 258, 510] {
            same(&scene.load(partition), &scene.load(509), "partitions that nobody has used");
            scene.holds_unfinished(partition, &[]);
            scene.holds_messages(partition, &[]);
        }
    };
    each(&scene, &[]);
    let mut scene = scene.crash();
    each(&scene, &[]);

    // To empty one, or to claim it, changes nothing for the others.
    let mut gone = Vec::new();
    for (instance, partition) in instances.iter_mut().zip(PARTITIONS) {
        let owner = scene.claim(partition);
        let end = instance.finish(RuntimeStatus::Completed);
        let group = Group::by(&[owner]).episode(end).consume(partition, &message(partition.into()));
        scene.commit(&group);
        gone.push(partition);
        each(&scene, &gone);
        if partition % 5 == 0 {
            scene = scene.crash();
            each(&scene, &gone);
        }
    }
}
