//! The plot: the distance of each engine from the raw limit, on a logarithmic scale.
//!
//! It contains the workloads that have a raw limit. Times are inverted, so that right is always
//! better, and the raw limit is the line at 1.

use std::path::Path;

use durable::{Error, Result};
use plotters::prelude::*;

use super::{Engine, Line};

const WIDTH: u32 = 900;
const ROW_HEIGHT: usize = 26;

/// A dot: the median, and the range of the runs.
struct Dot<'a> {
    workload: &'a str,
    engine: Engine,
    middle: f64,
    low: f64,
    high: f64,
}

/// Draws `lines` into an SVG file.
pub(crate) fn draw(lines: &[Line], machine: &str, file: &Path) -> Result<()> {
    let dots = dots(lines);
    let mut workloads: Vec<_> = dots.iter().map(|dot| dot.workload).collect();
    workloads.dedup();
    if workloads.is_empty() {
        return Ok(());
    }
    let height = u32::try_from(workloads.len() * ROW_HEIGHT + 110).unwrap_or(u32::MAX);
    let area = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    paint(&area, &dots, &workloads, machine).map_err(|error| Error::msg(error.to_string()))
}

fn dots(lines: &[Line]) -> Vec<Dot<'_>> {
    let raw = |workload: &str| {
        let raw = lines.iter().find(|l| l.engine == Engine::Raw && l.workload == workload);
        raw.map(|raw| raw.value).filter(|value| *value > 0.0)
    };
    let dot = |line: &'_ Line| {
        let raw = raw(&line.workload).filter(|_| line.engine != Engine::Raw && line.min > 0.0)?;
        let speed =
            |value: f64| if line.unit.higher_is_better() { value / raw } else { raw / value };
        let (low, high) = (speed(line.min), speed(line.max));
        Some((speed(line.value), low.min(high), low.max(high)))
    };
    let placed = lines.iter().filter_map(|line| Some((line, dot(line)?)));
    placed
        .map(|(line, (middle, low, high))| Dot {
            workload: &line.workload,
            engine: line.engine,
            middle,
            low,
            high,
        })
        .collect()
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Painted = Result<(), DrawingAreaErrorKind<std::io::Error>>;

fn paint(area: &Area<'_>, dots: &[Dot<'_>], workloads: &[&str], machine: &str) -> Painted {
    area.fill(&WHITE)?;
    let left = dots.iter().map(|dot| dot.low).fold(0.1, f64::min) / 8.0;
    let right = dots.iter().map(|dot| dot.high).fold(1.0, f64::max) * 2.0;
    let rows = workloads.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(format!("Speed beside the raw limit (1): {machine}"), ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(200)
        .build_cartesian_2d((left..right).log_scale(), 0.0..rows)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .y_labels(0)
        .x_label_formatter(&|x| format!("{x}"))
        .x_desc("times the raw limit, logarithmic; right is better")
        .draw()?;
    for (index, workload) in workloads.iter().enumerate() {
        let middle = rows - index as f64 - 0.5;
        chart.draw_series([PathElement::new([(left, middle), (right, middle)], BLACK.mix(0.1))])?;
        let (_, y) = chart.backend_coord(&(left, middle));
        let style = ("sans-serif", 15).into_text_style(area);
        area.draw_text(workload, &style, (12, y - 7))?;
    }
    chart.draw_series([PathElement::new([(1.0, 0.0), (1.0, rows)], RED.stroke_width(2))])?;
    for (engine, color) in [(Engine::Durable, BLUE), (Engine::Duroxide, MAGENTA)] {
        let own = dots.iter().filter(|dot| dot.engine == engine);
        let places = own.map(|dot| {
            let index = workloads.iter().position(|name| *name == dot.workload).unwrap_or_default();
            (rows - index as f64 - 0.5, dot)
        });
        let places: Vec<_> = places.collect();
        let spread = places.iter().map(|(y, dot)| {
            PathElement::new([(dot.low, *y), (dot.high, *y)], color.stroke_width(2))
        });
        chart.draw_series(spread)?;
        chart
            .draw_series(
                places.iter().map(|(y, d)| Circle::new((d.middle, *y), 5, color.filled())),
            )?
            .label(engine.name())
            .legend(move |(x, y)| Circle::new((x + 8, y), 5, color.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerLeft)
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()
}
