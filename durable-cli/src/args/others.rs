//! Arguments of the commands about entities, schedules, batches, activities, the hub and folders.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCompleter;

use crate::args::filter::{Filter, tag};
use crate::complete;
use crate::time::Moment;

/// A part of a list.
#[derive(Debug, Args)]
pub(crate) struct Paged {
    /// The maximum number of items
    #[arg(long, short, default_value_t = 1000)]
    pub(crate) limit: usize,
    /// Only items after this position, which is `next` in an answer of the API
    #[arg(long, value_name = "POSITION")]
    pub(crate) after: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Locks {
    /// Only entities of this type
    #[arg(long, short)]
    pub(crate) name: Option<String>,
    /// Only keys that begin with this text
    #[arg(long)]
    pub(crate) prefix: Option<String>,
    #[command(flatten)]
    pub(crate) page: Paged,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BatchCommand {
    /// List batches
    #[command(visible_alias = "ls")]
    List(Paged),
    /// Show the progress of a batch
    #[command(visible_alias = "get")]
    Show {
        #[arg(add = ArgValueCompleter::new(complete::batches))]
        id: String,
    },
    /// Retry the failed instances of a batch that has ended, as a new batch
    Retry {
        #[arg(add = ArgValueCompleter::new(complete::batches))]
        id: String,
    },
    /// Stop a batch; its effects so far remain
    Stop {
        #[arg(add = ArgValueCompleter::new(complete::batches))]
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum EntityCommand {
    /// List entities
    #[command(visible_alias = "ls")]
    List {
        /// Only this type
        #[arg(long, short)]
        name: Option<String>,
        /// Only keys that begin with this text
        #[arg(long)]
        prefix: Option<String>,
        /// Only entities that are set aside because an operation crashes the process
        #[arg(long)]
        set_aside: bool,
        #[command(flatten)]
        page: Paged,
    },
    /// List the requests in an entity's queue: those that wait for its lock, and those behind them
    Queue {
        /// The entity
        #[arg(value_name = "NAME/KEY", add = ArgValueCompleter::new(complete::entities))]
        entity: String,
    },
    /// Show an entity with its state
    Get {
        /// The entity
        #[arg(value_name = "NAME/KEY", add = ArgValueCompleter::new(complete::entities))]
        entity: String,
    },
    /// Signal an entity
    Signal {
        /// The entity
        #[arg(value_name = "NAME/KEY", add = ArgValueCompleter::new(complete::entities))]
        entity: String,
        #[arg(add = ArgValueCompleter::new(complete::operations))]
        operation: String,
        /// The input: JSON, @FILE, or - for stdin
        #[arg(long, short, value_name = "JSON")]
        input: Option<String>,
        /// When to deliver the signal: 10m (from now), or 2026-01-02T03:04:05Z
        #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
        at: Option<Moment>,
    },
    /// Call an entity and print the output
    Call {
        /// The entity
        #[arg(value_name = "NAME/KEY", add = ArgValueCompleter::new(complete::entities))]
        entity: String,
        #[arg(add = ArgValueCompleter::new(complete::operations))]
        operation: String,
        /// The input: JSON, @FILE, or - for stdin
        #[arg(long, short, value_name = "JSON")]
        input: Option<String>,
    },
    /// Resume an entity that is set aside because its next operation crashes the process
    Resume {
        /// The entity
        #[arg(value_name = "NAME/KEY", add = ArgValueCompleter::new(complete::entities))]
        entity: String,
    },
    /// Resume an entity that is set aside, but let its next operation fail without running it
    Skip {
        /// The entity
        #[arg(value_name = "NAME/KEY", add = ArgValueCompleter::new(complete::entities))]
        entity: String,
    },
    /// Release locks whose orchestration no longer exists, for example after a store was repaired
    Unlock,
    /// Remove the state of an entity
    Delete {
        /// The entity
        #[arg(value_name = "NAME/KEY", add = ArgValueCompleter::new(complete::entities))]
        entity: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ScheduleSpec {
    /// The id of the schedule
    #[arg(add = ArgValueCompleter::new(complete::schedules))]
    pub(crate) id: String,
    /// The orchestration to start
    #[arg(add = ArgValueCompleter::new(complete::names))]
    pub(crate) name: String,
    /// A cron pattern, in UTC
    #[arg(long, required_unless_present = "every", conflicts_with = "every")]
    pub(crate) cron: Option<String>,
    /// An interval, such as 10m
    #[arg(long, value_name = "INTERVAL", value_parser = crate::time::duration)]
    pub(crate) every: Option<std::time::Duration>,
    /// The input of each instance: JSON, @FILE, or - for stdin
    #[arg(long, short, value_name = "JSON")]
    pub(crate) input: Option<String>,
    /// The version; the newest by default
    #[arg(long)]
    pub(crate) version: Option<String>,
    /// A tag of each instance; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) tag: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// List schedules
    #[command(visible_alias = "ls")]
    List {
        /// Only these statuses: active, paused, suspended, ended
        #[arg(long, short, value_delimiter = ',', value_name = "STATUS,..")]
        status: Vec<String>,
        /// Only ids that begin with this text
        #[arg(long)]
        prefix: Option<String>,
        #[command(flatten)]
        page: Paged,
    },
    /// Show a schedule
    Get {
        #[arg(add = ArgValueCompleter::new(complete::schedules))]
        id: String,
    },
    /// Create a schedule
    Create(ScheduleSpec),
    /// Replace what a schedule starts and when
    Update(ScheduleSpec),
    /// Pause a schedule
    Pause {
        #[arg(add = ArgValueCompleter::new(complete::schedules))]
        id: String,
    },
    /// Resume a paused schedule
    Resume {
        #[arg(add = ArgValueCompleter::new(complete::schedules))]
        id: String,
    },
    /// Start an instance of a schedule now
    Trigger {
        #[arg(add = ArgValueCompleter::new(complete::schedules))]
        id: String,
    },
    /// Remove a schedule
    Delete {
        #[arg(add = ArgValueCompleter::new(complete::schedules))]
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ActivityCommand {
    /// List the activities that run now, longest-running first
    #[command(visible_alias = "ls")]
    List,
    /// List the activities that the hub can run
    Registered,
    /// Show attempts, failures and run times of each activity in the newest instances
    Stats {
        #[command(flatten)]
        filter: Box<Filter>,
        /// The maximum number of instances whose histories are read
        #[arg(long, short, default_value_t = 100)]
        limit: usize,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Only these kinds: Started, Completed, Failed, Terminated, Suspended, Resumed, ..
    #[arg(long, short, value_delimiter = ',', value_name = "KIND,..")]
    pub(crate) kind: Vec<String>,
    /// Only this orchestration
    #[arg(long, short)]
    pub(crate) name: Option<String>,
    /// Only ids that begin with this text
    #[arg(long)]
    pub(crate) prefix: Option<String>,
    /// Stop after this number of events
    #[arg(long, short, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HubCommand {
    /// Show the size and metrics of the hub
    Info,
    /// List the orchestrators that the hub can run, with their source locations
    Functions,
    /// Show the permissions of the key
    Access,
    /// Unpark a partition that was parked because of damage, so that a process can own it again
    RetryPartition {
        /// The number of the partition
        partition: u16,
    },
    /// Pin a partition to a process, which then owns and keeps it
    Pin {
        /// The number of the partition
        partition: u16,
        /// The name of the process
        process: String,
    },
    /// Let any process own a pinned partition again
    Unpin {
        /// The number of the partition
        partition: u16,
    },
    /// Keep a partition with its process, even if the process ends
    Freeze {
        /// The number of the partition
        partition: u16,
        /// The reason, for people who look at the hub
        reason: String,
    },
    /// Let a frozen partition move again
    Unfreeze {
        /// The number of the partition
        partition: u16,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The folder of the hub; the same as `--path`
    #[arg(conflicts_with_all = ["hub", "path", "profile"])]
    pub(crate) folder: Option<PathBuf>,
    /// The new folder, if no other process has the hub open
    #[arg(long, value_name = "FOLDER", conflicts_with = "name")]
    pub(crate) to: Option<PathBuf>,
    /// The name of the backup of a running hub, whose server chooses the folder; by default the
    /// time
    #[arg(long)]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Ui {
    /// The port on this machine; 0 chooses a free one
    #[arg(long, default_value_t = 7072)]
    pub(crate) port: u16,
    /// Open the page in the browser
    #[arg(long)]
    pub(crate) open: bool,
    /// Show no actions, and refuse changes
    #[arg(long)]
    pub(crate) read_only: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Back up a hub, running or not, into a folder that can be opened as a hub
    Backup(Backup),
    /// Report damage; exit code 1 if there is any
    Check { folder: PathBuf },
    /// Measure a folder
    Stats { folder: PathBuf },
    /// Rewrite a folder so that it takes no more space than needed
    Compact { folder: PathBuf },
    /// Write everything that can be read, one JSON object per line
    Salvage {
        folder: PathBuf,
        /// The file to write; stdout by default
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}
