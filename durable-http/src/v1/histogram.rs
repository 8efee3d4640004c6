//! A histogram of the times when instances were created, or ended: counts by status in equal time
//! spans.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use durable::RuntimeStatus;
use serde::Serialize;

use super::{Refusal, list};
use crate::call::Call;
use crate::json::{self, Object};
use crate::problem::Problem;

const BUCKETS: usize = 60;
const BUCKETS_MAX: usize = 1000;
/// The maximum number of instances that are read.
const SCANNED_MAX: usize = 100_000;
const PAGE: usize = 1000;

/// Widths of a span, in seconds, that end at round times.
const WIDTHS: [i64; 22] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
    172_800, 604_800, 2_592_000, 31_536_000,
];

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Bucket {
    at: DateTime<Utc>,
    counts: BTreeMap<String, u64>,
}

/// By creation time; with `by=ended`, instances that have ended, by the time when they ended.
pub(super) async fn histogram(call: Call) -> Result<Response, Refusal> {
    let is_by_end = match call.query.get("by") {
        None | Some("created") => false,
        Some("ended") => true,
        Some(other) => {
            let other = other.escape_debug();
            return Err(
                Problem::invalid(format!("`by` is `{other}`; give created or ended")).into()
            );
        }
    };
    let buckets = call.number("buckets")?.unwrap_or(BUCKETS).clamp(1, BUCKETS_MAX);
    let most = call.number("maxScanned")?.unwrap_or(SCANNED_MAX).clamp(1, SCANNED_MAX);
    // What is not read any more is the oldest. The order of ids finds those with a prefix without
    // reading the others.
    let find = list::filter(&call)?.page_size(PAGE);
    let mut find = if call.query.get("prefix").is_some() { find } else { find.newest_first() };
    let (mut found, mut scanned, mut has_more) = (Vec::new(), 0, false);
    loop {
        let page = call.hub().query(&find.clone().max_scanned(PAGE.min(most - scanned))).await?;
        scanned += usize::try_from(page.scanned).unwrap_or(usize::MAX);
        for item in page.items {
            let time = if is_by_end { item.last_updated_at } else { item.created_at };
            if !is_by_end || item.runtime_status.is_finished() {
                found.push((time.to_datetime(), item.runtime_status));
            }
        }
        let Some(next) = page.next else { break };
        if scanned >= most {
            has_more = true;
            break;
        }
        find = find.after(next);
    }
    let bounds = if is_by_end { ["endedFrom", "endedTo"] } else { ["createdFrom", "createdTo"] };
    let from = call.time(bounds[0])?.or_else(|| found.iter().map(|(time, _)| *time).min());
    let now = call.hub().current_utc_datetime();
    let from = from.unwrap_or(now);
    let to = call.time(bounds[1])?.unwrap_or(now).max(from);
    let (seconds, items) = spread(&found, from, to, buckets);
    let body = Object::new()
        .with("seconds", &seconds)
        .with("items", &items)
        .with("scanned", &scanned)
        .with("approximate", &has_more);
    Ok(json::answer(StatusCode::OK, &body))
}

/// The width of a span, and the spans from one that contains `from` to one that contains `to`.
fn spread(
    found: &[(DateTime<Utc>, RuntimeStatus)],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    buckets: usize,
) -> (i64, Vec<Bucket>) {
    let (from, to) = (from.timestamp(), to.timestamp());
    let buckets = i64::try_from(buckets).unwrap_or(1);
    // One span more than asked for, because the ends are rounded.
    let fits = |width: &&i64| to.div_euclid(**width) - from.div_euclid(**width) < buckets;
    let widest = WIDTHS[WIDTHS.len() - 1];
    let width = WIDTHS
        .iter()
        .find(fits)
        .copied()
        .unwrap_or_else(|| ((to - from) / buckets / widest + 1) * widest);
    let first = from.div_euclid(width);
    let count = (to.div_euclid(width) - first + 1).clamp(1, buckets);
    let start = |index: i64| {
        DateTime::from_timestamp((first + index) * width, 0).unwrap_or(DateTime::<Utc>::MIN_UTC)
    };
    let mut items: Vec<_> =
        (0..count).map(|index| Bucket { at: start(index), counts: BTreeMap::new() }).collect();
    for (time, status) in found {
        let index = usize::try_from(time.timestamp().div_euclid(width) - first);
        if let Some(bucket) = index.ok().and_then(|index| items.get_mut(index)) {
            *bucket.counts.entry(status.to_string()).or_default() += 1;
        }
    }
    (width, items)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn spans_have_round_widths_and_contain_every_instance() {
        for span in [0, 1, 59, 61, 3599, 86_400, 100_000_000, 10_000_000_000] {
            let found: Vec<_> =
                (0..=10).map(|i| (at(7 + span * i / 10), RuntimeStatus::Running)).collect();
            for buckets in [1, 2, 60] {
                let (width, items) = spread(&found, at(7), at(7 + span), buckets);
                assert!(items.len() <= buckets, "{span} {buckets}: {}", items.len());
                assert!(items.iter().all(|it| it.at.timestamp() % width == 0));
                let counted: u64 = items.iter().flat_map(|it| it.counts.values()).sum();
                // One span cannot contain two that meet at its end.
                assert!(counted == 11 || buckets == 1, "{span} {buckets}: {counted}");
            }
        }
    }
}
