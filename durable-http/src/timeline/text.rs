//! A timeline as text, for terminals.
//!
//! Each lane is one line: its name, its bars, and its duration. The text never contains escape
//! sequences, not even in names that users chose.

use chrono::{FixedOffset, Offset, TimeDelta, Utc};
use durable::protocol::Timestamp;

use super::symbols::{Symbols, of_phase, of_point};
use super::{Lane, LaneKind, LaneState, Timeline};

/// The width of the last column.
const TOOK: usize = 12;
/// The minimum number of columns for the bars.
const BARS_MIN: usize = 16;

/// The options of [`text`].
///
/// ```
/// use durable_http::timeline::TextOptions;
///
/// let mut options = TextOptions::default();
/// options.ascii = true;
/// assert_eq!(options.width, 80);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextOptions {
    /// The number of columns of a line, at least 48: smaller values count as 48.
    pub width: usize,
    /// Whether the text contains only ASCII characters.
    pub ascii: bool,
    /// The time zone of the axis.
    pub offset: FixedOffset,
}

/// 80 columns, with Unicode, in UTC.
impl Default for TextOptions {
    fn default() -> Self {
        Self { width: 80, ascii: false, offset: Utc.fix() }
    }
}

impl TextOptions {
    /// Creates options with the defaults: 80 columns, with Unicode, in UTC.
    ///
    /// ```
    /// let mut options = durable_http::timeline::TextOptions::new();
    /// options.width = 120;
    /// options.ascii = true;
    /// ```
    pub fn new() -> Self {
        Self::default()
    }
}

/// Returns a timeline as text.
///
/// ```
/// use durable_http::timeline::{TextOptions, Timeline, text};
///
/// fn print(timeline: &Timeline) {
///     println!("{}", text(timeline, &TextOptions::new()));
/// }
/// ```
pub fn text(timeline: &Timeline, options: &TextOptions) -> String {
    Writer::new(timeline, options).write()
}

struct Writer<'a> {
    timeline: &'a Timeline,
    options: &'a TextOptions,
    symbols: &'static Symbols,
    names: usize,
    bars: usize,
    used: Vec<(char, &'static str)>,
    text: String,
}

impl<'a> Writer<'a> {
    fn new(timeline: &'a Timeline, options: &'a TextOptions) -> Self {
        let symbols = Symbols::of(options.ascii);
        let width = options.width.max(48);
        let longest = longest(&timeline.lanes, 0, symbols);
        let names =
            longest.clamp(8, (width - TOOK - 2).saturating_sub(BARS_MIN).min(width * 2 / 5));
        let bars = width - TOOK - 2 - names;
        Self { timeline, options, symbols, names, bars, used: Vec::new(), text: String::new() }
    }

    fn write(mut self) -> String {
        let timeline = self.timeline;
        self.head();
        self.axis();
        for lane in &timeline.lanes {
            self.lane(lane, 0);
        }
        if timeline.hidden > 0 {
            let lanes = if timeline.hidden == 1 { "lane is" } else { "lanes are" };
            self.line(&format!("{} {lanes} not shown", timeline.hidden));
        }
        let legend: Vec<_> = self.used.iter().map(|(it, word)| format!("{it} {word}")).collect();
        if !legend.is_empty() {
            self.text.push('\n');
            self.legend(&legend);
        }
        self.text
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn clock(&self, at: Timestamp, format: &str) -> String {
        at.to_datetime().with_timezone(&self.options.offset).format(format).to_string()
    }

    fn head(&mut self) {
        let timeline = self.timeline;
        let version = timeline.version.as_ref().map(|it| format!("@{it}")).unwrap_or_default();
        let (id, name) = (timeline.instance_id.as_str(), &timeline.name);
        let (id, name) = (self.symbols.clean(id), self.symbols.clean(&format!("{name}{version}")));
        self.line(&format!("{id}  {name}  {}", timeline.runtime_status));
        let until = timeline.ended_at.unwrap_or(timeline.now);
        let took = duration(until.to_datetime() - timeline.started_at.to_datetime());
        let started = self.clock(timeline.started_at, "%Y-%m-%d %H:%M:%S %:z");
        let word = if timeline.ended_at.is_some() { "took" } else { "for" };
        self.line(&format!("started {started}, {word} {took}"));
        self.text.push('\n');
    }

    /// The labels of the ticks, where they have room.
    fn axis(&mut self) {
        let mut labels = vec![' '; self.bars];
        let mut free = 0;
        let span = self.timeline.to.since(self.timeline.from).as_secs();
        let format = match span {
            0..=9 => "%S%.3f",
            10..=1799 => "%H:%M:%S",
            1800..=172_799 => "%H:%M",
            _ => "%m-%d %H:%M",
        };
        for tick in &self.timeline.ticks {
            let label = self.clock(*tick, format);
            let at = self.column(*tick);
            if at >= free && at + label.len() <= self.bars {
                labels.splice(at..at + label.len(), label.chars());
                free = at + label.len() + 1;
            }
        }
        let labels: String = labels.into_iter().collect();
        let line = format!("{:names$} {labels}", "", names = self.names);
        self.line(&line);
    }

    /// The column of a time within the bars.
    fn column(&self, at: Timestamp) -> usize {
        let Timeline { from, to, .. } = *self.timeline;
        let whole = to.since(from).as_micros().max(1);
        let part = at.max(from).min(to).since(from).as_micros() * self.bars as u128 / whole;
        usize::try_from(part).unwrap_or(usize::MAX).min(self.bars - 1)
    }

    fn lane(&mut self, lane: &Lane, depth: usize) {
        let mut cells = vec![' '; self.bars];
        let most = lane.fold.map_or(1, |fold| fold.at_once.max(1));
        for bar in &lane.bars {
            let (symbol, word) = of_phase(self.symbols, bar.phase);
            let height = self.symbols.height(bar.at_once, most);
            let symbol = height.filter(|_| lane.fold.is_some()).unwrap_or(symbol);
            let (first, last) = (self.column(bar.from), self.column(bar.to));
            // A bar ends before the cell in which the next one begins.
            let last = if last > first && bar.to < self.timeline.to { last - 1 } else { last };
            cells[first..=last].fill(symbol);
            if lane.fold.is_none() {
                self.note(symbol, word);
            } else {
                self.note(symbol, "how many at once");
            }
        }
        for point in &lane.points {
            let (symbol, word) = of_point(self.symbols, point.kind);
            cells[self.column(point.at)] = symbol;
            self.note(symbol, word);
        }
        let name = label(lane, depth, self.symbols);
        let name = cut(&name, self.names, self.symbols);
        let (cells, took) = (cells.into_iter().collect::<String>(), self.took(lane));
        let pad = self.names - name.chars().count();
        let written = format!("{name}{:pad$} {cells} {took:>TOOK$}", "");
        self.line(&written);
        for child in &lane.children {
            self.lane(child, depth + 1);
        }
    }

    fn note(&mut self, symbol: char, word: &'static str) {
        let is_height = word == "how many at once";
        let is_known =
            |(known, text): &(char, &str)| *text == word && (is_height || *known == symbol);
        if !self.used.iter().any(is_known) {
            self.used.push((symbol, word));
        }
    }

    /// How long the lane took, or what it is doing if it has not ended.
    fn took(&self, lane: &Lane) -> String {
        let Some(took) = lane.took(self.timeline.now) else { return String::new() };
        let took = TimeDelta::from_std(took).unwrap_or(TimeDelta::MAX);
        let word = match lane.state {
            LaneState::Waiting => "waits",
            LaneState::Running => "runs",
            LaneState::Retrying => return format!("attempt {}", lane.attempts),
            LaneState::Held => "holds",
            LaneState::Suspended => "suspended",
            LaneState::Failed => "failed",
            LaneState::Abandoned => return "dropped".to_owned(),
            LaneState::Unread => return "unread".to_owned(),
            _ => return duration(took),
        };
        let short = duration(took);
        let short = short.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        format!("{word} {short}").chars().take(TOOK).collect()
    }

    fn legend(&mut self, legend: &[String]) {
        let mut line = String::new();
        for entry in legend {
            let width = line.chars().count() + entry.chars().count() + 3;
            if !line.is_empty() && width > self.options.width.max(48) {
                let full = std::mem::take(&mut line);
                self.line(&full);
            }
            if !line.is_empty() {
                line.push_str("   ");
            }
            line.push_str(entry);
        }
        self.line(&line);
    }
}

/// The name of a lane with what distinguishes it from others of that name.
fn label(lane: &Lane, depth: usize, symbols: &Symbols) -> String {
    let name = match (&*lane.title(), lane.kind) {
        ("", LaneKind::Timer) => "timer".to_owned(),
        ("", kind) => format!("{}s", kind.name()),
        (name, LaneKind::Event) => format!("event {name}"),
        (name, LaneKind::Lock) => format!("lock {name}"),
        (name, LaneKind::Sent | LaneKind::Signal) => format!("{} {name}", lane.kind.name()),
        (name, _) => name.to_owned(),
    };
    let version = lane.version.as_ref().map(|it| format!("@{it}")).unwrap_or_default();
    let more = match (lane.fold, &lane.detail) {
        (Some(fold), _) => format!(" {} {}", symbols.times, fold.count),
        (None, Some(detail)) => format!(" {detail}"),
        (None, None) => String::new(),
    };
    format!(
        "{:indent$}{}",
        "",
        symbols.clean(&format!("{name}{version}{more}")),
        indent = 2 * depth
    )
}

fn longest(lanes: &[Lane], depth: usize, symbols: &Symbols) -> usize {
    let length = |lane: &Lane| {
        let own = label(lane, depth, symbols).chars().count();
        own.max(longest(&lane.children, depth + 1, symbols))
    };
    lanes.iter().map(length).max().unwrap_or_default()
}

/// At most this many characters of a text. The middle is left out, because names differ at their
/// ends.
fn cut(text: &str, max: usize, symbols: &Symbols) -> String {
    let count = text.chars().count();
    if count <= max {
        return text.to_owned();
    }
    let gap = symbols.gap;
    let kept = max.saturating_sub(gap.chars().count());
    let head: String = text.chars().take(kept - kept / 3).collect();
    let tail: String = text.chars().skip(count - kept / 3).collect();
    format!("{head}{gap}{tail}")
}

/// At most two units, such as `7 ms`, `6.1 s`, `2 m 9 s`, `9 h 33 m`.
fn duration(duration: TimeDelta) -> String {
    let millis = duration.num_milliseconds().max(0);
    let seconds = millis / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if millis < 1000 => format!("{millis} ms"),
        () if seconds < 10 => format!("{seconds}.{} s", millis % 1000 / 100),
        () if minutes < 1 => format!("{seconds} s"),
        () if hours < 1 => format!("{minutes} m {} s", seconds % 60),
        () if days < 1 => format!("{hours} h {} m", minutes % 60),
        () => format!("{days} d {} h", hours % 24),
    }
}
