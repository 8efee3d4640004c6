//! The workloads, one file each.

mod commit;
pub(crate) mod entities;
mod events;
mod fan_out;
mod hello;
mod http;
mod replay;
mod sequence;
pub(crate) mod sleepers;
mod step;

use clap::ValueEnum;
use durable::Result;

use crate::plan::Plan;
use crate::report::Report;

/// The groups of workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// Durable steps in sequence, and commits of 1 and of 64 steps.
    Step,
    /// Hello sequences, 1 to 2,048 outstanding.
    Hello,
    /// 1,000 and 10,000 activities at once.
    FanOut,
    /// 5,000 and 100,000 activities in sequence.
    Sequence,
    /// External events from orchestration to orchestration, and from a client.
    Events,
    /// Instances asleep on a timer: memory, disk, reopening.
    Sleepers,
    /// The cold replay of a history of 10,000 events.
    Replay,
    /// Entities: a hot key, 10,000 keys, clients' calls, fairness, critical sections.
    Entities,
    /// Requests over HTTP: the status of an instance, and starts.
    Http,
}

impl Group {
    /// Runs the workloads of this group.
    pub(crate) async fn run(self, plan: &Plan, report: &mut Report) -> Result<()> {
        match self {
            Self::Step => {
                step::run(plan, report).await?;
                commit::run(plan, report).await
            }
            Self::Hello => hello::run(plan, report).await,
            Self::FanOut => fan_out::run(plan, report).await,
            Self::Sequence => sequence::run(plan, report).await,
            Self::Events => events::run(plan, report).await,
            Self::Sleepers => sleepers::run(plan, report).await,
            Self::Replay => replay::run(plan, report).await,
            Self::Entities => entities::run(plan, report).await,
            Self::Http => http::run(plan, report).await,
        }
    }
}
