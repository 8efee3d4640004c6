//! The point of the contract about the positions of messages.

use std::ops::Range;

use super::StoreUnderTest;
use super::scene::{
    Group, Numbers, Placed, Scene, instance_id, message_to, message_with, same, same_all,
};
use crate::protocol::{InstanceId, TaskMessage};

/// Recipients: ids that are prefixes of each other, and some that receive no message.
const TO: [&str; 6] = ["a", "ab", "@counter@", "@counter@a", "order-17", "@counter@a@b"];

/// Point 18: messages keep their positions and are found by range, page and instance.
///
/// # Panics
/// If the store violates the point.
pub fn messages_are_found_by_page(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let scene = in_every_range(scene);
    among_many(&scene);
    while_they_are_consumed(scene);
}

/// Sends messages to several instances in turn, in commits of five, interleaved with as many to
/// another partition; one is large.
fn send(scene: &Scene<'_>, partition: u16, numbers: Range<u128>) -> Vec<TaskMessage> {
    let large = Numbers::new(18).letters(1 << 20);
    let to = |number: u128| TO[usize::try_from(number).unwrap_or_default() % 5];
    let make = |number| match number {
        // To `order-17`, which is `TO[4]`.
        14 => message_with(number, large.clone()),
        _ => message_to(number, to(number)),
    };
    let messages: Vec<TaskMessage> = numbers.clone().map(make).collect();
    for some in messages.chunks(5) {
        let send = |group: Group, message| {
            let other = message_to(1_000_000 + numbers.start, "a");
            group.send(partition, message).send(partition + 1, &other)
        };
        scene.commit(&some.iter().fold(Group::default(), send));
    }
    messages
}

/// Reads all messages and checks their positions.
#[track_caller]
fn all(scene: &Scene<'_>, partition: u16) -> Vec<Placed> {
    let end = scene.load(partition).messages_end;
    let all = scene.messages_page(partition, None, 0..end, usize::MAX);
    let whole = scene.messages_page(partition, None, 0..u64::MAX, usize::MAX);
    same_all(&all, &whole, "the messages before their end, and all that there are");
    let positions: Vec<u64> = all.iter().map(|(position, _)| *position).collect();
    same(
        &positions.is_sorted_by(|a, b| a < b),
        &true,
        &format!("whether positions grow: {positions:?}"),
    );
    all
}

#[track_caller]
fn are(found: &[Placed], wanted: &[TaskMessage], what: &str) {
    let found: Vec<TaskMessage> = found.iter().map(|(_, message)| message.clone()).collect();
    same_all(&found, wanted, what);
}

/// The pages of a range contain its messages, for all receivers.
fn in_every_range(scene: Scene<'_>) -> Scene<'_> {
    const PARTITION: u16 = 180;
    same_all(&all(&scene, PARTITION), &[], "the messages of a partition that nobody has used");
    let sent = send(&scene, PARTITION, 0..33);
    let placed = all(&scene, PARTITION);
    are(&placed, &sent, "the messages with their positions");
    look(&scene, PARTITION, &placed);
    let scene = scene.crash();
    same_all(&all(&scene, PARTITION), &placed, "the messages with their positions after a crash");
    look(&scene, PARTITION, &placed);
    scene
}

fn look(scene: &Scene<'_>, partition: u16, placed: &[Placed]) {
    let position = |index: usize| placed[index.min(placed.len() - 1)].0;
    let (first, last) = (position(0), position(usize::MAX));
    let ranges = [
        0..u64::MAX,
        0..first,
        first..first + 1,
        first + 1..last,
        position(3)..position(20),
        position(14)..position(14) + 1,
        position(15)..u64::MAX,
        position(7)..position(7),
        Range { start: position(9), end: position(2) },
        last..last + 1,
        last + 1..u64::MAX,
    ];
    let to = TO.map(|id| Some(instance_id(id)));
    for to in to.iter().chain(&[None]) {
        for range in &ranges {
            let is_wanted = |(position, message): &&Placed| {
                range.contains(position) && to.as_ref().is_none_or(|to| message.instance_id == *to)
            };
            let wanted: Vec<Placed> = placed.iter().filter(is_wanted).cloned().collect();
            for limit in [0, 1, 2, 7, usize::MAX] {
                let found = scene.messages_page(partition, to.as_ref(), range.clone(), limit);
                let wanted = &wanted[..limit.min(wanted.len())];
                let what = format!("the first {limit} messages to {to:?} at {range:?}");
                same_all(&found, wanted, &what);
            }
        }
    }
}

/// A few messages to one instance are found among many to another, page by page.
fn among_many(scene: &Scene<'_>) {
    const PARTITION: u16 = 183;
    let to = |number: u128| if number % 301 == 17 { "@rare@" } else { "@frequent@" };
    let sent: Vec<TaskMessage> = (0..1_300).map(|number| message_to(number, to(number))).collect();
    let all = |group: Group, message| group.send(PARTITION, message);
    scene.commit(&sent.iter().fold(Group::default(), all));
    for id in ["@rare@", "@frequent@"].map(instance_id) {
        let wanted = sent.iter().filter(|message| message.instance_id == id);
        let wanted: Vec<TaskMessage> = wanted.cloned().collect();
        for limit in [2, 300, 2_000] {
            let found = by_page(scene, PARTITION, Some(&id), limit);
            are(&found, &wanted, &format!("the messages to `{id}` in pages of {limit}"));
        }
    }
    are(&by_page(scene, PARTITION, None, 256), &sent, "many messages, in pages of 256");
}

/// Reads all pages in turn.
#[track_caller]
fn by_page(
    scene: &Scene<'_>,
    partition: u16,
    to: Option<&InstanceId>,
    limit: usize,
) -> Vec<Placed> {
    let (mut found, mut positions) = (Vec::new(), 0..scene.load(partition).messages_end);
    loop {
        let page = scene.messages_page(partition, to, positions.clone(), limit);
        same(&(page.len() <= limit), &true, &format!("whether a page has at most {limit}"));
        let Some((last, _)) = page.last() else { return found };
        positions.start = last + 1;
        found.extend(page);
    }
}

/// Only consumed messages are missing, and their positions are not reused.
fn while_they_are_consumed(scene: Scene<'_>) {
    const PARTITION: u16 = 186;
    let mut scene = scene;
    send(&scene, PARTITION, 100..130);
    let mut placed = all(&scene, PARTITION);
    for (round, to) in (0..4).zip(TO) {
        let owner = scene.claim(PARTITION);
        // Consumes the first, all to one instance, and the last.
        let to = instance_id(to);
        let (first, last) = (placed[0].0, placed[placed.len() - 1].0);
        let is_gone = |(position, message): &Placed| {
            [first, last].contains(position) || message.instance_id == to
        };
        let gone = placed.extract_if(.., |placed| is_gone(placed));
        let gone =
            gone.fold(Group::by(&[owner]), |group, (_, gone)| group.consume(PARTITION, &gone));
        scene.commit(&gone);
        same_all(&all(&scene, PARTITION), &placed, "what was not consumed, at its positions");
        look(&scene, PARTITION, &placed);
        let end = scene.load(PARTITION).messages_end;
        let start = 200 + 10 * round;
        let new = send(&scene, PARTITION, start..start + 3);
        let before = scene.messages_page(PARTITION, None, 0..end, usize::MAX);
        same_all(&before, &placed, "the messages before the end that there was");
        let found = all(&scene, PARTITION);
        let behind = &found[placed.len().min(found.len())..];
        are(behind, &new, "new messages, behind the others");
        let is_new = behind.first().is_some_and(|(position, _)| *position > last);
        same(&is_new, &true, &format!("whether {behind:?} are at no position that another had"));
        placed = found;
        if round % 2 == 1 {
            scene = scene.crash();
            same_all(
                &all(&scene, PARTITION),
                &placed,
                "the messages at their positions, after a crash",
            );
        }
    }
    let owner = scene.claim(PARTITION);
    let none = Group::by(&[owner]);
    let none = placed.iter().fold(none, |group, (_, old)| group.consume(PARTITION, old));
    scene.commit(&none);
    same_all(&all(&scene, PARTITION), &[], "what is left when all is consumed");
    let new = send(&scene, PARTITION, 300..301);
    are(&all(&scene, PARTITION), &new, "the only message, behind many that are gone");
    same_all(&all(&scene.crash(), PARTITION + 2), &[], "the messages of the partition beside it");
}
