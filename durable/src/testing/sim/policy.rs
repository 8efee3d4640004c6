//! How a seed chooses whose turn it is.
//!
//! Different faults need different schedules: some appear when all actors alternate, some when one
//! actor is late, and some only when two switches happen at the right places. Each seed draws one
//! policy.

use std::collections::BTreeMap;

use super::choice::{Choices, Generator, Stream};
use crate::chance;

/// An actor, which can take a step. The order is that of a round: partitions, commits, tasks,
/// inboxes and supervisors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Actor {
    /// A partition of a process, by its index there.
    Partition(usize, usize),
    /// The commit of a process.
    Commit(usize),
    Task(u64),
    /// The inbox of a process.
    Inbox(usize),
    /// The supervisor of a process.
    Supervisor(usize),
}

/// How a seed chooses.
#[derive(Debug)]
pub(super) struct Manner {
    policy: Policy,
    /// The actor that took the last step.
    last: Option<Actor>,
    /// One in this many store calls is preempted.
    pub(super) preempts: u32,
    /// One in this many steps lets time pass although actors could continue.
    pub(super) hurries: u32,
    /// How much mail a turn takes; 0 is all.
    pub(super) mail: u32,
}

#[derive(Debug)]
enum Policy {
    /// By chance, with the weights of partitions, commits and tasks.
    Weighted([u32; 3]),
    /// The actor with the highest priority. Priorities change rarely (Burckhardt et al., "A
    /// Randomized Scheduler with Probabilistic Guarantees of Finding Bugs").
    Priorities { salt: u64, changes: u32, lowered: BTreeMap<Actor, u64> },
    /// The actor of the last step for as long as it can continue, with rare exceptions.
    UntilBlocked { exceptions: u32 },
    /// Any actor except those of one kind, unless no other actor can continue.
    Starve { kind: usize, exceptions: u32 },
    /// The same kind of actor for some steps in a row.
    Burst { ends: u32, kind: usize },
}

impl Manner {
    pub(super) fn draw(choices: &mut Choices) -> Self {
        let mut one_of = |all: &[u32]| choices.one_of(Stream::Swarm, all);
        let policy = match one_of(&[0, 0, 0, 0, 1, 1, 2, 3, 4]) {
            0 => Policy::Weighted([(); 3].map(|()| one_of(&[1, 4, 4, 16, 64]))),
            1 => Policy::Priorities {
                salt: u64::from(one_of(&[1, 2, 3, 4, 5, 6, 7, 8])),
                changes: one_of(&[16, 64, 256]),
                lowered: BTreeMap::new(),
            },
            2 => Policy::UntilBlocked { exceptions: one_of(&[16, 64, 256]) },
            3 => Policy::Starve {
                kind: one_of(&[0, 1, 2]) as usize,
                exceptions: one_of(&[16, 64, 256]),
            },
            _ => Policy::Burst { ends: one_of(&[4, 16, 64]), kind: 0 },
        };
        Self {
            policy,
            last: None,
            preempts: one_of(&[2, 4, 16, 64, u32::MAX]),
            hurries: one_of(&[8, 64, 1024, u32::MAX]),
            mail: one_of(&[1, 1, 2, 8, 0]),
        }
    }

    /// Chooses one of the actors that can continue, which are in the order of a round. In the calm
    /// phase, and for the choice 0, it is the next one of the round.
    pub(super) fn choose(
        &mut self,
        actors: &[Actor],
        is_calm: bool,
        choices: &mut Choices,
    ) -> Option<Actor> {
        let next = actors.iter().position(|actor| Some(*actor) > self.last).unwrap_or(0);
        let count = actors.len();
        if count == 0 {
            return None;
        }
        let from_next = if is_calm || count == 1 {
            0
        } else {
            let draw = |generator: &mut Generator| {
                let index = self.policy.draw(generator, actors, self.last, next);
                u32::try_from((index + count - next) % count).unwrap_or(0)
            };
            choices.decide(Stream::Schedule, u32::try_from(count).unwrap_or(u32::MAX), draw)
                as usize
        };
        let chosen = actors[(next + from_next) % count];
        self.last = Some(chosen);
        Some(chosen)
    }
}

impl Policy {
    /// The index of the actor that takes the next step.
    fn draw(
        &mut self,
        generator: &mut Generator,
        actors: &[Actor],
        last: Option<Actor>,
        next: usize,
    ) -> usize {
        let mut rarely = |count: u32| generator.below(count) == 0;
        match self {
            Self::Weighted(weights) => {
                mark!("policy: by chance");
                let [partitions, commits, tasks] = *weights;
                // Inboxes and supervisors have the weight of partitions.
                weighted(generator, actors, [partitions, commits, tasks, partitions])
            }
            Self::Priorities { salt, changes, lowered } => {
                mark!("policy: priorities");
                if let Some(last) = last.filter(|_| rarely(*changes)) {
                    let lowest = lowered.len() as u64 + 1;
                    lowered.insert(last, u64::MAX / 2 - lowest.min(u64::MAX / 2));
                }
                let priority = |actor: &Actor| match lowered.get(actor) {
                    Some(priority) => *priority,
                    None => chance::number(*salt, actor.number()) | (1 << 63),
                };
                let highest = actors.iter().enumerate().max_by_key(|(_, actor)| priority(actor));
                highest.map_or(next, |(index, _)| index)
            }
            Self::UntilBlocked { exceptions } => {
                mark!("policy: until it is blocked");
                let is_last = |actor: &Actor| Some(*actor) == last;
                match actors.iter().position(is_last).filter(|_| !rarely(*exceptions)) {
                    Some(same) => same,
                    None => weighted(generator, actors, [1; 4]),
                }
            }
            Self::Starve { kind, exceptions } => {
                mark!("policy: one kind is late");
                let mut weights = [1; 4];
                weights[*kind] = u32::from(rarely(*exceptions));
                weighted(generator, actors, weights)
            }
            Self::Burst { ends, kind } => {
                mark!("policy: the same kind for some time");
                if rarely(*ends) || !actors.iter().any(|actor| actor.kind() == *kind) {
                    *kind = actors[weighted(generator, actors, [1; 4])].kind();
                }
                let mut weights = [0; 4];
                weights[*kind] = 1;
                weighted(generator, actors, weights)
            }
        }
    }
}

impl Actor {
    fn kind(self) -> usize {
        match self {
            Self::Partition(..) => 0,
            Self::Commit(_) => 1,
            Self::Task(_) => 2,
            Self::Inbox(_) | Self::Supervisor(_) => 3,
        }
    }

    fn number(self) -> u64 {
        match self {
            Self::Partition(process, index) => (process << 16 | index) as u64,
            Self::Commit(process) => process as u64 | 1 << 32,
            Self::Task(number) => number | 1 << 33,
            Self::Inbox(process) => process as u64 | 1 << 34,
            Self::Supervisor(process) => process as u64 | 1 << 35,
        }
    }
}

/// A random actor: first its kind, by weight, and then an actor of this kind.
fn weighted(generator: &mut Generator, actors: &[Actor], weights: [u32; 4]) -> usize {
    let count = |kind| actors.iter().filter(|actor| actor.kind() == kind).count();
    let counts = [0, 1, 2, 3].map(count);
    let present = [0, 1, 2, 3].map(|kind| if counts[kind] > 0 { weights[kind] } else { 0 });
    let all: u32 = present.iter().sum();
    if all == 0 {
        return generator.below(u32::try_from(actors.len()).unwrap_or(u32::MAX)) as usize;
    }
    let (mut drawn, mut kind) = (generator.below(all), 0);
    while drawn >= present[kind] {
        drawn -= present[kind];
        kind += 1;
    }
    let first: usize = counts[..kind].iter().sum();
    first + generator.below(u32::try_from(counts[kind]).unwrap_or(u32::MAX)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTORS: [Actor; 4] =
        [Actor::Partition(0, 0), Actor::Partition(0, 3), Actor::Commit(0), Actor::Task(7)];

    #[test]
    fn the_simplest_choices_are_a_round() {
        let mut choices = Choices::repeat(1, &[]);
        let mut manner = Manner::draw(&mut choices);
        let chosen: Vec<_> =
            (0..5).filter_map(|_| manner.choose(&ACTORS, false, &mut choices)).collect();
        assert_eq!(chosen[..4], ACTORS);
        assert_eq!(chosen[4], ACTORS[0]);
    }

    #[test]
    fn each_policy_lets_everybody_go_on() {
        for seed in 0..200 {
            let mut choices = Choices::new(seed);
            let mut manner = Manner::draw(&mut choices);
            let mut left = ACTORS.to_vec();
            // An actor that has taken a step is blocked.
            while let Some(chosen) = manner.choose(&left, false, &mut choices) {
                left.retain(|actor| *actor != chosen);
            }
            assert_eq!(manner.choose(&left, false, &mut choices), None);
        }
    }

    #[test]
    fn a_repeated_schedule_chooses_the_same_actors() {
        for seed in 0..100 {
            let run = |mut choices: Choices| {
                let mut manner = Manner::draw(&mut choices);
                let chosen: Vec<_> =
                    (0..50).map(|_| manner.choose(&ACTORS, false, &mut choices)).collect();
                (chosen, choices.deviations())
            };
            let (chosen, deviations) = run(Choices::new(seed));
            assert_eq!(run(Choices::repeat(seed, &deviations)).0, chosen);
        }
    }
}
