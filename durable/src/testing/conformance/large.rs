//! The point of the contract about the size of values.

use super::StoreUnderTest;
use super::scene::{Group, Instance, Numbers, Owner, Scene, message_with, same_all, text, time};
use crate::protocol::{
    EventKind, ExecutionStarted, FailureDetails, HistoryEvent, Json, RuntimeStatus, Suspension,
    TaskMessage,
};
use crate::store::EpisodeWrite;

const MEGABYTE: usize = 1 << 20;

/// Point 8: a value of many megabytes is stored like any other, and so are the events after it.
///
/// # Panics
/// If the store violates the point.
pub fn large_values_come_back_whole(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let scene = behind_twenty_megabytes(scene);
    let scene = in_every_place(scene);
    of_every_size(scene);
}

fn behind_twenty_megabytes(scene: Scene<'_>) -> Scene<'_> {
    let owner = scene.claim(50);
    let mut instance = Instance::new(50, "large");
    let [mut before, mut behind] = ["larg", "large "].map(|id| Instance::new(50, id));
    let payload = Numbers::new(20).letters(20 * MEGABYTE);
    scene.commit(&Group::by(&[owner]).episode(instance.run(2)).episode(behind.run(2)));
    let group = Group::by(&[owner]).episode(result(&mut instance, payload)).episode(before.run(2));
    scene.commit(&group);
    scene.commit(&Group::by(&[owner]).episode(instance.run(3)).episode(behind.run(2)));
    let whole = |scene: &Scene<'_>, instances: [&Instance; 3]| {
        for instance in instances {
            scene.holds(instance);
        }
        let (id, execution) = instances[0].execution();
        let found = scene.history(&id, execution, 3);
        same_all(&found, &instances[0].events[3..], "the history behind 20 MB");
    };
    whole(&scene, [&instance, &before, &behind]);
    let scene = scene.crash();
    whole(&scene, [&instance, &before, &behind]);
    let owner = scene.claim(50);
    let end = instance.finish(RuntimeStatus::Completed);
    scene.commit(&Group::by(&[owner]).episode(end).episode(before.run(1)));
    whole(&scene, [&instance, &before, &behind]);
    scene
}

/// Megabytes in every field that a user can fill.
fn in_every_place(scene: Scene<'_>) -> Scene<'_> {
    let owner = scene.claim(51);
    let mut numbers = Numbers::new(21);
    let mut megabytes = |count: usize| numbers.letters(count * MEGABYTE);
    let failure = FailureDetails::new("Declined", megabytes(2).as_str())
        .caused_by(FailureDetails::new(megabytes(1).as_str(), "the inner one"));
    let mut instance = Instance::new(51, "full");
    let kinds = [
        ExecutionStarted::new("checkout", None, megabytes(3), instance.record.execution_id).into(),
        EventKind::ExecutionSuspended { reason: megabytes(2).as_str().to_owned() },
        EventKind::task_result(0, Err(failure)),
        EventKind::task_result(1, Ok(text("small"))),
    ];
    let events = kinds.map(|kind| HistoryEvent::new(time(1), kind));
    instance.record.suspension = Some(Suspension {
        code: Some("DURABLE0101".to_owned()),
        reason: megabytes(2).as_str().to_owned(),
    });
    instance.record.custom_status = Some(megabytes(1));
    instance.record.tags.insert("notes".to_owned(), megabytes(1).as_str().to_owned());
    let messages: Vec<TaskMessage> =
        (0..3).map(|number| message_with(number, megabytes(8))).collect();
    let episode = instance.episode(RuntimeStatus::Suspended, events.to_vec());
    let group = Group::by(&[owner]).episode(episode);
    scene.commit(&messages.iter().fold(group, |group, message| group.send(51, message)));
    scene.holds(&instance);
    scene.holds_messages(51, &messages);
    let scene = scene.crash();
    scene.holds(&instance);
    scene.holds_messages(51, &messages);

    let owner = scene.claim(51);
    instance.record.suspension = None;
    instance.record.tags.clear();
    instance.record.custom_status = Some(megabytes(1));
    let group = Group::by(&[owner]).episode(instance.run(1));
    scene.commit(&group);
    scene.holds(&instance);
    instance.record.custom_status = None;
    let group = Group::by(&[owner]).episode(instance.run(1));
    scene.commit(&messages.iter().fold(group, |group, message| group.consume(51, message)));
    scene.holds(&instance);
    scene.holds_messages(51, &[]);
    scene
}

/// Every size around those at which a store may split a value: one event per episode, one episode
/// per size.
fn of_every_size(scene: Scene<'_>) {
    let owner = scene.claim(52);
    let mut numbers = Numbers::new(22);
    let mut instances = Vec::new();
    for size in [255, 4 << 10, 6 << 10, 8 << 10, 64 << 10] {
        let mut instance = Instance::new(52, &format!("around {size}"));
        let sizes: Vec<usize> = (size - 130..size + 3).collect();
        for sizes in sizes.chunks(32) {
            let group = by_size(owner, &mut instance, &mut numbers, sizes);
            scene.commit(&group);
        }
        scene.holds(&instance);
        instances.push(instance);
    }
    let scene = scene.crash();
    for instance in &instances {
        scene.holds(instance);
    }
}

fn by_size(owner: Owner, instance: &mut Instance, numbers: &mut Numbers, sizes: &[usize]) -> Group {
    sizes.iter().fold(Group::by(&[owner]), |group, &size| {
        group.episode(result(instance, numbers.letters(size)))
    })
}

/// An episode with one event, which carries this value.
fn result(instance: &mut Instance, result: Json) -> EpisodeWrite {
    let kind = EventKind::task_result(0, Ok(result));
    let event = HistoryEvent::new(time(instance.record.history_len), kind);
    instance.episode(RuntimeStatus::Running, vec![event])
}
