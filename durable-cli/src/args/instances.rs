//! Arguments of the commands that read, start and await instances.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;
use durable::RuntimeStatus;
use durable_http::client::GroupBy;

use super::Filter;
use super::filter::{status, tag};
use crate::complete;
use crate::time::{Moment, duration};

#[derive(Clone, Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// The order: by creation, the newest or the oldest first, or by id. By default `-created`; with
    /// `--prefix`, `id`
    #[arg(long, value_enum, allow_hyphen_values = true)]
    pub(crate) sort: Option<Sort>,
    /// The maximum number of instances
    #[arg(long, short, default_value_t = 50, conflicts_with = "all")]
    pub(crate) limit: usize,
    /// List all instances
    #[arg(long, short)]
    pub(crate) all: bool,
    /// Only instances after this position, which is `next` in an answer of the API
    #[arg(long, value_name = "POSITION")]
    pub(crate) after: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    #[value(name = "-created")]
    NewestFirst,
    #[value(name = "created")]
    OldestFirst,
    Id,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Count {
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Count per group: status, name, or tag:KEY
    #[arg(long, value_name = "GROUP", value_parser = by)]
    pub(crate) by: Option<GroupBy>,
}

fn by(text: &str) -> Result<GroupBy, String> {
    match (text, text.strip_prefix("tag:")) {
        ("status", _) => Ok(GroupBy::Status),
        ("name", _) => Ok(GroupBy::Name),
        (_, Some(key)) if !key.is_empty() => Ok(GroupBy::Tag(key.to_owned())),
        _ => Err(format!("`{text}` is not a group; give status, name or tag:KEY")),
    }
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Get {
    /// The instances; `-` reads their ids from stdin
    #[arg(value_name = "ID", required = true, add = ArgValueCompleter::new(complete::ids))]
    pub(crate) ids: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Pending {
    /// The instances; `-` reads their ids from stdin. Without ids, the matching instances that have
    /// run or been suspended longest, one per line
    #[arg(value_name = "ID", add = ArgValueCompleter::new(complete::ids))]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// The maximum number of instances, if no ids are given
    #[arg(long, short, default_value_t = 20)]
    pub(crate) limit: usize,
}

#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct History {
    /// The instance
    #[arg(add = ArgValueCompleter::new(complete::ids))]
    pub(crate) id: String,
    /// Wait for new events until the instance has ended
    #[arg(long, short, conflicts_with = "reverse")]
    pub(crate) follow: bool,
    /// The index of the first event
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    pub(crate) from: u64,
    /// Only these kinds of events, such as `TaskScheduled`
    #[arg(long, short, value_delimiter = ',', value_name = "KIND,..")]
    pub(crate) kind: Vec<String>,
    /// Only failures
    #[arg(long)]
    pub(crate) failed: bool,
    /// Only events with this text in their kind or data
    #[arg(long, short, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// The maximum number of events
    #[arg(long, short, value_name = "N", conflicts_with = "follow")]
    pub(crate) limit: Option<usize>,
    /// Show all data of each event
    #[arg(long)]
    pub(crate) full: bool,
    /// Show the newest event first
    #[arg(long)]
    pub(crate) reverse: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Timeline {
    /// The instance
    #[arg(add = ArgValueCompleter::new(complete::ids))]
    pub(crate) id: String,
    /// The width in columns
    #[arg(long, default_value_t = 100)]
    pub(crate) width: usize,
    /// Also show the sub-orchestrations
    #[arg(long)]
    pub(crate) children: bool,
    /// The beginning of the range: 2h (ago), or 2026-01-02T03:04:05Z
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    pub(crate) from: Option<Moment>,
    /// The end of the range
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    pub(crate) to: Option<Moment>,
    /// Only tasks with this text in their name, or the task with this id, such as `t5`
    #[arg(long, value_name = "TEXT")]
    pub(crate) lane: Option<String>,
    /// Only these kinds of tasks: activity, timer, event, child, entityCall, lock, ..
    #[arg(long, value_delimiter = ',', value_name = "KIND,..")]
    pub(crate) lanes: Vec<String>,
    /// Only failures
    #[arg(long)]
    pub(crate) failed: bool,
    /// Only the longest chain of tasks
    #[arg(long)]
    pub(crate) critical: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Start {
    /// The orchestration
    #[arg(add = ArgValueCompleter::new(complete::names))]
    pub(crate) name: String,
    /// The id of the instance; generated by default
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// The input: JSON, @FILE, or - for stdin
    #[arg(long, short, value_name = "JSON")]
    pub(crate) input: Option<String>,
    /// The version; the newest by default
    #[arg(long)]
    pub(crate) version: Option<String>,
    /// A tag; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) tag: Vec<(String, String)>,
    /// When the instance begins: 10m (from now), or 2026-01-02T03:04:05Z
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    pub(crate) at: Option<Moment>,
    /// Succeed if the id is already taken
    #[arg(long, requires = "id")]
    pub(crate) if_absent: bool,
    /// Replace an existing instance with this id if it has one of these statuses
    #[arg(long, value_delimiter = ',', value_name = "STATUS,..", value_parser = status)]
    pub(crate) replace_if: Vec<RuntimeStatus>,
    /// Wait until the instance has ended, and print its output
    #[arg(
        long,
        value_name = "TIME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "365d",
        value_parser = duration
    )]
    pub(crate) wait: Option<Duration>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Wait {
    /// The instances; `-` reads their ids from stdin
    #[arg(value_name = "ID", required = true, add = ArgValueCompleter::new(complete::ids))]
    pub(crate) ids: Vec<String>,
    /// What to wait for
    #[arg(long = "for", value_enum, default_value_t = Until::Completed)]
    pub(crate) until: Until,
    /// Give up after this time
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
    /// The instance has completed; any other end is exit code 5
    Completed,
    /// The instance has begun
    Started,
    /// The instance has ended in any way
    Any,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ResultOf {
    /// The instance
    #[arg(add = ArgValueCompleter::new(complete::ids))]
    pub(crate) id: String,
    /// Wait until the instance has ended
    #[arg(
        long,
        value_name = "TIME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "365d",
        value_parser = duration
    )]
    pub(crate) wait: Option<Duration>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Replay {
    /// A file that `export` wrote, or the id of an instance
    #[arg(value_name = "FILE|ID")]
    pub(crate) history: String,
    /// Also require inputs, times and results to equal the recorded ones
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Diff {
    /// The first instance
    #[arg(add = ArgValueCompleter::new(complete::ids))]
    pub(crate) a: String,
    /// The second instance
    #[arg(add = ArgValueCompleter::new(complete::ids))]
    pub(crate) b: String,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Export {
    /// The instances; `-` reads their ids from stdin. Without ids, all that match the filter
    #[arg(value_name = "ID", add = ArgValueCompleter::new(complete::ids))]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// A folder for one file per instance; without it, one line of JSON per instance
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// Compress with gzip
    #[arg(long)]
    pub(crate) gzip: bool,
}
