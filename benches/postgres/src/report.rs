//! The results, as a table with ratios.

use std::collections::BTreeMap;

use crate::load::Throughput;
use crate::stats::median;

/// Values of each workload and engine, in the order in which they were first added.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<(String, &'static str, &'static str)>,
    values: BTreeMap<(String, &'static str), Vec<f64>>,
}

impl Report {
    pub(crate) fn add(&mut self, name: &str, engine: &'static str, throughput: Throughput) {
        self.add_value(name, engine, "/s", throughput.per_second);
        self.add_value(&format!("{name}/p50"), engine, "ms", throughput.p50_ms);
        self.add_value(&format!("{name}/p99"), engine, "ms", throughput.p99_ms);
    }

    pub(crate) fn add_value(
        &mut self,
        name: &str,
        engine: &'static str,
        unit: &'static str,
        value: f64,
    ) {
        let row = (name.to_owned(), engine, unit);
        if !self.rows.contains(&row) {
            self.rows.push(row);
        }
        self.values.entry((name.to_owned(), engine)).or_default().push(value);
    }

    pub(crate) fn print(&self) {
        println!("| workload | engine | median | min to max | runs | unit | durable / engine |");
        println!("|---|---|---|---|---|---|---|");
        let value = |name: &str, engine| {
            let values = self.values.get(&(name.to_owned(), engine))?;
            Some(median(values))
        };
        let mut rows = self.rows.clone();
        rows.sort_by_key(|(name, ..)| name.clone());
        for (name, engine, unit) in rows {
            let values = &self.values[&(name.clone(), engine)];
            let (middle, ours) = (median(values), value(&name, "durable").unwrap_or(f64::NAN));
            let (least, most) = values.iter().fold((f64::MAX, 0.0_f64), |(least, most), value| {
                (least.min(*value), most.max(*value))
            });
            println!(
                "| {name} | {engine} | {middle:.4} | {least:.4} to {most:.4} | {} | {unit} | {:.3} |",
                values.len(),
                ours / middle
            );
        }
    }
}
