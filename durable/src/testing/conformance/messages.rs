//! The points of the contract about messages.

use std::thread;

use super::StoreUnderTest;
use super::scene::{Group, Instance, Numbers, Scene, message, message_with, same, same_all};
use crate::protocol::{RuntimeStatus, TaskMessage};
use crate::store::StoreError;

/// Point 9: a partition's messages are read in the order in which they were committed.
///
/// # Panics
/// If the store violates the point.
pub fn messages_keep_their_order(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let scene = over_partitions_and_commits(scene);
    let scene = of_those_that_are_left(scene);
    of_each_sender(&scene);
}

/// 420 messages, alternating between three partitions, in commits of 1 to 40; one of them is large.
fn over_partitions_and_commits(scene: Scene<'_>) -> Scene<'_> {
    const PARTITIONS: [u16; 3] = [60, 61, 316];
    let large = Numbers::new(60).letters(1 << 20);
    let messages: Vec<(u16, TaskMessage)> = (0..420)
        .zip(PARTITIONS.into_iter().cycle())
        .map(|(number, partition)| match number {
            17 => (partition, message_with(number, large.clone())),
            _ => (partition, message(number)),
        })
        .collect();
    let send = |scene: &Scene<'_>, messages: &[(u16, TaskMessage)]| {
        let send = |group: Group, (partition, message): &(u16, TaskMessage)| {
            group.send(*partition, message)
        };
        scene.commit(&messages.iter().fold(Group::default(), send));
    };
    let are_there = |scene: &Scene<'_>, messages: &[(u16, TaskMessage)]| {
        for partition in PARTITIONS {
            let here = messages.iter().filter(|(there, _)| *there == partition);
            let here: Vec<_> = here.map(|(_, message)| message.clone()).collect();
            scene.holds_messages(partition, &here);
        }
    };
    let (early, late) = messages.split_at(210);
    let mut rest = early;
    for count in (1..=40).cycle().step_by(7) {
        let (some, more) = rest.split_at(count.min(rest.len()));
        send(&scene, some);
        rest = more;
        if rest.is_empty() {
            break;
        }
    }
    are_there(&scene, early);
    let scene = scene.crash();
    are_there(&scene, early);
    late.chunks(37).for_each(|some| send(&scene, some));
    are_there(&scene, &messages);
    let scene = scene.crash();
    are_there(&scene, &messages);
    scene
}

/// New messages come after old ones, regardless of which were consumed before the crash.
fn of_those_that_are_left(scene: Scene<'_>) -> Scene<'_> {
    let all: Vec<TaskMessage> = (500..530).map(message).collect();
    let mut left: Vec<TaskMessage> = Vec::new();
    let mut scene = scene;
    for (round, new) in all.chunks(6).enumerate() {
        let owner = scene.claim(63);
        scene.commit(&new.iter().fold(Group::default(), |group, new| group.send(63, new)));
        left.extend_from_slice(new);
        scene.holds_messages(63, &left);
        // The first, one in the middle, and the last, so that the end of the queue is missing.
        let mut consume = Group::by(&[owner]);
        for index in [left.len() - 1, left.len() / 2, 0] {
            consume = consume.consume(63, &left.remove(index));
        }
        scene.commit(&consume);
        scene.holds_messages(63, &left);
        if round % 2 == 0 {
            scene = scene.crash();
            scene.holds_messages(63, &left);
        }
    }
    let owner = scene.claim(63);
    let none = left.iter().fold(Group::by(&[owner]), |group, old| group.consume(63, old));
    scene.commit(&none);
    let scene = scene.crash();
    scene.holds_messages(63, &[]);
    scene.commit(&Group::default().send(63, &message(532)).send(63, &message(531)));
    let scene = scene.crash();
    scene.commit(&Group::default().send(63, &message(530)));
    scene.holds_messages(63, &[message(532), message(531), message(530)]);
    scene
}

/// Of four concurrent senders, each finds its own messages in order, and no message is lost.
fn of_each_sender(scene: &Scene<'_>) {
    const EACH: u128 = 12;
    let sent = |sender: u128| (0..EACH).map(move |index| message(1_000 * (sender + 1) + index));
    thread::scope(|scope| {
        for sender in 0..4 {
            scope.spawn(move || {
                sent(sender).for_each(|new| scene.commit(&Group::default().send(64, &new)));
            });
        }
    });
    let found = scene.messages(64);
    for sender in 0..4 {
        let wanted: Vec<TaskMessage> = sent(sender).collect();
        let found: Vec<TaskMessage> =
            found.iter().filter(|found| wanted.contains(found)).cloned().collect();
        same_all(&found, &wanted, "the messages of one of four concurrent senders");
    }
    let wanted: usize = (0..4).map(|sender| sent(sender).count()).sum();
    same(&found.len(), &wanted, "the number of messages of four concurrent senders");
}

/// Point 10: a message stays until a commit consumes it, and is gone from then on.
///
/// # Panics
/// If the store violates the point.
pub fn a_message_stays_until_it_is_consumed(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let mut instance = Instance::new(70, "order-17");
    let large = message_with(2, Numbers::new(70).letters(1 << 20));
    let all = [message(1), large.clone(), message(3)];
    let owner = scene.claim(70);
    let send = |group: Group| all.iter().fold(group, |group, new| group.send(70, new));
    scene.commit(&send(Group::by(&[owner]).episode(instance.run(1))));

    // Other commits do not affect them.
    scene.holds_messages(70, &all);
    scene.holds_messages(70, &all);
    scene.commit(&Group::by(&[owner]).episode(instance.run(2)));
    scene.commit(&Group::by(&[owner]).episode(instance.finish(RuntimeStatus::Completed)));
    scene.holds_messages(70, &all);
    let owner = scene.claim(70);
    scene.holds_messages(70, &all);
    let stray = instance.clone().run(1);
    let twice = Group::by(&[owner]).consume(70, &all[0]).episode(stray.clone()).episode(stray);
    match scene.refused(&twice, "it contains the same episode twice") {
        StoreError::OutOfOrder { .. } => {}
        error => panic!("the same episode, twice in a commit, was refused with: {error}"),
    }
    scene.holds_messages(70, &all);
    let scene = scene.crash();
    scene.holds_messages(70, &all);

    // The large message in the middle is consumed together with an episode and a new message.
    let owner = scene.claim(70);
    let mut other = Instance::new(70, "order-18");
    let group = Group::by(&[owner]).episode(other.run(1)).consume(70, &large);
    scene.commit(&group.send(70, &message(4)));
    let left = [message(1), message(3), message(4)];
    scene.holds_messages(70, &left);
    let scene = scene.crash();
    scene.holds_messages(70, &left);
    scene.holds(&other);

    // Messages sent before the crash are consumed after it, several at once, in any order.
    let owner = scene.claim(70);
    scene.commit(&Group::by(&[owner]).consume(70, &message(4)).consume(70, &message(1)));
    scene.holds_messages(70, &[message(3)]);
    scene.commit(&Group::by(&[owner]).consume(70, &message(3)));
    scene.holds_messages(70, &[]);
    let scene = scene.crash().crash();
    scene.holds_messages(70, &[]);
    scene.holds_active(70, &["order-18"]);
}
