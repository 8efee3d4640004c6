//! The parameters of lists and of purges by filter.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use durable::RuntimeStatus;
use durable::client::{InstanceQuery, PageToken};

use crate::call::Call;
use crate::problem::Problem;
use crate::query::Query;
use crate::time;

/// The beginning of every continuation token. A later form of tokens gets another number.
const TOKEN: &str = "1:";

/// The number of items of an answer: the default, and the maximum.
const TOP: usize = 100;
const TOP_MAX: usize = 1000;

/// The header with the token, in requests and answers.
pub(super) const CONTINUATION: &str = "x-ms-continuation-token";

/// The names and numbers of statuses in Durable Functions.
const STATUSES: [(&str, &str, Option<RuntimeStatus>); 8] = [
    ("Running", "0", Some(RuntimeStatus::Running)),
    ("Completed", "1", Some(RuntimeStatus::Completed)),
    ("ContinuedAsNew", "2", None),
    ("Failed", "3", Some(RuntimeStatus::Failed)),
    ("Canceled", "4", None),
    ("Terminated", "5", Some(RuntimeStatus::Terminated)),
    ("Pending", "6", Some(RuntimeStatus::Pending)),
    ("Suspended", "7", Some(RuntimeStatus::Suspended)),
];

/// The requested statuses.
#[derive(Debug, Default)]
pub(super) struct Statuses {
    known: Vec<RuntimeStatus>,
    /// Whether a requested status does not exist in this library.
    has_other: bool,
    pub(super) unknown: Vec<String>,
}

impl Statuses {
    pub(super) fn of(query: &Query) -> Self {
        let mut statuses = Self::default();
        for given in query.list("runtimeStatus") {
            let known = STATUSES.iter().find(|(name, number, _)| [*name, *number].contains(&given));
            match known {
                Some((_, _, Some(status))) => statuses.known.push(*status),
                Some((_, _, None)) => statuses.has_other = true,
                None => statuses.unknown.push(given.to_owned()),
            }
        }
        statuses
    }

    /// The query for these statuses; `None` if no instance can have any of them.
    pub(super) fn apply(self, query: InstanceQuery) -> Option<InstanceQuery> {
        if self.known.is_empty() && self.has_other {
            return None;
        }
        Some(self.known.into_iter().fold(query, InstanceQuery::status))
    }

    pub(super) fn names() -> String {
        STATUSES.map(|(name, _, _)| name).join(", ")
    }
}

/// A time in a filter. Text that is not a time is ignored.
pub(super) fn from(query: &Query, name: &str) -> Option<DateTime<Utc>> {
    time::parse(query.get(name)?)
}

/// Like [`from`], for the end of a range, which the range includes.
pub(super) fn to(query: &Query, name: &str) -> Option<DateTime<Utc>> {
    from(query, name)?.checked_add_signed(TimeDelta::microseconds(1))
}

pub(super) fn top(query: &Query) -> usize {
    let top = query.get("top").and_then(|top| top.trim().parse().ok());
    top.filter(|top| *top > 0).map_or(TOP, |top: usize| top.min(TOP_MAX))
}

/// The position from which the client continues.
pub(super) fn continuation(call: &Call) -> Result<Option<PageToken>, Problem> {
    let Some(token) = call.header(CONTINUATION).map(str::trim).filter(|it| !it.is_empty()) else {
        return Ok(None);
    };
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        text.strip_prefix(TOKEN)?.parse::<PageToken>().ok()
    };
    let invalid = || Problem::invalid(format!("the header `{CONTINUATION}` is not from an answer"));
    read().map(Some).ok_or_else(invalid)
}

/// The header of an answer; empty at the end.
pub(super) fn token(next: Option<PageToken>) -> String {
    next.map(|next| URL_SAFE_NO_PAD.encode(format!("{TOKEN}{next}"))).unwrap_or_default()
}
