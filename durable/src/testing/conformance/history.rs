//! The points of the contract about histories.

use super::StoreUnderTest;
use super::scene::{Group, Instance, Owner, Places, Scene, same, same_all};
use crate::protocol::{HistoryEvent, RuntimeStatus};
use crate::store::{EpisodeWrite, StoreError};

/// Point 6: the events of an execution are read in order and complete, from any episode on.
///
/// # Panics
/// If the store violates the point.
pub fn history_is_kept_in_order(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let scene = over_many_commits(scene);
    let scene = of_each_instance_and_execution(scene);
    of_one_long_episode(scene);
}

/// Episodes of many lengths, several to a commit, to well beyond 256 events and 10 episodes.
fn over_many_commits(scene: Scene<'_>) -> Scene<'_> {
    let owner = scene.claim(30);
    let [mut long, mut short] = ["long", "short"].map(|id| Instance::new(30, id));
    let mut begins = Vec::new();
    for round in 0..40 {
        let mut group = Group::by(&[owner]);
        for count in [1 + round % 13, 1, 2] {
            begins.push(long.record.history_len);
            group = group.episode(long.run(count)).episode(short.run(1));
        }
        scene.commit(&group);
        scene.holds(&long);
    }
    let (id, execution) = long.execution();
    let from_each = |scene: &Scene<'_>| {
        scene.holds(&long);
        scene.holds(&short);
        for &begin in &begins {
            let found = scene.history(&id, execution, begin);
            let wanted = long.events.iter().skip(usize::try_from(begin).unwrap_or_default());
            let wanted: Vec<HistoryEvent> = wanted.cloned().collect();
            same_all(&found, &wanted, &format!("the history from event {begin} on"));
        }
        let end = long.record.history_len;
        same_all(&scene.history(&id, execution, end), &[], "the history from its end on");
        same_all(&scene.history(&id, execution, u64::MAX), &[], "the history from nowhere on");
    };
    from_each(&scene);
    let scene = scene.crash();
    from_each(&scene);
    scene
}

/// Ids that a store could confuse: prefixes, cases, forms of one letter, patterns.
fn of_each_instance_and_execution(scene: Scene<'_>) -> Scene<'_> {
    let owner = scene.claim(31);
    let long = "x".repeat(255);
    let wide = "\u{1f980}".repeat(255);
    let mut ids: Vec<String> =
        ["a", "a b", "ab", "a ", "A", "a%", "a_b", "a'b", "a\u{308}", "\u{e4}", "%", "0", "00"]
            .map(str::to_owned)
            .to_vec();
    for long in [&long, &wide] {
        ids.extend([long.clone(), format!("{long}y"), format!("{long}z")]);
    }
    let mut instances: Vec<Instance> = ids.iter().map(|id| Instance::new(31, id)).collect();
    let nobody = Instance::new(31, "a b c");
    // First one commit for each instance, then one commit for all.
    for instance in &mut instances {
        scene.commit(&Group::by(&[owner]).episode(instance.run(3)));
    }
    let all = |instances: &mut Vec<Instance>, status| {
        instances.iter_mut().fold(Group::by(&[owner]), |group, instance| {
            group.episode(instance.run(2)).episode(instance.finish(status))
        })
    };
    scene.commit(&all(&mut instances, RuntimeStatus::Completed));
    let first = instances.clone();
    for (instance, number) in instances.iter_mut().zip(2..) {
        // Numbers whose order differs from that of their bytes.
        instance.begin(number << 8);
    }
    scene.commit(&all(&mut instances, RuntimeStatus::Failed));

    let each = |scene: &Scene<'_>| {
        for (first, second) in first.iter().zip(&instances) {
            scene.holds(second);
            let (id, execution) = first.execution();
            let found = scene.history(&id, execution, 0);
            same_all(&found, &first.events, &format!("the first execution of `{id}`"));
            let found = scene.history(&id, execution, 3);
            same_all(&found, &first.events[3..], &format!("the first execution of `{id}`, from 3"));
        }
        let (id, execution) = nobody.execution();
        same(&scene.record(&id), &None, "the record of an unknown instance");
        same_all(&scene.history(&id, execution, 0), &[], "the history of no instance");
        let others = instances[1].record.execution_id;
        let found = scene.history(first[0].id(), others, 0);
        same_all(&found, &[], "the history of another instance's execution");
    };
    each(&scene);
    let scene = scene.crash();
    each(&scene);
    scene
}

fn of_one_long_episode(scene: Scene<'_>) {
    let owner = scene.claim(32);
    let mut instance = Instance::new(32, "many");
    scene.commit(&Group::by(&[owner]).episode(instance.run(1)));
    // More than sixteen bits can count.
    scene.commit(&Group::by(&[owner]).episode(instance.run(66_000)).episode(instance.run(1)));
    scene.commit(&Group::by(&[owner]).episode(instance.run(2)));
    scene.holds(&instance);
    let scene = scene.crash();
    scene.holds(&instance);
    let (id, execution) = instance.execution();
    let found = scene.history(&id, execution, 66_001);
    same_all(&found, &instance.events[66_001..], "the history behind a long episode");
}

/// Point 7: an episode begins where the history of its execution ends.
///
/// # Panics
/// If the store violates the point.
pub fn history_is_appended_at_its_end(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let owner = scene.claim(40);
    let mut instance = Instance::new(40, "order-17");
    let places = Places { partitions: vec![40], executions: vec![instance.execution()] };
    let late = moved(instance.clone().run(2), 1);
    refused(&scene, owner, &places, [late], (0, 1));

    let first = instance.run(3);
    scene.commit(&Group::by(&[owner]).episode(first.clone()));
    let scene = wrong_places(scene, &instance, owner, &first);
    let scene = scene.crash();
    let owner = scene.claim(40);
    let scene = wrong_places(scene, &instance, owner, &first);

    let before = instance.clone();
    let mut next = instance.clone();
    let group = [next.run(2), next.run(1)];
    instance.run(2);
    instance.run(1);
    scene.commit(&group.into_iter().fold(Group::by(&[owner]), Group::episode));
    scene.holds(&instance);

    // Another execution begins at 0 regardless of earlier ones; the first execution stays readable.
    let mut second = before;
    second.begin(2);
    let places = Places { partitions: vec![40], executions: vec![second.execution()] };
    let late = moved(second.clone().run(2), 6);
    refused(&scene, owner, &places, [late], (0, 6));
    scene.commit(&Group::by(&[owner]).episode(second.run(2)));
    let places =
        Places { partitions: vec![40], executions: vec![instance.execution(), second.execution()] };
    refused(&scene, owner, &places, [first], (6, 0));
    scene.holds(&second);
    let (id, execution) = instance.execution();
    let found = scene.history(&id, execution, 0);
    same_all(&found, &instance.events, "the history of the execution before");
}

/// Episodes that do not begin at the end of a history of three events.
fn wrong_places<'a>(
    scene: Scene<'a>,
    instance: &Instance,
    owner: Owner,
    first: &EpisodeWrite,
) -> Scene<'a> {
    let places = Places { partitions: vec![40], executions: vec![instance.execution()] };
    let mut next = instance.clone();
    let (second, third) = (next.run(2), next.run(1));
    for begin in [0, 2, 4, 1 << 32, u64::MAX - 9] {
        let wrong = moved(second.clone(), begin);
        refused(&scene, owner, &places, [wrong], (3, begin));
    }
    refused(&scene, owner, &places, [first.clone()], (3, 0));
    refused(&scene, owner, &places, [second.clone(), second.clone()], (5, 3));
    refused(&scene, owner, &places, [third.clone(), second.clone()], (3, 5));
    refused(&scene, owner, &places, [second, moved(third, 6)], (5, 6));
    scene
}

/// The episode with another begin.
fn moved(mut episode: EpisodeWrite, begin: u64) -> EpisodeWrite {
    episode.record.last_episode = begin;
    episode.record.history_len = begin + episode.events.len() as u64;
    episode
}

#[track_caller]
fn refused<const N: usize>(
    scene: &Scene<'_>,
    owner: Owner,
    places: &Places,
    episodes: [EpisodeWrite; N],
    (ends, begins): (u64, u64),
) {
    let before = scene.look(places);
    let wanted = episodes[0].record.instance_id.clone();
    let group = episodes.into_iter().fold(Group::by(&[owner]), Group::episode);
    let why = format!("the history ends at {ends} and the episode begins at {begins}");
    match scene.refused(&group, &why) {
        StoreError::OutOfOrder { instance, found, expected } => {
            same(&instance, &wanted, "the instance whose episode is out of order");
            same(&(found, expected), &(ends, begins), "where the history ends and where it begins");
        }
        error => panic!("an episode out of order was refused with: {error}"),
    }
    same(&scene.look(places), &before, "the store after an episode out of order");
}
