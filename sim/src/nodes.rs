//! What happens to several processes that share a hub.

use durable::testing::sim::{Choices, Stream};

/// What may happen to one of several processes, or to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It looks whether it gains or loses partitions, as it does every second.
    Renews,
    /// A process is opened in the place of one that has ended.
    Opens,
    /// It ends without a shutdown. Its leases go on until they expire.
    Dies,
    /// The leases of those that died expire.
    Expires,
    /// Its leases expire, and it does not know.
    IsCutOff,
    /// It can own partitions again.
    Reconnects,
    /// It takes no steps for now.
    Freezes,
    Wakes,
    ShutsDown,
    AllDie,
    /// All end, and run other code from now on.
    IsDeployed,
    /// Time passes at once.
    Jumps,
}

use Event::{
    AllDie, Dies, Expires, Freezes, IsCutOff, IsDeployed, Jumps, Opens, Reconnects, Renews,
    ShutsDown, Wakes,
};

/// Each event, and one in how many steps it happens in: a seed draws one of these.
const RATES: [(Event, [u32; 4]); 12] = [
    (Renews, [10, 40, 40, 200]),
    (Opens, [20, 60, 60, 300]),
    (Dies, [60, 250, 1000, u32::MAX]),
    (Expires, [20, 60, 60, 300]),
    (IsCutOff, [60, 250, 1000, u32::MAX]),
    (Reconnects, [20, 60, 60, 300]),
    (Freezes, [60, 250, 1000, u32::MAX]),
    (Wakes, [20, 60, 60, 300]),
    (ShutsDown, [250, 1000, u32::MAX, u32::MAX]),
    (AllDie, [1000, u32::MAX, u32::MAX, u32::MAX]),
    (IsDeployed, [1000, u32::MAX, u32::MAX, u32::MAX]),
    (Jumps, [100, 1000, u32::MAX, u32::MAX]),
];

/// How often what happens to several processes.
#[derive(Debug)]
pub(crate) struct Nodes {
    processes: u32,
    rates: Vec<(Event, u32)>,
}

impl Nodes {
    pub(crate) fn draw(choices: &mut Choices, processes: usize) -> Self {
        let processes = u32::try_from(processes).unwrap_or(1);
        let rate =
            |(event, rates): (Event, [u32; 4])| (event, choices.one_of(Stream::Swarm, &rates));
        Self { processes, rates: RATES.map(rate).to_vec() }
    }

    /// What happens after the present step, and to which process.
    pub(crate) fn next(&self, choices: &mut Choices) -> Option<(Event, usize)> {
        let happens = self.rates.iter().filter(|(_, rate)| choices.one_in(Stream::World, *rate));
        let event = happens.map(|(event, _)| *event).last()?;
        Some((event, choices.below(Stream::World, self.processes) as usize))
    }
}
