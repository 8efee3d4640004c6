//! What happens to several processes that share a hub.

use durable::testing::sim::{Choices, Stream};

/// An event that affects one of several processes, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It checks whether it gains or loses partitions, as it does every second.
    Renews,
    /// A process is opened in place of one that has ended.
    Opens,
    /// It ends without a shutdown. Its leases stay valid until they expire.
    Dies,
    /// The leases of dead processes expire.
    Expires,
    /// Its leases expire, and it does not notice.
    IsCutOff,
    /// It is reconnected, and can own partitions again.
    Reconnects,
    /// It is frozen for a while, and takes no steps.
    Freezes,
    Wakes,
    ShutsDown,
    AllDie,
    /// All processes end, and other code is deployed.
    IsDeployed,
    /// The clock jumps ahead.
    Jumps,
}

use Event::{
    AllDie, Dies, Expires, Freezes, IsCutOff, IsDeployed, Jumps, Opens, Reconnects, Renews,
    ShutsDown, Wakes,
};

/// Each event, with the average number of steps between two of them: a seed draws one of these
/// lists.
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

/// How often each event happens.
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

    /// The event after the current step, and the process that it affects.
    pub(crate) fn next(&self, choices: &mut Choices) -> Option<(Event, usize)> {
        let happens = self.rates.iter().filter(|(_, rate)| choices.one_in(Stream::World, *rate));
        let event = happens.map(|(event, _)| *event).last()?;
        Some((event, choices.below(Stream::World, self.processes) as usize))
    }
}
