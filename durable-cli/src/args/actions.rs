//! Arguments of the operations on instances.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::Filter;
use crate::complete;

/// The instances that an operation acts on: ids, or a filter.
#[derive(Debug, Args)]
pub(crate) struct Selected {
    /// Ids; `-` reads them from stdin. Without ids, a batch acts on all instances that match the
    /// filter
    #[arg(value_name = "ID", add = ArgValueCompleter::new(complete::ids))]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Only count the instances that match the filter, and list the first ones
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The maximum number of matching instances per second
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) rps: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Steered {
    #[command(flatten)]
    pub(crate) selected: Selected,
    /// The reason; by default user@host
    #[arg(long, short)]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Terminate {
    #[command(flatten)]
    pub(crate) steered: Steered,
    /// Also terminate the sub-orchestrations that the instances wait for
    #[arg(long)]
    pub(crate) recursive: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Restart {
    #[command(flatten)]
    pub(crate) selected: Selected,
    /// Use a new id, which is generated unless it is given
    #[arg(long, value_name = "ID", num_args = 0..=1, require_equals = true)]
    #[expect(clippy::option_option, reason = "the option may have no value")]
    pub(crate) new_id: Option<Option<String>>,
}

#[derive(Debug, Args)]
pub(crate) struct Purge {
    #[command(flatten)]
    pub(crate) selected: Selected,
    /// Also remove the sub-orchestrations
    #[arg(long)]
    pub(crate) recursive: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Raise {
    /// The instance
    #[arg(add = ArgValueCompleter::new(complete::ids))]
    pub(crate) id: String,
    /// The name of the event
    #[arg(add = ArgValueCompleter::new(complete::events))]
    pub(crate) event: String,
    /// The payload: JSON, @FILE, or - for stdin
    #[arg(long, short, value_name = "JSON")]
    pub(crate) input: Option<String>,
}
