//! The listeners of this program: a `tracing` subscriber and a `metrics` recorder that record
//! everything.
//!
//! A hub works on threads of its own, so both listeners are global. Tests recognize their own lines
//! and counts by names that no other test uses.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata,
    SharedString, Unit,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_core::span::Current;

/// The fields of a span or an event, by name; `span` is the name of a span.
pub(crate) type Fields = BTreeMap<String, String>;

/// A line that was logged.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) level: tracing::Level,
    pub(crate) target: String,
    pub(crate) fields: Fields,
    /// The spans in which it was logged, the outermost first.
    pub(crate) spans: Vec<Fields>,
}

/// Installs the listeners, unless another test has.
pub(crate) fn listen() {
    static LISTENING: LazyLock<()> = LazyLock::new(|| {
        tracing::subscriber::set_global_default(Lines).unwrap();
        metrics::set_global_recorder(Counts).unwrap();
    });
    LazyLock::force(&LISTENING);
}

/// The lines with this message.
pub(crate) fn lines(message: &str) -> Vec<Line> {
    let lines = LINES.lock().unwrap();
    lines.iter().filter(|line| line.fields["message"] == message).cloned().collect()
}

/// The lines with this value of a field.
pub(crate) fn lines_with(field: &str, value: &str) -> Vec<Line> {
    let lines = LINES.lock().unwrap();
    let has = |line: &&Line| line.fields.get(field).is_some_and(|found| found == value);
    lines.iter().filter(has).cloned().collect()
}

/// What was recorded under a name with labels, such as `things{name=this}`.
pub(crate) fn values(key: &str) -> Vec<f64> {
    let counts = COUNTS.lock().unwrap();
    counts.get(key).map(|cell| cell.0.lock().unwrap().clone()).unwrap_or_default()
}

/// The value of a counter.
pub(crate) fn count(key: &str) -> usize {
    values(key).len()
}

/// The metrics that were described, with their units.
pub(crate) fn described() -> BTreeMap<String, String> {
    DESCRIBED.lock().unwrap().clone()
}

static LINES: Mutex<Vec<Line>> = Mutex::new(Vec::new());
static SPANS: Mutex<Vec<(Fields, &tracing::Metadata<'_>)>> = Mutex::new(Vec::new());
static COUNTS: Mutex<BTreeMap<String, Arc<Cell>>> = Mutex::new(BTreeMap::new());
static DESCRIBED: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

thread_local! {
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug)]
struct Lines;

struct Visitor<'a>(&'a mut Fields);

impl Visit for Visitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

fn index(id: &Id) -> usize {
    usize::try_from(id.into_u64()).unwrap() - 1
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("durable") || metadata.target().starts_with("features")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::from([("span".to_owned(), span.metadata().name().to_owned())]);
        span.record(&mut Visitor(&mut fields));
        let mut spans = SPANS.lock().unwrap();
        spans.push((fields, span.metadata()));
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        values.record(&mut Visitor(&mut SPANS.lock().unwrap()[index(span)].0));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Visitor(&mut fields));
        let spans = SPANS.lock().unwrap();
        let spans = ENTERED.with_borrow(|entered| {
            entered.iter().map(|id| spans[index(id)].0.clone()).collect::<Vec<_>>()
        });
        let level = *event.metadata().level();
        let target = event.metadata().target().to_owned();
        LINES.lock().unwrap().push(Line { level, target, fields, spans });
    }

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.clone()));
    }

    fn exit(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| assert_eq!(entered.pop().as_ref(), Some(span)));
    }

    fn current_span(&self) -> Current {
        ENTERED.with_borrow(|entered| match entered.last() {
            Some(id) => Current::new(id.clone(), SPANS.lock().unwrap()[index(id)].1),
            None => Current::none(),
        })
    }
}

/// The values that were recorded under a key, in order.
#[derive(Debug, Default)]
struct Cell(Mutex<Vec<f64>>);

impl Cell {
    fn push(&self, value: f64) {
        self.0.lock().unwrap().push(value);
    }
}

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        (0..value).for_each(|_| self.push(1.0));
    }

    fn absolute(&self, _: u64) {
        unreachable!("nothing is counted absolutely")
    }
}

impl GaugeFn for Cell {
    fn increment(&self, by: f64) {
        self.push(by);
    }

    fn decrement(&self, by: f64) {
        self.push(-by);
    }

    fn set(&self, value: f64) {
        self.push(value);
    }
}

impl HistogramFn for Cell {
    fn record(&self, value: f64) {
        self.push(value);
    }
}

#[derive(Debug)]
struct Counts;

impl Counts {
    fn cell(key: &Key) -> Arc<Cell> {
        let labels: Vec<_> =
            key.labels().map(|it| format!("{}={}", it.key(), it.value())).collect();
        let key = if labels.is_empty() {
            key.name().to_owned()
        } else {
            format!("{}{{{}}}", key.name(), labels.join(","))
        };
        Arc::clone(COUNTS.lock().unwrap().entry(key).or_default())
    }

    fn describe(key: &KeyName, unit: Option<Unit>) {
        let unit = unit.map(|unit| unit.as_str().to_owned()).unwrap_or_default();
        DESCRIBED.lock().unwrap().insert(key.as_str().to_owned(), unit);
    }
}

impl metrics::Recorder for Counts {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        Self::describe(&key, unit);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        Self::describe(&key, unit);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        Self::describe(&key, unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Self::cell(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Self::cell(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Self::cell(key))
    }
}
