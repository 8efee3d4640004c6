//! The overview: the number of instances, what fails, what runs longest, and what is due.

mod tables;

use chrono::{DateTime, TimeDelta, Utc};
use durable::RuntimeStatus;
use durable_http::client::{
    Histogram, HistogramBucket, InstanceCount, PendingWork, RunningActivity,
};
use maud::{Markup, html};

use crate::api::{Failure, model};
use crate::call::{Call, View};
use crate::format;
use crate::frame::{Command, Page, Place};
use crate::parts::{Bar, Chart, Series, commit_latency, facts, section, status_link, ticks, word};
use crate::query::Query;
use crate::screens::waits;

/// Statuses in the order of the counts.
const STATUSES: [RuntimeStatus; 6] = [
    RuntimeStatus::Running,
    RuntimeStatus::Pending,
    RuntimeStatus::Suspended,
    RuntimeStatus::Failed,
    RuntimeStatus::Completed,
    RuntimeStatus::Terminated,
];

/// The ranges of the charts: label, parameter and length.
const RANGES: [(&str, &str, TimeDelta); 3] = [
    ("1 h", "1h", TimeDelta::hours(1)),
    ("24 h", "24h", TimeDelta::hours(24)),
    ("7 d", "7d", TimeDelta::days(7)),
];

const BARS: usize = 96;
/// The maximum number of instances that are read for a chart, the newest first.
const COUNTED: usize = 5_000;
/// The number of instances that each count and list of a whole page reads: reading 100,000 takes
/// about 0.5 s. A fragment reads all, so if there are more, the page's script requests a fragment
/// at once.
const READ_FIRST: usize = 2_000;
const ROWS: usize = 5;
/// The number of longest-running instances that are listed; what each waits for is requested, too.
const OLDEST: usize = 8;
/// The maximum number of requests for a search; each reads up to 10,000 instances.
const REQUESTS: usize = 20;
/// The time between two fetches of a fragment by an open page, in milliseconds; longer if a fetch
/// is slow.
const EVERY: u32 = 1_000;
const FIELDS: &str =
    "instanceId,name,version,runtimeStatus,createdAt,lastUpdatedAt,suspension,failure";

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) range: usize,
    pub(crate) counts: InstanceCount,
    /// By creation time and by end time; `None` in a fragment.
    pub(crate) charts: Option<[Histogram; 2]>,
    /// The longest-running instances, with what they wait for.
    pub(crate) oldest: Vec<(model::Instance, Option<PendingWork>)>,
    pub(crate) activities: Vec<RunningActivity>,
    /// Whether it is the first answer of several.
    pub(crate) is_first: bool,
    /// Whether there are instances that were not read.
    pub(crate) is_cut: bool,
    pub(crate) suspended: Vec<model::Instance>,
    pub(crate) failed: Vec<model::Instance>,
    pub(crate) schedules: Vec<model::Schedule>,
    pub(crate) hub: model::Hub,
}

pub(crate) async fn answer(call: &Call) -> Result<Page, Failure> {
    let given = call.query.get("r").unwrap_or(RANGES[1].1);
    let range = RANGES.iter().position(|(_, name, _)| *name == given);
    let range = range.ok_or_else(|| Failure::invalid("`r` is 1h, 24h or 7d."))?;
    let model = fetch(call, range).await?;
    let page = Page::new("Overview", Place::Overview, screen(&call.view, &model));
    let page = page.follows_hub("").refreshes_every(EVERY).partial(model.is_first && model.is_cut);
    Ok(page.commands([
        Command::get("Counts", "durable count --by status", "instances:count?groupBy=status"),
        Command::get(
            "Running longest, and what they wait for",
            "durable pending --status running --limit 8",
            "instances?status=Running&limit=8&sort=created",
        ),
        Command::get(
            "Last failures",
            "durable list --status failed --limit 5",
            "instances?status=Failed&limit=5&sort=-created&fields=instanceId,failure",
        ),
        Command::get("Running activities", "durable activity list", "running"),
        Command::get("Schedules", "durable schedule list", "schedules"),
        Command::get("Hub", "durable hub", "hub"),
    ]))
}

/// The first instances of a status in an order, and whether the search ended before it found all.
async fn search(
    call: &Call,
    (status, sort, rows): (&str, &str, usize),
    is_first: bool,
) -> Result<(Vec<model::Instance>, bool), Failure> {
    let mut query = Query::default().with("status", status).with("limit", rows);
    query = query.with("sort", sort).with("fields", FIELDS);
    if is_first {
        query = query.with("maxScanned", READ_FIRST);
    }
    let mut items = Vec::new();
    for _request in 0..if is_first { 1 } else { REQUESTS } {
        let page: model::Items<model::Instance> = call.api.get("instances", &query).await?;
        items.extend(page.items);
        items.truncate(rows);
        match page.next {
            Some(next) if items.len() < rows => query = query.with("after", next),
            _ => return Ok((items, false)),
        }
    }
    Ok((items, true))
}

async fn fetch(call: &Call, range: usize) -> Result<Model, Failure> {
    let api = &call.api;
    let is_first = call.fragment().is_none() && call.query.get("all").is_none();
    let charts = match call.fragment() {
        Some(_) => None,
        None => {
            let from = format::rfc3339(call.view.now - RANGES[range].2);
            let query = Query::default().with("buckets", BARS).with("maxScanned", COUNTED);
            let created = query.clone().with("createdFrom", &from);
            let ended = query.with("endedFrom", &from).with("by", "ended");
            Some([
                api.get("instances:histogram", &created).await?,
                api.get("instances:histogram", &ended).await?,
            ])
        }
    };
    let all = Query::default().with("limit", 1000);
    let schedules: model::Items<model::Schedule> = api.get("schedules", &all).await?;
    let activities: model::Items<RunningActivity> = api.get("running", &Query::default()).await?;
    let (oldest, has_older) = search(call, ("Running", "created", OLDEST), is_first).await?;
    let mut waiting = Vec::new();
    for item in oldest {
        let pending = waits::pending(call, &item.instance_id).await;
        // To find out what it waits for, the hub has replayed it, which may have suspended it.
        if pending.as_ref().is_none_or(|it| it.status.runtime_status == RuntimeStatus::Running) {
            waiting.push((item, pending));
        }
    }
    let mut by_status = Query::default().with("groupBy", "status");
    if is_first {
        by_status = by_status.with("maxScanned", READ_FIRST);
    }
    let counts: InstanceCount = api.get("instances:count", &by_status).await?;
    let found = async |status: &str| {
        let has_some = counts.groups.as_ref().is_some_and(|groups| groups.contains_key(status));
        if !has_some && !counts.approximate {
            return Ok((Vec::new(), false));
        }
        search(call, (status, "-created", ROWS), is_first).await
    };
    let (suspended, has_suspended) = found("Suspended").await?;
    let (failed, has_failed) = found("Failed").await?;
    let is_cut = counts.approximate || has_older || has_suspended || has_failed;
    Ok(Model {
        range,
        counts,
        charts,
        oldest: waiting,
        activities: activities.items,
        is_first,
        is_cut,
        suspended,
        failed,
        schedules: schedules.items,
        hub: api.get("hub", &Query::default()).await?,
    })
}

pub(crate) fn screen(view: &View, model: &Model) -> Markup {
    html! {
        div.head {
            h1 { "Overview" }
            span.sp {}
            nav.seg aria-label="Range of the charts" {
                @for (index, (label, name, _)) in RANGES.iter().enumerate() {
                    a href=(view.links.page("", &Query::default().with("r", name)))
                        aria-current=[(index == model.range).then_some("true")] { (label) }
                }
            }
        }
        (counts(view, model))
        @if let Some([created, ended]) = &model.charts {
            div.cols.c3 {
                (chart(view, "started", "Started", created, &SERIES[..1], |_| true))
                (chart(view, "ended", "Ended", ended, &SERIES[1..2], |status| status != "Failed"))
                (chart(view, "failing", "Failed", ended, &SERIES[2..], |status| status == "Failed"))
            }
        }
        (tables::oldest(view, &model.oldest, model.is_cut))
        (tables::suspended(view, &model.suspended))
        (tables::failed(view, &model.failed, model.is_cut))
        div.cols {
            (tables::activities(&model.activities, view))
            (tables::schedules(view, &model.schedules))
        }
        (hub(view, &model.hub))
    }
}

fn counts(view: &View, model: &Model) -> Markup {
    // At least so many.
    let more = if model.counts.approximate { "+" } else { "" };
    let all = (model.is_first && model.is_cut).then(|| {
        let query = Query::default().with("r", RANGES[model.range].1).with("all", 1);
        view.links.page("", &query)
    });
    html! {
        section #counts aria-label="Instances by status" data-part {
            div.stats {
                @for status in STATUSES {
                    @let groups = model.counts.groups.as_ref();
                    @let count = groups.and_then(|it| it.get(&status.to_string())).copied().unwrap_or(0);
                    @let link = view.links.instances("status", word(status));
                    (status_link(status, &format!("{}{more}", format::count(count)), &link))
                }
            }
            // The script reads them at once.
            @if let Some(all) = all {
                noscript {
                    p.q {
                        "Of all instances, " (format::count(READ_FIRST as u64)) " were read. "
                        a href=(all) { "Read all" }
                    }
                }
            }
        }
    }
}

const SERIES: [Series; 3] = [
    Series { class: "f-run", name: "Started" },
    Series { class: "f-ok", name: "Ended" },
    Series { class: "f-fail", name: "Failed" },
];

fn chart(
    view: &View,
    id: &str,
    heading: &str,
    histogram: &Histogram,
    series: &[Series],
    counts: impl Fn(&str) -> bool,
) -> Markup {
    let count = |bucket: &HistogramBucket| -> u64 {
        bucket.counts.iter().filter(|(status, _)| counts(status)).map(|(_, count)| count).sum()
    };
    let bars: Vec<_> = histogram
        .items
        .iter()
        .map(|bucket| Bar {
            counts: vec![count(bucket)],
            title: format!("{}: {}", format::exact(bucket.at), format::count(count(bucket))),
            link: None,
        })
        .collect();
    let total: u64 = histogram.items.iter().map(count).sum();
    let peak = histogram.items.iter().map(count).max().unwrap_or(0);
    let span = TimeDelta::seconds(i64::try_from(histogram.seconds).unwrap_or(1));
    // Older ones were not counted.
    let more = if histogram.approximate { "+" } else { "" };
    let label = format!(
        "{heading}: {}{more}, at most {} in {}",
        format::count(total),
        format::count(peak),
        format::span(span)
    );
    let chart = Chart { label, series, bars, height: 56, ticks: ticks(view, histogram), lines: 0 };
    html! {
        section aria-labelledby=(id) {
            div.row {
                h2 #(id) { (heading) }
                span.sp {}
                span { b { (format::count(total)) (more) } }
                span.q { "peak " (format::count(peak)) " in " (format::span(span)) }
            }
            (chart.draw())
        }
    }
}

fn hub(view: &View, hub: &model::Hub) -> Markup {
    let size = |bytes: u64| html! { (format::bytes(bytes)) };
    let mut known = Vec::new();
    if hub.disk_bytes > 0 {
        known.push(("Disk", size(hub.disk_bytes)));
    }
    if hub.memory_bytes > 0 {
        known.push(("Memory", size(hub.memory_bytes)));
    }
    known.extend(hub.commits.as_ref().map(|commits| ("Commits", commit_latency(commits))));
    known.push(("Partitions", html! { (hub.partitions) }));
    known.push(("Version", html! { span.m { "durable " (hub.version) } }));
    let details = html! { a href=(view.links.to("hub")) { "Details" } };
    section("hub-h", "Hub", &details, &facts(&known))
}

/// How long until a time; a time that has passed is due now.
fn until(view: &View, at: DateTime<Utc>) -> String {
    if at <= view.now { "now".to_owned() } else { format::duration(at - view.now) }
}
