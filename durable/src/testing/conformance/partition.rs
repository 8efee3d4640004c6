//! The points of the contract about the content of a partition.

use super::StoreUnderTest;
use super::scene::{Group, Instance, Scene, instance_id, message, micros, same};
use crate::protocol::{RuntimeStatus, Suspension};
use crate::store::EpisodeWrite;

/// Point 11: the instances of a partition whose records say that they are active are found.
///
/// # Panics
/// If the store violates the point.
pub fn active_instances_are_found(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let scene = by_status(scene);
    let scene = through_a_life(scene);
    among_many(scene);
}

/// Instances of each status, active and not, with one episode and with two: the status does not
/// decide whether an instance is active.
fn by_status(scene: Scene<'_>) -> Scene<'_> {
    let owner = scene.claim(80);
    scene.holds_active(80, &[]);
    let mut wanted = Vec::new();
    for status in [
        RuntimeStatus::Pending,
        RuntimeStatus::Running,
        RuntimeStatus::Suspended,
        RuntimeStatus::Completed,
        RuntimeStatus::Failed,
        RuntimeStatus::Terminated,
    ] {
        for active in [true, false] {
            let [mut at_once, mut later] = ["at once", "later"]
                .map(|when| Instance::new(80, &format!("{status} {active} {when}")));
            if status == RuntimeStatus::Suspended {
                let (code, reason) = (Some("DURABLE0101".to_owned()), "other code".to_owned());
                at_once.record.suspension = Some(Suspension { code, reason });
            }
            let mut become_so = |instance: &mut Instance| {
                let id = instance.id().as_str().to_owned();
                wanted.extend(active.then_some(id));
                instance.change(|record| {
                    record.runtime_status = status;
                    record.active = active;
                })
            };
            let before = later.change(|record| record.active = !active);
            let group = Group::by(&[owner]).episode(before).episode(become_so(&mut at_once));
            scene.commit(&group);
            scene.commit(&Group::by(&[owner]).episode(become_so(&mut later)));
            for instance in [&at_once, &later] {
                scene.holds(instance);
            }
            let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
            scene.holds_active(80, &wanted);
        }
    }
    let scene = scene.crash();
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    scene.holds_active(80, &wanted);
    scene
}

/// One instance from its start to its end and beyond.
fn through_a_life(scene: Scene<'_>) -> Scene<'_> {
    let mut life = Instance::new(81, "order 17");
    let rest = |life: &mut Instance| life.change(|record| record.active = false);
    let scene = then(scene, "once it runs", true, [life.run(1)]);
    let scene = then(scene, "as it runs on", true, [life.run(2), life.run(1)]);
    let sleeps = rest(&mut life);
    let scene = then(scene, "once it only waits", false, [sleeps]);
    let scene = then(scene, "once it runs again", true, [life.run(2)]);
    let (sleeps, wakes) = (rest(&mut life), life.run(1));
    let scene = then(scene, "once it has waited within one commit", true, [sleeps, wakes]);
    let sleeps = [life.run(1), rest(&mut life), life.run(1), rest(&mut life)];
    let scene = then(scene, "once it has waited twice within one commit", false, sleeps);
    let (wakes, sleeps) = (life.run(1), rest(&mut life));
    let scene = then(scene, "once it has run within one commit", false, [wakes, sleeps]);
    let scene = then(scene, "once the same execution goes on", true, [life.run(2)]);
    let end = life.finish(RuntimeStatus::Completed);
    let scene = then(scene, "once it has completed", false, [end]);

    life.begin(2);
    let scene = then(scene, "once it runs a second time", true, [life.run(1)]);
    let end = life.finish(RuntimeStatus::Terminated);
    life.begin(3);
    let again = [end, life.run(2)];
    let scene = then(scene, "once it was ended and started in one commit", true, again);
    let anew = [life.replace(4, 2), rest(&mut life)];
    let scene = then(scene, "once another execution has taken its place and waits", false, anew);
    let anew = [life.replace(4, 2)];
    let scene = then(scene, "once that has begun anew", true, anew);
    let end = life.finish(RuntimeStatus::Completed);
    let scene = then(scene, "once it has completed a third time", false, [end]);
    life.begin(5);
    let whole = [life.run(2), life.finish(RuntimeStatus::Completed)];
    let scene = then(scene, "once it has run from start to end in one commit", false, whole);
    scene.holds(&life);
    scene
}

/// Commits the episodes and checks whether the instance counts as active, also after a crash.
#[track_caller]
fn then<'a, const N: usize>(
    scene: Scene<'a>,
    what: &str,
    active: bool,
    episodes: [EpisodeWrite; N],
) -> Scene<'a> {
    let owner = scene.claim(81);
    scene.commit(&episodes.into_iter().fold(Group::by(&[owner]), Group::episode));
    let found = scene.load(81).active.len();
    same(&found, &usize::from(active), &format!("how many are active, {what}"));
    let scene = scene.crash();
    scene.holds_active(81, if active { &["order 17"] } else { &[] });
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
    scene.holds_active(82, &wanted);
    scene.crash().holds_active(82, &wanted);
}

/// Point 13: an owner finds only its own partition's content.
///
/// # Panics
/// If the store violates the point.
pub fn partitions_do_not_see_each_other(under_test: &dyn StoreUnderTest) {
    // Numbers that a store could confuse: by one of their bytes, or by their digits.
    const PARTITIONS: [u16; 9] = [0, 1, 2, 10, 11, 97, 256, 257, 511];
    let scene = Scene::open(under_test);
    let owners = PARTITIONS.map(|partition| scene.claim(partition));
    let id = |partition: u16| format!("a{partition}");
    // Bytes of a time that could be confused with a partition, and vice versa.
    let at = |partition: u16| i64::from(partition.swap_bytes()) << 32;
    let mut instances = PARTITIONS.map(|partition| Instance::new(partition, &id(partition)));
    let mut group = Group::by(&owners);
    for (instance, &partition) in instances.iter_mut().zip(&PARTITIONS) {
        let number = u128::from(partition);
        group = group.episode(instance.run(2)).send(partition, &message(number));
        group = group.episode(instance.due(at(partition)));
    }
    scene.commit(&group);
    let each = |scene: &Scene<'_>, gone: &[u16]| {
        for &partition in &PARTITIONS {
            if gone.contains(&partition) {
                scene.holds_active(partition, &[]);
                scene.holds_messages(partition, &[]);
                scene.holds_due(partition, &[]);
            } else {
                scene.holds_active(partition, &[&id(partition)]);
                scene.holds_messages(partition, &[message(partition.into())]);
                scene.holds_due(partition, &[(micros(at(partition)), instance_id(&id(partition)))]);
            }
        }
        for partition in [3, 12, 255, 258, 510] {
            scene.holds_active(partition, &[]);
            scene.holds_messages(partition, &[]);
            scene.holds_due(partition, &[]);
        }
    };
    each(&scene, &[]);
    let mut scene = scene.crash();
    each(&scene, &[]);

    // Emptying or claiming a partition does not affect the others.
    let mut gone = Vec::new();
    for (instance, partition) in instances.iter_mut().zip(PARTITIONS) {
        let owner = scene.claim(partition);
        let group = Group::by(&[owner]).consume(partition, &message(partition.into()));
        scene.commit(&if partition % 2 == 0 {
            group.purge(instance)
        } else {
            let rest = instance.due(None);
            group.episode(rest).episode(instance.finish(RuntimeStatus::Completed))
        });
        gone.push(partition);
        each(&scene, &gone);
        if partition % 5 == 0 {
            scene = scene.crash();
            each(&scene, &gone);
        }
    }
}
