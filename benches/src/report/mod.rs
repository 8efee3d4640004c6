//! The results: figures of runs, and their summary lines.
//!
//! Read next: `table.rs`, `plot.rs`.

mod plot;
mod table;

use std::collections::BTreeMap;

use serde::Serialize;

pub(crate) use self::plot::draw;
pub(crate) use self::table::table;
use crate::stats::median;

/// The measured engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Engine {
    Durable,
    Duroxide,
    Raw,
}

impl Engine {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Duroxide => "duroxide",
            Self::Raw => "raw",
        }
    }
}

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Unit(pub(crate) &'static str);

impl Unit {
    /// Rates are better if they are higher; times and sizes if they are lower.
    pub(crate) fn higher_is_better(self) -> bool {
        self.0.ends_with("/s")
    }
}

/// The figures of all runs of an engine in a workload.
#[derive(Debug)]
struct Row {
    workload: String,
    engine: Engine,
    unit: Unit,
    runs: Vec<f64>,
    note: Option<&'static str>,
}

/// The summary of an engine's runs of a workload. This is a line of the output for scripts.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) workload: String,
    pub(crate) engine: Engine,
    /// The median of the runs.
    pub(crate) value: f64,
    pub(crate) unit: Unit,
    pub(crate) runs: usize,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// `value` divided by the value of the raw limit.
    pub(crate) ratio_to_raw: Option<f64>,
    /// `value` divided by the value of duroxide.
    pub(crate) ratio_to_duroxide: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<&'static str>,
}

/// Gathers figures.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds the figure of a run.
    pub(crate) fn add(&mut self, workload: &str, engine: Engine, unit: Unit, value: f64) {
        let same = |row: &&mut Row| row.workload == workload && row.engine == engine;
        match self.rows.iter_mut().find(same) {
            Some(row) => row.runs.push(value),
            None => {
                let (workload, runs, note) = (workload.to_owned(), vec![value], None);
                self.rows.push(Row { workload, engine, unit, runs, note });
            }
        }
    }

    /// Adds a note to the figures of an engine in a workload.
    pub(crate) fn note(&mut self, workload: &str, engine: Engine, note: &'static str) {
        let same = |row: &&mut Row| row.workload == workload && row.engine == engine;
        if let Some(row) = self.rows.iter_mut().find(same) {
            row.note = Some(note);
        }
    }

    /// The summary lines: workloads in the order in which they first ran, and within each
    /// `durable`, duroxide, the raw limit.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let mut order = BTreeMap::new();
        for row in &self.rows {
            let next = order.len();
            order.entry(row.workload.as_str()).or_insert(next);
        }
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_by_key(|row| (order.get(row.workload.as_str()), row.engine as u8));
        rows.into_iter().map(|row| self.line(row)).collect()
    }

    fn line(&self, row: &Row) -> Line {
        let value = median(&row.runs);
        let ratio = |engine| {
            let same = |other: &&Row| other.workload == row.workload && other.engine == engine;
            let other = self.rows.iter().find(same).map(|other| median(&other.runs))?;
            (row.engine != engine && other > 0.0).then(|| value / other)
        };
        let ratio = |engine| ratio(engine).map(six_digits);
        Line {
            workload: row.workload.clone(),
            engine: row.engine,
            value: six_digits(value),
            unit: row.unit,
            runs: row.runs.len(),
            min: six_digits(row.runs.iter().copied().fold(f64::INFINITY, f64::min)),
            max: six_digits(row.runs.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
            ratio_to_raw: ratio(Engine::Raw),
            ratio_to_duroxide: ratio(Engine::Duroxide),
            note: row.note,
        }
    }
}

/// `value` to six digits, which exceeds the precision of the measurement.
fn six_digits(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_median_the_spread_and_the_ratios() {
        let mut report = Report::default();
        for value in [3.0, 1.0, 8.0] {
            report.add("hello/1", Engine::Durable, Unit("orchestrations/s"), value);
        }
        report.add("hello/1", Engine::Raw, Unit("orchestrations/s"), 6.0);
        let lines = report.lines();
        assert_eq!(
            serde_json::to_string(&lines[0]).unwrap(),
            r#"{"workload":"hello/1","engine":"durable","value":3.0,"unit":"orchestrations/s","runs":3,"min":1.0,"max":8.0,"ratio_to_raw":0.5,"ratio_to_duroxide":null}"#
        );
        assert_eq!(lines[1].ratio_to_raw, None);
    }

    #[test]
    fn lines_of_a_workload_stand_together() {
        let mut report = Report::default();
        report.add("b", Engine::Raw, Unit("s"), 1.0);
        report.add("a", Engine::Durable, Unit("s"), 1.0);
        report.add("b", Engine::Durable, Unit("s"), 1.0);
        let lines = report.lines();
        let order: Vec<_> = lines.iter().map(|l| (l.workload.as_str(), l.engine.name())).collect();
        assert_eq!(order, [("b", "durable"), ("b", "raw"), ("a", "durable")]);
    }
}
