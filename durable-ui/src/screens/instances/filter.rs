//! The filter of the list: the query of its address, the query of the API, and the command.

use chrono::{DateTime, TimeDelta, Utc};
use durable::RuntimeStatus;

use crate::api::Failure;
use crate::format;
use crate::frame::quoted;
use crate::parts::word;
use crate::query::Query;

/// Statuses in the order of the chips.
pub(crate) const STATUSES: [RuntimeStatus; 6] = [
    RuntimeStatus::Running,
    RuntimeStatus::Pending,
    RuntimeStatus::Suspended,
    RuntimeStatus::Failed,
    RuntimeStatus::Completed,
    RuntimeStatus::Terminated,
];

/// The columns of the table that can be left out: their names in the address, and their headings.
pub(crate) const COLUMNS: [(&str, &str); 6] = [
    ("name", "Name"),
    ("remark", "Custom status or error"),
    ("created", "Created"),
    ("updated", "Updated"),
    ("duration", "Duration"),
    ("tags", "Tags"),
];

/// Rows of a page.
const LIMIT: usize = 50;
const LIMIT_MAX: usize = 500;

/// Which instances are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) statuses: Vec<RuntimeStatus>,
    pub(crate) name: Option<String>,
    pub(crate) prefix: Option<String>,
    /// Each `key:value`.
    pub(crate) tags: Vec<String>,
    /// As they were given: `-1h`, or RFC 3339.
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) created_from: Option<DateTime<Utc>>,
    pub(crate) created_to: Option<DateTime<Utc>>,
    /// A part of the message of the failure.
    pub(crate) failed_with: Option<String>,
    pub(crate) order: Order,
    pub(crate) limit: usize,
    /// The names of the columns to show; all columns if empty.
    pub(crate) columns: Vec<String>,
}

/// How the instances are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Newest,
    Oldest,
    /// The order that finds ids with a prefix without reading the others.
    Id,
}

impl Order {
    /// As a parameter of the page and of the API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Newest => "-created",
            Self::Oldest => "created",
            Self::Id => "id",
        }
    }
}

/// A condition that can be removed.
#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) subject: &'static str,
    pub(crate) relation: &'static str,
    pub(crate) value: String,
    /// The query without the condition.
    pub(crate) without: Query,
}

impl Filter {
    /// # Errors
    /// If the query has an invalid value.
    pub(crate) fn read(query: &Query, now: DateTime<Utc>) -> Result<Self, Failure> {
        let status = |text: &str| {
            let found = STATUSES.into_iter().find(|it| word(*it).eq_ignore_ascii_case(text));
            found.ok_or_else(|| Failure::invalid(format!("There is no status `{text}`.")))
        };
        if let Some(tag) = query.all("tag").find(|tag| !tag.contains(':')) {
            return Err(Failure::invalid(format!("`tag` is `{tag}`; write key:value.")));
        }
        let text = |name: &str| query.get(name).map(|it| it.trim().to_owned());
        let limit = match query.get("limit").map(str::parse) {
            None => LIMIT,
            Some(Ok(limit)) if (1..=LIMIT_MAX).contains(&limit) => limit,
            Some(_) => {
                return Err(Failure::invalid(format!(
                    "`limit` is a number from 1 to {LIMIT_MAX}."
                )));
            }
        };
        Ok(Self {
            statuses: query.list("status").into_iter().map(status).collect::<Result<_, _>>()?,
            name: text("name"),
            prefix: text("prefix"),
            tags: query.all("tag").map(str::to_owned).collect(),
            created_from: moment("from", text("from").as_deref(), now)?,
            created_to: moment("to", text("to").as_deref(), now)?,
            from: text("from"),
            to: text("to"),
            failed_with: text("failedWith"),
            order: order(query)?,
            limit,
            columns: query.list("columns").into_iter().map(column).collect::<Result<_, _>>()?,
        })
    }

    /// Whether the table has a column.
    pub(crate) fn shows(&self, column: &str) -> bool {
        self.columns.is_empty() || self.columns.iter().any(|it| it == column)
    }

    /// Whether only running instances are listed, oldest first. Stuck instances are among them.
    pub(crate) fn is_longest_running(&self) -> bool {
        self.order == Order::Oldest && self.statuses == [RuntimeStatus::Running]
    }

    pub(crate) fn has(&self, status: RuntimeStatus) -> bool {
        self.statuses.contains(&status)
    }

    /// The same filter as parameters of the API.
    pub(crate) fn api(&self) -> Query {
        let mut query = Query::default();
        if !self.statuses.is_empty() {
            let names: Vec<_> = self.statuses.iter().map(ToString::to_string).collect();
            query = query.and("status", names.join(","));
        }
        for (name, value) in [("name", &self.name), ("prefix", &self.prefix)] {
            if let Some(value) = value {
                query = query.and(name, value);
            }
        }
        for tag in &self.tags {
            query = query.and("tag", tag);
        }
        if let Some(text) = &self.failed_with {
            query = query.and("failedWith", text);
        }
        for (name, time) in [("createdFrom", self.created_from), ("createdTo", self.created_to)] {
            if let Some(time) = time {
                query = query.and(name, format::rfc3339(time));
            }
        }
        query
    }

    /// The same filter and order as parameters of the list.
    pub(crate) fn list(&self) -> Query {
        self.api().and("sort", self.order.name())
    }

    /// The same filter as the `query` of a batch.
    pub(crate) fn batch(&self) -> serde_json::Value {
        let tags: serde_json::Map<_, _> = self
            .tags
            .iter()
            .filter_map(|tag| tag.split_once(':'))
            .map(|(key, value)| (key.to_owned(), value.into()))
            .collect();
        let statuses: Vec<_> = self.statuses.iter().map(ToString::to_string).collect();
        serde_json::json!({
            "name": self.name,
            "status": statuses,
            "prefix": self.prefix,
            "tags": tags,
            "createdFrom": self.created_from,
            "createdTo": self.created_to,
            "failedWith": self.failed_with,
        })
    }

    /// The conditions besides the statuses, each with the query without it.
    pub(crate) fn conditions(&self, query: &Query) -> Vec<Condition> {
        let query = query.without("after");
        let condition = |subject, relation, value: &str, without| Condition {
            subject,
            relation,
            value: value.to_owned(),
            without,
        };
        let mut all = Vec::new();
        if let Some(name) = &self.name {
            all.push(condition("name", "is", name, query.without("name")));
        }
        for tag in &self.tags {
            let others = self.tags.iter().filter(|other| *other != tag);
            let without = others.fold(query.without("tag"), |query, tag| query.and("tag", tag));
            all.push(condition("tag", "is", &tag.replacen(':', "=", 1), without));
        }
        if let Some(from) = &self.from {
            let (relation, value) = match from.strip_prefix('-') {
                Some(span) => ("in the last", span),
                None => ("since", from.as_str()),
            };
            all.push(condition("created", relation, value, query.without("from")));
        }
        if let Some(to) = &self.to {
            all.push(condition("created", "before", to, query.without("to")));
        }
        if let Some(text) = &self.failed_with {
            all.push(condition("failure", "contains", text, query.without("failedWith")));
        }
        all
    }

    /// The same filter as options of a command.
    pub(crate) fn options(&self) -> String {
        let mut words = String::new();
        let mut add = |option: &str, value: &str| {
            words.extend([" --", option, " ", &quoted(value)]);
        };
        if !self.statuses.is_empty() {
            let names: Vec<_> = self.statuses.iter().map(|status| word(*status)).collect();
            add("status", &names.join(","));
        }
        if let Some(name) = &self.name {
            add("name", name);
        }
        for tag in &self.tags {
            add("tag", &tag.replacen(':', "=", 1));
        }
        if let Some(prefix) = &self.prefix {
            add("prefix", prefix);
        }
        for (option, given, time) in
            [("since", &self.from, self.created_from), ("until", &self.to, self.created_to)]
        {
            match (given.as_deref().and_then(|it| it.strip_prefix('-')), time) {
                (Some(span), _) => add(option, span),
                (None, Some(time)) => add(option, &format::rfc3339(time)),
                (None, None) => {}
            }
        }
        if let Some(text) = &self.failed_with {
            add("failed-with", text);
        }
        words
    }
}

fn column(text: &str) -> Result<String, Failure> {
    if COLUMNS.iter().any(|(name, _)| *name == text) {
        return Ok(text.to_owned());
    }
    let names = COLUMNS.map(|(name, _)| name).join(", ");
    Err(Failure::invalid(format!("There is no column `{text}`; give some of {names}.")))
}

fn order(query: &Query) -> Result<Order, Failure> {
    let known = [Order::Newest, Order::Oldest, Order::Id];
    match query.get("sort") {
        None if query.get("prefix").is_some() => Ok(Order::Id),
        None => Ok(Order::Newest),
        Some(given) => known
            .into_iter()
            .find(|order| order.name() == given)
            .ok_or_else(|| Failure::invalid("`sort` is created, -created or id.")),
    }
}

/// `-90m`, `-1h`, `-7d`, or a date and time.
fn moment(
    name: &str,
    text: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Failure> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let invalid = || {
        let text = format::cut(text, 40);
        Failure::invalid(format!("`{name}` is `{text}`; write -1h, -7d or 2026-01-02T03:04:05Z."))
    };
    if let Some(span) = text.strip_prefix('-') {
        let (number, unit) =
            span.split_at_checked(span.len().saturating_sub(1)).ok_or_else(invalid)?;
        let number: u32 = number.parse().map_err(|_| invalid())?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(invalid()),
        };
        let span = TimeDelta::seconds(i64::from(number) * seconds);
        return Ok(Some(now.checked_sub_signed(span).unwrap_or(DateTime::UNIX_EPOCH)));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(Some(time.to_utc()));
    }
    // What a field for date and time of a browser sends.
    let local = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let parse = |format: &&str| chrono::NaiveDateTime::parse_from_str(text, format).ok();
    let time = local.iter().find_map(parse).ok_or_else(invalid)?;
    Ok(Some(time.and_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Filter, Failure> {
        let now = "2026-11-28T14:32:08Z".parse().unwrap();
        Filter::read(&Query::parse(Some(text)), now)
    }

    #[test]
    fn the_address_becomes_a_query_of_the_api_and_a_command() {
        let filter = read(
            "status=failed,running&name=check+out&tag=region:eu&prefix=o&from=-1h&failedWith=503",
        )
        .unwrap();
        assert_eq!(
            filter.api().to_string(),
            "?status=Failed,Running&name=check%20out&prefix=o&tag=region:eu\
             &failedWith=503&createdFrom=2026-11-28T13:32:08Z"
        );
        assert_eq!(
            filter.options(),
            " --status failed,running --name 'check out' --tag region=eu --prefix o --since 1h \
             --failed-with 503"
        );
        assert_eq!(
            read("from=2026-11-28T13:32&to=-1h").unwrap().options(),
            " --since 2026-11-28T13:32:00Z --until 1h"
        );
    }

    #[test]
    fn a_prefix_is_found_in_the_order_of_ids_unless_another_is_asked_for() {
        let order = |text| read(text).unwrap().order;
        assert_eq!(order(""), Order::Newest);
        assert_eq!(order("prefix=o"), Order::Id);
        assert_eq!(order("prefix=o&sort=-created"), Order::Newest);
        assert_eq!(order("sort=created"), Order::Oldest);
        assert!(read("sort=-created").unwrap().list().to_string().ends_with("?sort=-created"));
    }

    #[test]
    fn each_condition_can_be_removed() {
        let query = Query::parse(Some("tag=a:b&tag=c:d&from=-7d&after=x"));
        let filter = Filter::read(&query, DateTime::UNIX_EPOCH).unwrap();
        let left: Vec<_> =
            filter.conditions(&query).iter().map(|it| it.without.to_string()).collect();
        assert_eq!(left, ["?from=-7d&tag=c:d", "?from=-7d&tag=a:b", "?tag=a:b&tag=c:d"]);
    }

    #[test]
    fn a_value_that_means_nothing_is_refused() {
        for text in [
            "status=lost",
            "tag=x",
            "from=-1",
            "from=-",
            "from=1h",
            "limit=0",
            "sort=x",
            "columns=x",
        ] {
            let failure = read(text).unwrap_err();
            assert_eq!(failure.status.as_u16(), 400, "{text}");
        }
        let longest = read("from=-99999999d").unwrap();
        assert_eq!(longest.created_from, Some(DateTime::UNIX_EPOCH));
    }
}
