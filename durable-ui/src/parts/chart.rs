//! Bars over time, as SVG whose widths are percentages.

use chrono::TimeDelta;
use durable_http::client::Histogram;
use maud::{Markup, html};

use crate::call::View;
use crate::format;

/// A stacked bar chart.
#[derive(Debug)]
pub(crate) struct Chart<'a> {
    /// What it shows, in words.
    pub(crate) label: String,
    pub(crate) series: &'a [Series],
    pub(crate) bars: Vec<Bar>,
    /// The height of the bars, in pixels.
    pub(crate) height: u32,
    /// Labels below the bars, each with its position in percent.
    pub(crate) ticks: Vec<(f64, Markup)>,
    /// The number of lines that are labeled with a count.
    pub(crate) lines: u64,
}

/// A part of each bar.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// The class of the color, such as `f-run`.
    pub(crate) class: &'static str,
    pub(crate) name: &'static str,
}

/// What happened in a span of time.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    /// One count for each series.
    pub(crate) counts: Vec<u64>,
    pub(crate) title: String,
    pub(crate) link: Option<String>,
}

/// The space for labels below the bars, in pixels.
const BELOW: u32 = 20;

impl Chart<'_> {
    pub(crate) fn draw(&self) -> Markup {
        let top = self.bars.iter().map(|bar| bar.counts.iter().sum()).max().unwrap_or(0);
        let (top, step) = scale(top, self.lines);
        let y = |count: u64| f64::from(self.height) * (1.0 - ratio(count, top));
        let step_x = 100.0 / ratio(self.bars.len().max(1) as u64, 1);
        let base = f64::from(self.height) + 0.5;
        // A picture has no parts, so its links could not be reached.
        let role = if self.bars.iter().any(|bar| bar.link.is_some()) { "group" } else { "img" };
        html! {
            svg.ch height=(self.height + BELOW) role=(role) aria-label=(self.label) {
                @if let Some(step) = step {
                    @for line in (1..=top / step).map(|line| line * step) {
                        line.g x1="0" x2="100%" y1=(pixels(y(line))) y2=(pixels(y(line))) {}
                    }
                }
                line.g x1="0" x2="100%" y1=(base) y2=(base) {}
                @for (index, bar) in self.bars.iter().enumerate() {
                    @if bar.counts.iter().any(|count| *count > 0) {
                        @let x = step_x * ratio(index as u64, 1);
                        (self.bar(bar, x, step_x, top))
                    }
                }
                // Over the first bars, which would hide them.
                @if let Some(step) = step {
                    @for line in (1..=top / step).map(|line| line * step) {
                        text.c x="0" y=(pixels(y(line) - 3.0)) { (format::count(line)) }
                    }
                }
                @for (x, label) in &self.ticks {
                    @let anchor = if *x < 5.0 { "start" } else if *x > 95.0 { "end" } else { "middle" };
                    // A narrow chart has no room for the labels at the quarters.
                    @let class = if matches!(*x, 25.0 | 75.0) { Some("mid") } else { None };
                    text class=[class] x=(percent(*x)) y=(self.height + BELOW - 4)
                        text-anchor=(anchor) { (label) }
                }
            }
        }
    }

    fn bar(&self, bar: &Bar, x: f64, step: f64, top: u64) -> Markup {
        let mut below = 0.0;
        let mut parts = Vec::new();
        for (series, count) in self.series.iter().zip(&bar.counts) {
            if *count > 0 {
                // A pixel between parts, and at least one for each.
                let height = (f64::from(self.height) * ratio(*count, top)).max(2.0);
                let y = f64::from(self.height) - below - height;
                parts.push((series.class, y, height - 1.0));
                below += height;
            }
        }
        let drawn = html! {
            title { (bar.title) }
            @if bar.link.is_some() {
                rect.f-hit x=(percent(x)) width=(percent(step)) y="0" height=(self.height) {}
            }
            @for (class, y, height) in parts {
                rect class=(class) x=(percent(x)) width=(percent(step * 0.8)) y=(pixels(y))
                    height=(pixels(height)) {}
            }
        };
        html! {
            @match &bar.link {
                Some(link) => { a href=(link) aria-label=(bar.title) { (drawn) } }
                None => { g { (drawn) } }
            }
        }
    }

    /// The meaning of the colors.
    pub(crate) fn legend(&self) -> Markup {
        let count = |index: usize| -> u64 { self.bars.iter().map(|bar| bar.counts[index]).sum() };
        html! {
            div.legend {
                @for (index, series) in self.series.iter().enumerate() {
                    @if count(index) > 0 {
                        span {
                            svg aria-hidden="true" {
                                rect class=(series.class) y="1" width="20" height="10" {}
                            }
                            (series.name) " " (format::count(count(index)))
                        }
                    }
                }
            }
        }
    }
}

/// Five times below the bars.
pub(crate) fn ticks(view: &View, histogram: &Histogram) -> Vec<(f64, Markup)> {
    let count = histogram.items.len();
    let Some(first) = histogram.items.first() else { return Vec::new() };
    let step = i64::try_from(histogram.seconds).unwrap_or(1);
    let tick = |quarter: u32| {
        let bars = i64::try_from(count).unwrap_or(0) * i64::from(quarter) / 4;
        let at = first.at + TimeDelta::seconds(step * bars);
        let label = html! {
            @if step < 20 {
                // Several of them are in the same minute.
                tspan data-t=(at.timestamp_millis()) data-s { (format::time(at, view.now)) }
            } @else {
                tspan data-t=(at.timestamp_millis()) { (format::minute(at, view.now)) }
            }
        };
        (f64::from(quarter) * 25.0, label)
    };
    (0..=4).map(tick).collect()
}

/// The count at the top of a chart, and the distance between its lines.
fn scale(top: u64, lines: u64) -> (u64, Option<u64>) {
    if lines == 0 || top == 0 {
        return (top.max(1), None);
    }
    let mut step = 1;
    'found: for power in 0..19 {
        for factor in [1, 2, 5] {
            step = factor * 10_u64.pow(power);
            if step.saturating_mul(lines) >= top {
                break 'found;
            }
        }
    }
    (top.max(step), Some(step))
}

#[expect(clippy::cast_precision_loss, reason = "a place on the screen")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

fn percent(x: f64) -> String {
    format!("{x:.3}%")
}

fn pixels(y: f64) -> String {
    format!("{y:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_at_round_counts() {
        assert_eq!(scale(17, 3), (17, Some(10)));
        assert_eq!(scale(3, 3), (3, Some(1)));
        assert_eq!(scale(0, 3), (1, None));
        assert_eq!(scale(48_912, 3), (48_912, Some(20_000)));
        assert_eq!(scale(u64::MAX, 3).0, u64::MAX);
    }
}
