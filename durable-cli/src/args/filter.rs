//! The filter of instances, which lists, counts, batches and exports share.

use chrono::{DateTime, Utc};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use durable::RuntimeStatus;
use durable::protocol::Json;
use durable_http::client::InstanceFilter;

use crate::complete;
use crate::time::Moment;

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Filter {
    /// Only these statuses: pending, running, suspended, completed, failed, terminated
    #[arg(
        long,
        short,
        value_delimiter = ',',
        value_name = "STATUS,..",
        value_parser = status,
        help_heading = "Filter",
        add = ArgValueCompleter::new(complete::status)
    )]
    pub(crate) status: Vec<RuntimeStatus>,
    /// Only this orchestration
    #[arg(long, short, help_heading = "Filter", add = ArgValueCompleter::new(complete::names))]
    pub(crate) name: Option<String>,
    /// Only ids that begin with this text
    #[arg(long, help_heading = "Filter")]
    pub(crate) prefix: Option<String>,
    /// Only this tag; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag, help_heading = "Filter")]
    pub(crate) tag: Vec<(String, String)>,
    /// Created at this time or later: 2h (ago), or 2026-01-02T03:04:05Z
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, help_heading = "Filter")]
    pub(crate) since: Option<Moment>,
    /// Created before this time
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, help_heading = "Filter")]
    pub(crate) until: Option<Moment>,
    /// Ended at this time or later
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, help_heading = "Filter")]
    pub(crate) ended_since: Option<Moment>,
    /// Ended before this time
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, help_heading = "Filter")]
    pub(crate) ended_until: Option<Moment>,
    /// Only this custom status: JSON, or text
    #[arg(long, value_name = "JSON", help_heading = "Filter")]
    pub(crate) custom_status: Option<String>,
    /// Only failures with this text in their message or in the message of one of their causes
    #[arg(long, value_name = "TEXT", help_heading = "Filter")]
    pub(crate) failed_with: Option<String>,
}

impl Filter {
    pub(crate) fn is_empty(&self) -> bool {
        self.instances(DateTime::UNIX_EPOCH) == InstanceFilter::new()
    }

    pub(crate) fn instances(&self, now: DateTime<Utc>) -> InstanceFilter {
        let mut filter = InstanceFilter::new();
        filter.name.clone_from(&self.name);
        filter.status.clone_from(&self.status);
        filter.prefix.clone_from(&self.prefix);
        filter.tags = self.tag.iter().cloned().collect();
        let before = |moment: &Option<Moment>| moment.as_ref().map(|moment| moment.before(now));
        filter.created_from = before(&self.since);
        filter.created_to = before(&self.until);
        filter.ended_from = before(&self.ended_since);
        filter.ended_to = before(&self.ended_until);
        filter.failed_with.clone_from(&self.failed_with);
        filter.custom_status = self.custom_status.as_ref().map(|text| {
            Json::parse(text).unwrap_or_else(|_| {
                let quoted = serde_json::Value::from(text.as_str()).to_string();
                Json::parse(&quoted).unwrap_or_else(|_| Json::null())
            })
        });
        filter
    }
}

pub(crate) fn status(text: &str) -> Result<RuntimeStatus, String> {
    let mut name = text.to_lowercase();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    serde_json::from_value(name.into()).map_err(|_| {
        format!(
            "`{text}` is not a status; give pending, running, suspended, completed, failed or \
             terminated"
        )
    })
}

pub(crate) fn tag(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    pair.ok_or_else(|| format!("`{text}` is not a tag; write `key=value`"))
}
