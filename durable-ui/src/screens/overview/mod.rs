//! The overview: how many instances there are, what fails, what runs longest, and what is due.

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
use crate::parts::{Bar, Chart, Series, facts, section, status_link, ticks, word};
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

/// What the charts show: label, parameter and length.
const RANGES: [(&str, &str, TimeDelta); 3] = [
    ("1 h", "1h", TimeDelta::hours(1)),
    ("24 h", "24h", TimeDelta::hours(24)),
    ("7 d", "7d", TimeDelta::days(7)),
];

const BARS: usize = 96;
/// Instances that are read for a chart; the newest ones.
const COUNTED: usize = 5_000;
const ROWS: usize = 5;
/// Rows of those that run longest; what each waits for is asked for, too.
const OLDEST: usize = 8;
const FIELDS: &str =
    "instanceId,name,version,runtimeStatus,createdAt,lastUpdatedAt,suspension,failure";

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) range: usize,
    pub(crate) counts: InstanceCount,
    /// By time created, and by time ended; `None` in a fragment.
    pub(crate) charts: Option<[Histogram; 2]>,
    /// Those that have run longest, with what they wait for.
    pub(crate) oldest: Vec<(model::Instance, Option<PendingWork>)>,
    pub(crate) activities: Vec<RunningActivity>,
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
    // Counting 100,000 instances takes about 0.5 s: an open page keeps the hub busy for at most a tenth of
    // the time.
    let every = u32::try_from(model.counts.scanned / 20).unwrap_or(u32::MAX).clamp(1000, 60_000);
    Ok(page.follows_hub("").refreshes_every(every).commands([
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

async fn fetch(call: &Call, range: usize) -> Result<Model, Failure> {
    let api = &call.api;
    let list = async |status: &str, sort: &str, rows: usize| {
        let query = Query::default().with("status", status).with("limit", rows);
        let query = query.with("sort", sort).with("fields", FIELDS);
        let page: model::Items<model::Instance> = api.get("instances", &query).await?;
        Ok::<_, Failure>(page.items)
    };
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
    let by_status = Query::default().with("groupBy", "status");
    let all = Query::default().with("limit", 1000);
    let schedules: model::Items<model::Schedule> = api.get("schedules", &all).await?;
    let activities: model::Items<RunningActivity> = api.get("running", &Query::default()).await?;
    let oldest: Vec<model::Instance> = list("Running", "created", OLDEST).await?;
    let mut waiting = Vec::new();
    for item in oldest {
        let pending = waits::pending(call, &item.instance_id).await;
        // To find out what it waits for, the hub has replayed it, which may have suspended it.
        if pending.as_ref().is_none_or(|it| it.status.runtime_status == RuntimeStatus::Running) {
            waiting.push((item, pending));
        }
    }
    Ok(Model {
        range,
        counts: api.get("instances:count", &by_status).await?,
        charts,
        oldest: waiting,
        activities: activities.items,
        suspended: list("Suspended", "-created", ROWS).await?,
        failed: list("Failed", "-created", ROWS).await?,
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
        (tables::oldest(view, &model.oldest))
        (tables::suspended(view, &model.suspended))
        (tables::failed(view, &model.failed))
        div.cols {
            (tables::activities(&model.activities, view))
            (tables::schedules(view, &model.schedules))
        }
        (hub(view, &model.hub))
    }
}

fn counts(view: &View, model: &Model) -> Markup {
    let about = if model.counts.approximate { "at least" } else { "" };
    html! {
        section #counts aria-label="Instances by status" data-part {
            div.stats {
                @for status in STATUSES {
                    @let groups = model.counts.groups.as_ref();
                    @let count = groups.and_then(|it| it.get(&status.to_string())).copied().unwrap_or(0);
                    @let link = view.links.instances("status", word(status));
                    (status_link(status, &format::count(count), about, &link))
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
    let label = format!(
        "{heading}: {}, at most {} in {}",
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
                span { b { (format::count(total)) } }
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
    known.push(("Partitions", html! { (hub.partitions) }));
    known.push(("Version", html! { span.m { "durable " (hub.version) } }));
    let details = html! { a href=(view.links.to("hub")) { "Details" } };
    section("hub-h", "Hub", &details, &facts(&known))
}

/// How long until a time; a time that has passed is due now.
fn until(view: &View, at: DateTime<Utc>) -> String {
    if at <= view.now { "now".to_owned() } else { format::duration(at - view.now) }
}
