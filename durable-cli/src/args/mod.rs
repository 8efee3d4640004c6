//! The arguments: global options, and one file of commands per subject.

mod actions;
mod filter;
mod global;
mod instances;
mod others;

use clap::{Parser, Subcommand};

pub(crate) use actions::{Purge, Raise, Restart, Selected, Steered, Terminate};
pub(crate) use filter::Filter;
pub(crate) use global::{Color, Format, Global, TimeFormat};
pub(crate) use instances::{
    Count, Diff, Export, Get, History, List, Pending, Replay, ResultOf, Sort, Start, Timeline,
    Until, Wait,
};
pub(crate) use others::{
    ActivityCommand, Backup, BatchCommand, EntityCommand, HubCommand, Locks, Paged,
    ScheduleCommand, ScheduleSpec, StoreCommand, Ui, Watch,
};

const AFTER: &str = "\
Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 conflict, 5 the instance failed, 6 hub not
reachable, 7 timeout, 8 refused (key, read-only), 130 interrupted.

Try: durable list --status failed
     durable pending order-17
     durable list --status failed -o name | durable rewind - --reason \"bank is back\" --yes";

/// Show and control durable orchestrations.
#[derive(Debug, Parser)]
#[command(name = "durable", version, after_help = AFTER, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List instances
    #[command(visible_alias = "ls")]
    List(List),
    /// Count instances
    Count(Count),
    /// Show instances with input, output and failure
    #[command(visible_alias = "describe")]
    Get(Get),
    /// Show what instances wait for, and why: the given ones, or those that have run longest
    Pending(Pending),
    /// Show the history of an instance
    #[command(visible_alias = "logs")]
    History(History),
    /// Show the timeline of an instance
    Timeline(Timeline),
    /// Show an instance with its sub-orchestrations
    Tree(Get),
    /// Start an instance
    Start(Start),
    /// Wait until instances have ended
    Wait(Wait),
    /// Print the output of an instance
    Result(ResultOf),
    /// Raise an event that an instance waits for
    Raise(Raise),
    /// Suspend instances
    Suspend(Steered),
    /// Resume suspended instances
    Resume(Steered),
    /// Terminate instances
    Terminate(Terminate),
    /// Run the failed tasks of failed instances again
    Rewind(Steered),
    /// Restart instances with the same input
    Restart(Restart),
    /// Remove instances that have ended
    Purge(Purge),
    /// Show, retry and stop batches, which act on many instances
    #[command(subcommand)]
    Batch(BatchCommand),
    /// Show, signal and call entities
    #[command(subcommand)]
    Entity(EntityCommand),
    /// List the locked entities, and the instances that hold or wait for the locks
    Locks(Locks),
    /// Show and change schedules
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Show the activities that run now, or that the hub can run
    #[command(subcommand)]
    Activity(ActivityCommand),
    /// Show what is busy, slow and failing: activities that run, instances by status and failures by name
    Top,
    /// Follow instances as they start, end, fail, ...
    Watch(Watch),
    /// Show the hub: its size, functions and access
    Hub {
        #[command(subcommand)]
        command: Option<HubCommand>,
    },
    /// Check the configuration, the connection, versions, clocks and the permissions of the key
    Doctor,
    /// Check whether the code of this program still fits a history
    Replay(Replay),
    /// Compare the histories of two instances
    Diff(Diff),
    /// Write histories to files that can be replayed
    Export(Export),
    /// Serve the dashboard of a hub on this machine, until Ctrl+C
    Ui(Ui),
    /// Back up a hub; check, measure, compact and salvage its folder
    #[command(subcommand)]
    Store(StoreCommand),
    /// Print the script that completes commands in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write all manual pages into a folder
    Man {
        /// The folder
        #[arg(long, value_name = "FOLDER")]
        out: Option<std::path::PathBuf>,
    },
    /// Print a page for coding agents: commands, JSON, and how to debug a stuck instance
    Skill,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_definition_of_the_arguments_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
