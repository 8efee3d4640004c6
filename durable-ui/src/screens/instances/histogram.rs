//! The creation times of the listed instances, counted by status.

use chrono::TimeDelta;
use durable_http::client::Histogram;
use maud::{Markup, html};

use super::{Model, STATUSES};
use crate::call::View;
use crate::format;
use crate::parts::{Bar, Chart, Series, ticks, word};
use crate::query::Query;

const BARS: usize = 60;
/// The number of newest instances that are read for the bars, which takes most of the page's time.
const COUNTED: usize = 2_000;

const SERIES: [Series; 6] = [
    Series { class: "f-run", name: "Running" },
    Series { class: "f-q", name: "Pending" },
    Series { class: "f-warn", name: "Suspended" },
    Series { class: "f-fail", name: "Failed" },
    Series { class: "f-ok", name: "Completed" },
    Series { class: "f-end", name: "Terminated" },
];

pub(super) fn query(filter: &Query) -> Query {
    filter.clone().and("buckets", BARS).and("maxScanned", COUNTED)
}

pub(super) fn section(view: &View, model: &Model, histogram: &Histogram) -> Markup {
    let total: u64 = histogram.items.iter().flat_map(|it| it.counts.values()).sum();
    if total == 0 {
        return html! {};
    }
    let chart = chart(view, model, histogram, total);
    let at_least = if histogram.approximate { "The newest " } else { "" };
    html! {
        section.sec aria-labelledby="h-h" {
            div.row {
                h2 #h-h { (at_least) (format::counted(total, "instance")) " by time created" }
                span.sp {}
                (chart.legend())
                span.q { (width(histogram.seconds)) " a bar" }
            }
            div.sec2 { (chart.draw()) }
        }
    }
}

fn width(seconds: u64) -> String {
    let seconds = TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::MAX / 1000));
    format::span(seconds)
}

fn chart(view: &View, model: &Model, histogram: &Histogram, total: u64) -> Chart<'static> {
    let step = TimeDelta::seconds(i64::try_from(histogram.seconds).unwrap_or(1));
    let bars = histogram.items.iter().map(|bucket| {
        let (from, to) = (bucket.at, bucket.at + step);
        let count = |status: durable::RuntimeStatus| {
            bucket.counts.get(&status.to_string()).copied().unwrap_or(0)
        };
        let parts: Vec<_> = STATUSES
            .into_iter()
            .filter(|status| count(*status) > 0)
            .map(|status| format!("{} {}", count(status), word(status)))
            .collect();
        let query = model.query.without("after").without("fragment");
        let query = query.with("from", format::rfc3339(from)).with("to", format::rfc3339(to));
        Bar {
            counts: STATUSES.into_iter().map(count).collect(),
            title: format!("{}: {}", format::exact(from), parts.join(", ")),
            // A bar of a second cannot be divided.
            link: (histogram.seconds > 1).then(|| view.links.page("instances", &query)),
        }
    });
    Chart {
        label: format!("{} by time created", format::counted(total, "instance")),
        series: &SERIES,
        bars: bars.collect(),
        height: 88,
        ticks: ticks(view, histogram),
        lines: 3,
    }
}
