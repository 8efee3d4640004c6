//! Options of every command: the hub, the form of the output, and confirmations.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::time::duration;

#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// The address of a hub: `http://host:port` or `unix:/path` (also `DURABLE_HUB`)
    #[arg(long, global = true, value_name = "URL", help_heading = "Hub")]
    pub(crate) hub: Option<String>,
    /// The folder of a hub
    #[arg(
        long,
        global = true,
        value_name = "FOLDER",
        conflicts_with = "hub",
        help_heading = "Hub"
    )]
    pub(crate) path: Option<PathBuf>,
    /// A hub named in the configuration file (also `DURABLE_PROFILE`)
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        conflicts_with_all = ["hub", "path"],
        help_heading = "Hub"
    )]
    pub(crate) profile: Option<String>,
    /// The output format
    #[arg(short, long, global = true, value_enum, default_value_t, help_heading = "Output")]
    pub(crate) output: Format,
    /// Only these fields of the JSON, such as `instanceId,runtimeStatus`
    #[arg(long, global = true, value_delimiter = ',', value_name = "A,B", help_heading = "Output")]
    pub(crate) fields: Vec<String>,
    /// The format of times
    #[arg(long, global = true, value_enum, default_value_t, help_heading = "Output")]
    pub(crate) time_format: TimeFormat,
    /// Write times in UTC
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) utc: bool,
    /// When to use colors; never if `NO_COLOR` is set
    #[arg(long, global = true, value_enum, default_value_t, help_heading = "Output")]
    pub(crate) color: Color,
    /// Repeat list, count, get, pending, tree, locks, top and `activity list` at this interval
    #[arg(
        long,
        global = true,
        value_name = "INTERVAL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2s",
        value_parser = duration,
        help_heading = "Output"
    )]
    pub(crate) watch: Option<Duration>,
    /// Do not ask for confirmation
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    #[default]
    Table,
    /// More columns
    Wide,
    /// The JSON of the API
    Json,
    /// The JSON of each item on a line of its own
    Jsonl,
    Yaml,
    /// Only ids, for other commands
    Name,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TimeFormat {
    /// Relative to now: `5m12s ago`
    #[default]
    Human,
    Iso,
    /// Seconds since 1970
    Unix,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal
    #[default]
    Auto,
    Always,
    Never,
}
