//! The point of the contract about replaced histories.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::StoreUnderTest;
use super::scene::{Group, Instance, Numbers, Places, Scene, same, same_all, time};
use crate::protocol::{EventKind, HistoryEvent, RuntimeStatus};
use crate::store::{EpisodeWrite, StoreError};

/// Point 15: an episode that replaces an execution removes all events of it.
///
/// # Panics
/// If the store violates the point.
pub fn a_replaced_history_is_gone(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let scene = by_another_execution(scene);
    let scene = within_one_commit(scene);
    let scene = by_itself(scene);
    let scene = of_every_size(scene);
    out_of_order(&scene);
    seen_meanwhile(&scene);
}

/// Other executions, instances and partitions are unaffected.
fn by_another_execution(scene: Scene<'_>) -> Scene<'_> {
    let owners = [scene.claim(110), scene.claim(111)];
    let mut others = ["orde", "order ", "order 1", "order\u{308}"].map(|id| Instance::new(110, id));
    let mut elsewhere = Instance::new(111, "Order");
    let mut instance = Instance::new(110, "order");
    let all = others.iter_mut().chain([&mut instance, &mut elsewhere]);
    scene.commit(&all.fold(Group::by(&owners), |group, of| group.episode(of.run(3))));
    // A second execution, which is not replaced.
    let beside = instance.clone();
    instance.begin(2);
    scene.commit(&Group::by(&owners).episode(instance.run(2)).episode(instance.run(9)));
    scene.commit(&Group::by(&owners).episode(instance.run(1)));
    let first = instance.execution();

    let group = Group::by(&owners).episode(instance.replace(3, 4));
    scene.commit(&others.iter_mut().fold(group, |group, of| group.episode(of.run(1))));
    let gone = [first, instance.execution()];
    let whole = |scene: &Scene<'_>, instance: &Instance, gone: &(_, _)| {
        scene.holds_nothing_of(gone);
        others.iter().chain([instance, &elsewhere]).for_each(|of| scene.holds(of));
        let (id, execution) = beside.execution();
        same_all(&scene.history(&id, execution, 0), &beside.events, "an execution beside");
    };
    whole(&scene, &instance, &gone[0]);
    let scene = scene.crash();
    whole(&scene, &instance, &gone[0]);

    // As in a continue-as-new: the end of the last execution, and the next one.
    let owners = [scene.claim(110), scene.claim(111)];
    let end = instance.finish(RuntimeStatus::Completed);
    scene.commit(&Group::by(&owners).episode(end).episode(instance.replace(4, 1)));
    scene.commit(&Group::by(&owners).episode(instance.run(2)));
    whole(&scene, &instance, &gone[1]);
    // Replacing an unknown execution changes nothing.
    let mut episode = instance.run(1);
    episode.replaces = Some(Instance::new(110, "nobody").record.execution_id);
    let mut new = Instance::new(110, "new");
    let replaced = new.execution();
    scene.commit(&Group::by(&owners).episode(new.replace(7, 2)));
    scene.holds(&new);
    scene.holds_nothing_of(&replaced);
    // It names the second execution.
    scene.commit(&Group::by(&owners).episode(episode));
    scene.holds(&instance);
    scene.holds_nothing_of(&beside.execution());
    let scene = scene.crash();
    scene.holds(&instance);
    scene.holds_nothing_of(&beside.execution());
    scene.holds_nothing_of(&gone[1]);
    scene
}

/// Several executions, one after another, in one commit; the first already has a history.
fn within_one_commit(scene: Scene<'_>) -> Scene<'_> {
    let owner = scene.claim(112);
    let [mut chain, mut fresh] = ["chain", "fresh"].map(|id| Instance::new(112, id));
    scene.commit(&Group::by(&[owner]).episode(chain.run(3)).episode(chain.run(30)));
    let mut gone = Vec::new();
    let mut group = Group::by(&[owner]);
    for instance in [&mut chain, &mut fresh] {
        for number in 2..6 {
            group = group.episode(instance.run(1)).episode(instance.run(number));
            gone.push(instance.execution());
            group = group.episode(instance.replace(u128::from(number), 3));
        }
        group = group.episode(instance.run(2));
    }
    scene.commit(&group);
    let whole = |scene: &Scene<'_>, instances: [&Instance; 2], gone: &[_]| {
        for instance in &instances {
            scene.holds(instance);
        }
        for execution in gone {
            scene.holds_nothing_of(execution);
        }
    };
    whole(&scene, [&chain, &fresh], &gone);
    let scene = scene.crash();
    whole(&scene, [&chain, &fresh], &gone);

    // A replaced execution may begin again from 0, and remain.
    let owner = scene.claim(112);
    let (away, back) = (chain.execution(), gone[0].clone());
    let last = chain.replace(1, 2);
    scene.commit(&Group::by(&[owner]).episode(last).episode(chain.run(1)));
    same(&chain.execution(), &back, "the execution that is begun again");
    gone[0] = away;
    whole(&scene, [&chain, &fresh], &gone);
    let group = Group::by(&[owner]).episode(fresh.run(4)).episode(fresh.replace(9, 1));
    let there = fresh.replace(5, 1);
    gone.push((fresh.id().clone(), crate::protocol::ExecutionId::from_u128(9)));
    scene.commit(&group.episode(there).episode(fresh.run(1)));
    whole(&scene, [&chain, &fresh], &gone);
    let scene = scene.crash();
    whole(&scene, [&chain, &fresh], &gone);
    scene
}

/// A history that replaces itself under the same execution: shorter, longer, twice in one commit.
fn by_itself(scene: Scene<'_>) -> Scene<'_> {
    let owner = scene.claim(113);
    let mut instance = Instance::new(113, "rewound");
    for count in [3, 1, 300, 2] {
        scene.commit(&Group::by(&[owner]).episode(instance.run(count)));
    }
    let anew = |scene: &Scene<'_>, instance: &Instance, episodes: Vec<EpisodeWrite>| {
        let owner = scene.claim(113);
        scene.commit(&episodes.into_iter().fold(Group::by(&[owner]), Group::episode));
        scene.holds(instance);
        let (id, execution) = instance.execution();
        let end = instance.record.history_len;
        same_all(&scene.history(&id, execution, end), &[], "what a longer history left");
    };
    // Shorter than its first episode, then of the same length, then in other steps, then longer.
    let mut scene = scene;
    for counts in [vec![2], vec![2], vec![3], vec![1, 1, 1], vec![4, 1, 300, 5], vec![0], vec![1]] {
        let mut episodes = vec![instance.replace(1, counts[0])];
        episodes.extend(counts[1..].iter().map(|&count| instance.run(count)));
        anew(&scene, &instance, episodes);
        scene = scene.crash();
        scene.holds(&instance);
    }
    // Twice in one commit, with another content in between.
    let episodes = vec![
        instance.run(5),
        instance.replace(1, 2),
        instance.run(30),
        instance.run(1),
        instance.replace(1, 1),
        instance.run(2),
    ];
    anew(&scene, &instance, episodes);
    let scene = scene.crash();
    scene.holds(&instance);
    let episodes = vec![instance.run(1), instance.run(2)];
    anew(&scene, &instance, episodes);
    scene
}

/// Large events replace small ones and vice versa, without leaving any fragment.
fn of_every_size(scene: Scene<'_>) -> Scene<'_> {
    let mut numbers = Numbers::new(114);
    let mut scene = scene;
    let mut instance = Instance::new(114, "sized");
    let sizes = [1 << 20, 3, 20_000, 6_000, 13_000, 1 << 20, 12_000, 0, 7_000];
    // Replaced twice by itself, then by another execution.
    for (size, execution) in sizes.into_iter().zip([1, 1, 1, 2, 2, 2, 3, 3, 3]) {
        let owner = scene.claim(114);
        let before = instance.execution();
        let replaces = instance.replace(execution, 0).replaces;
        let result = numbers.letters(size);
        let kind = EventKind::task_result(0, Ok(result));
        let events = vec![HistoryEvent::new(time(0), kind)];
        let episode = instance.episode(RuntimeStatus::Running, events);
        let episode = EpisodeWrite { replaces, ..episode };
        scene.commit(&Group::by(&[owner]).episode(episode).episode(instance.run(1)));
        scene.holds(&instance);
        if before != instance.execution() {
            scene.holds_nothing_of(&before);
        }
        scene = scene.crash();
        scene.holds(&instance);
    }
    scene
}

/// A replacing history begins at 0, regardless of where the old one ended.
fn out_of_order(scene: &Scene<'_>) {
    let owner = scene.claim(115);
    let mut instance = Instance::new(115, "order-17");
    scene.commit(&Group::by(&[owner]).episode(instance.run(3)));
    let places = Places { partitions: vec![115], executions: vec![instance.execution()] };
    let before = scene.look(&places);
    let execution = instance.record.execution_id;
    let late = EpisodeWrite { replaces: Some(execution), ..instance.clone().run(2) };
    let behind = instance.clone().run(1);
    let anew = instance.clone().replace(1, 2);
    for (group, ends) in [(vec![late.clone()], 0), (vec![behind, late], 0), (vec![anew.clone()], 2)]
    {
        let group = group.into_iter().fold(Group::by(&[owner]), Group::episode);
        let group = group.episode(instance.clone().run(1));
        match scene.refused(&group, "an episode begins at the end of the history that it replaces")
        {
            StoreError::OutOfOrder { found, expected, .. } => {
                same(&(found, expected), &(ends, 3), "where a history ends and an episode begins");
            }
            error => panic!("an episode that does not begin at 0 was refused with: {error}"),
        }
        same(&scene.look(&places), &before, "the store after an episode that does not begin at 0");
    }
    scene.commit(&Group::by(&[owner]).episode(anew));
}

/// A history is replaced repeatedly. Concurrent readers see one complete version.
fn seen_meanwhile(scene: &Scene<'_>) {
    const PARTITION: u16 = 116;
    const ROUNDS: u64 = 60;
    let owner = scene.claim(PARTITION);
    let mut numbers = Numbers::new(116);
    let mut instance = Instance::new(PARTITION, "watched");
    let (id, execution) = instance.execution();
    // All events of a round have the same result, and each round has a different split into
    // episodes.
    let mut round_of = |round: u64| {
        let result = numbers.letters(usize::try_from(7_000 * (round % 3) + 10).unwrap_or_default());
        let mut group = Group::by(&[owner]);
        let mut replaces = instance.replace(1, 0).replaces;
        for _ in 0..=round % 4 {
            let result = result.clone();
            let kind = EventKind::task_result(0, Ok(result));
            let count = usize::try_from(1 + round % 5).unwrap_or_default();
            let events = vec![HistoryEvent::new(time(round), kind); count];
            let episode = instance.episode(RuntimeStatus::Running, events);
            group = group.episode(EpisodeWrite { replaces: replaces.take(), ..episode });
        }
        group
    };
    scene.commit(&round_of(0));
    let done = AtomicBool::new(false);
    let look = || {
        while !done.load(Ordering::Acquire) {
            let events = scene.history(&id, execution, 0);
            let Some(first) = events.first() else { panic!("a history was missing for a moment") };
            let Some(round) = (0..ROUNDS).find(|round| time(*round) == first.timestamp) else {
                panic!("an event that was never written")
            };
            let count = usize::try_from((1 + round % 4) * (1 + round % 5)).unwrap_or_default();
            let wanted = vec![first.clone(); count];
            same_all(&events, &wanted, "a history, read while it is replaced");
        }
    };
    thread::scope(|scope| {
        let threads = [scope.spawn(look), scope.spawn(look)];
        for round in 1..ROUNDS {
            if threads.iter().all(thread::ScopedJoinHandle::is_finished) {
                break;
            }
            // Not `commit`, which panics: the readers would then never end.
            if scene.store.commit(&round_of(round).0).is_err() {
                break;
            }
        }
        done.store(true, Ordering::Release);
    });
    let last = instance.record.last_updated_at;
    same(&scene.record(&id).map(|record| record.last_updated_at), &Some(last), "the last round");
    scene.holds(&instance);
}
