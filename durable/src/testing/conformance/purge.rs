//! The point of the contract about purged instances.

use super::StoreUnderTest;
use super::scene::{
    Group, Instance, Numbers, Places, Scene, instance_id, message, micros, must, same, same_all,
    time,
};
use crate::protocol::{EventKind, ExecutionId, HistoryEvent, InstanceId, RuntimeStatus};
use crate::store::{InstanceFilter, StoreError};

/// Point 16: a purged instance is gone with its history, and its id is free.
///
/// # Panics
/// If the store violates the point.
pub fn a_purged_instance_is_gone(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let scene = with_all_that_it_had(scene);
    let scene = and_its_id_is_used_again(scene);
    let scene = among_many(scene);
    not_with_an_episode(&scene);
}

#[track_caller]
fn is_gone(scene: &Scene<'_>, instance: &Instance, executions: &[(InstanceId, ExecutionId)]) {
    let (id, partition) = (instance.id(), instance.partition());
    same(&scene.record(id), &None, &format!("the record of `{id}`, purged"));
    for execution in executions {
        scene.holds_nothing_of(execution);
    }
    let active = scene.load(partition).active.contains(id);
    same(&active, &false, &format!("whether `{id}`, purged, is active"));
    let due = scene.all_due(partition).iter().any(|(_, due)| due == id);
    same(&due, &false, &format!("whether `{id}`, purged, is due"));
    let filter = InstanceFilter { id_prefix: id.as_str().to_owned(), ..InstanceFilter::default() };
    let found = scene.page(&filter, None, 100).instances;
    let found = found.iter().any(|record| record.instance_id == *id);
    same(&found, &false, &format!("whether `{id}`, purged, is found by page"));
}

/// An active, due instance with messages and three executions, none of which replaced another.
fn with_all_that_it_had(scene: Scene<'_>) -> Scene<'_> {
    let owners = [scene.claim(120), scene.claim(121)];
    let mut others = ["order-1", "order-17 ", "order-170", "order-17\u{308}", "Order-17"]
        .map(|id| Instance::new(120, id));
    let mut elsewhere = Instance::new(121, "elsewhere");
    let all = others.iter_mut().chain([&mut elsewhere]);
    scene.commit(&all.fold(Group::by(&owners), |group, of| group.episode(of.due(17))));
    let mut instance = Instance::new(120, "order-17");
    let mut executions = Vec::new();
    for number in 2..5 {
        let group = Group::by(&owners).episode(instance.run(3)).episode(instance.due(17));
        scene.commit(&group);
        executions.push(instance.execution());
        instance.begin(number);
    }
    let result = Numbers::new(120).letters(1 << 20);
    let kind = EventKind::task_result(0, Ok(result));
    let large = vec![HistoryEvent::new(time(1), kind)];
    let large = instance.episode(RuntimeStatus::Running, large);
    executions.push(instance.execution());
    instance.record.custom_status = Some(Numbers::new(121).letters(100_000));
    let group = Group::by(&owners).episode(large).episode(instance.due(18));
    scene.commit(&group.send(120, &message(1)).send(121, &message(2)));
    scene.holds(&instance);

    let group = Group::by(&owners).purge(&instance).episode(elsewhere.run(2));
    scene.commit(&group.consume(121, &message(2)).send(120, &message(3)));
    let rest = |scene: &Scene<'_>| {
        is_gone(scene, &instance, &executions);
        others.iter().chain([&elsewhere]).for_each(|of| scene.holds(of));
        let active: Vec<&str> = others.iter().map(|of| of.id().as_str()).collect();
        scene.holds_active(120, &active);
        let mut due: Vec<_> = others.iter().map(|of| (micros(17), of.id().clone())).collect();
        due.sort();
        scene.holds_due(120, &due);
        scene.holds_due(121, &[(micros(17), elsewhere.id().clone())]);
        scene.holds_messages(120, &[message(1), message(3)]);
        scene.holds_messages(121, &[]);
    };
    rest(&scene);
    let scene = scene.crash();
    rest(&scene);

    // An instance that is gone, or never existed, can be purged again, also twice in one commit.
    let owners = [scene.claim(120), scene.claim(121)];
    let nobody = Instance::new(121, "nobody");
    scene.commit(&Group::by(&owners).purge(&instance).purge(&instance).purge(&nobody));
    rest(&scene);
    let scene = scene.crash();
    rest(&scene);
    scene
}

/// The id is used again: by the same execution and others, shorter and longer, repeatedly.
fn and_its_id_is_used_again(scene: Scene<'_>) -> Scene<'_> {
    let mut scene = scene;
    let mut gone = vec![(instance_id("again"), ExecutionId::from_u128(9))];
    for (count, execution) in [(30, 1), (1, 1), (2, 2), (300, 1), (3, 3), (3, 1)] {
        let owner = scene.claim(122);
        let mut instance = Instance::new(122, "again");
        // The events differ from those before the purge.
        (0..count).for_each(|_| instance.begin(execution));
        let life = instance.execution();
        gone.retain(|execution| *execution != life);
        let group = Group::by(&[owner]).episode(instance.run(count)).episode(instance.run(1));
        scene.commit(&group);
        scene.commit(&Group::by(&[owner]).episode(instance.due(i64::try_from(count).ok())));
        scene.holds(&instance);
        scene.holds_active(122, &["again"]);
        let at = instance.record.next_due.unwrap_or(time(0));
        scene.holds_due(122, &[(at, instance.id().clone())]);
        for execution in &gone {
            scene.holds_nothing_of(execution);
        }
        scene = scene.crash();
        scene.holds(&instance);
        for execution in &gone {
            scene.holds_nothing_of(execution);
        }

        let owner = scene.claim(122);
        scene.commit(&Group::by(&[owner]).purge(&instance));
        gone.push(life);
        is_gone(&scene, &instance, &gone);
        // After a purge there is no history to append to.
        match scene.refused(&Group::by(&[owner]).episode(instance.run(1)), "it was purged") {
            StoreError::OutOfOrder { found, .. } => same(&found, &0, "where its history ends"),
            error => panic!("an episode of a purged instance was refused with: {error}"),
        }
        if count % 2 == 0 {
            scene = scene.crash();
        }
        is_gone(&scene, &instance, &gone);
        scene.holds_due(122, &[]);
    }
    scene
}

fn among_many(scene: Scene<'_>) -> Scene<'_> {
    let owner = scene.claim(123);
    let instances = (0..200).map(|number| Instance::new(123, &format!("many-{number}")));
    let mut instances: Vec<Instance> = instances.collect();
    let all = instances.iter_mut();
    scene.commit(&all.fold(Group::by(&[owner]), |group, of| group.episode(of.due(3))));
    let (gone, left): (Vec<_>, Vec<_>) =
        instances.iter().enumerate().partition(|(index, _)| index % 3 == 0);
    scene.commit(&gone.iter().fold(Group::by(&[owner]), |group, (_, of)| group.purge(of)));
    let each = |scene: &Scene<'_>| {
        for (_, of) in &gone {
            is_gone(scene, of, &[of.execution()]);
        }
        for (_, of) in &left {
            scene.holds(of);
        }
        let mut due: Vec<_> = left.iter().map(|(_, of)| (micros(3), of.id().clone())).collect();
        due.sort();
        scene.holds_due(123, &due);
    };
    each(&scene);
    let scene = scene.crash();
    each(&scene);
    scene
}

/// The outcome of a commit that purges an instance and writes an episode of it would be undefined.
fn not_with_an_episode(scene: &Scene<'_>) {
    let owner = scene.claim(124);
    let [mut instance, mut other] = ["order-17", "order-18"].map(|id| Instance::new(124, id));
    let unknown = Instance::new(124, "order-19");
    scene.commit(&Group::by(&[owner]).episode(instance.due(5)).episode(other.run(1)));
    let executions = [&instance, &other, &unknown].map(Instance::execution).to_vec();
    let places = Places { partitions: vec![124], executions };
    let before = scene.look(&places);
    let group = || Group::by(&[owner]).purge(&other);
    for (purged, wrong) in [
        (&instance, group().purge(&instance).episode(instance.clone().run(1))),
        (&instance, group().episode(instance.clone().replace(1, 1)).purge(&instance)),
        (&unknown, group().episode(unknown.clone().run(1)).purge(&unknown)),
        (&other, group().episode(instance.clone().run(1)).episode(other.clone().run(1))),
    ] {
        match scene.refused(&wrong, "it writes an episode of an instance that it purges") {
            StoreError::WrittenAndPurged { instance } => {
                same(&instance, purged.id(), "the instance that is written and purged");
            }
            error => panic!("an episode of a purged instance was refused with: {error}"),
        }
        same(&scene.look(&places), &before, "what a commit that writes and purges left");
    }
    must(scene.store.commit(&group().0), "purging an instance after that was refused");
    let left = scene.load(124).active;
    same_all(&left, &[instance.id().clone()], "what is active after a purge");
}
