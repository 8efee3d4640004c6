//! The table, as Markdown, for terminals and pages.

use comfy_table::{CellAlignment, Table, presets};

use super::Line;

/// All lines as a table.
pub(crate) fn table(lines: &[Line]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let header = ["workload", "engine", "median", "min to max", "runs", "unit", "better"];
    table.set_header(header.into_iter().chain(["to raw", "to duroxide"]));
    for line in lines {
        let better = if line.unit.higher_is_better() { "higher" } else { "lower" };
        let note = if line.note.is_some() { " *" } else { "" };
        table.add_row([
            line.workload.clone(),
            format!("{}{note}", line.engine.name()),
            number(line.value),
            format!("{} to {}", number(line.min), number(line.max)),
            line.runs.to_string(),
            line.unit.0.to_owned(),
            better.to_owned(),
            line.ratio_to_raw.map(number).unwrap_or_default(),
            line.ratio_to_duroxide.map(number).unwrap_or_default(),
        ]);
    }
    for right in [2, 3, 4, 7, 8] {
        if let Some(column) = table.column_mut(right) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let notes = lines.iter().filter_map(|line| {
        Some(format!("\\* `{}` of {}: {}.", line.workload, line.engine.name(), line.note?))
    });
    let notes: Vec<_> = notes.collect();
    if notes.is_empty() { table.to_string() } else { format!("{table}\n\n{}", notes.join("\n")) }
}

/// A figure with about three significant digits and thousands separators.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        below if below < 0.01 => 5,
        below if below < 1.0 => 3,
        below if below < 10.0 => 2,
        below if below < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), ""), |parts| parts);
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        let left = whole.len() - place;
        if place > 0 && left.is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let texts = [0.000_123, 0.0123, 4.567, 45.67, 456.7, 4567.8, 1_234_567.8].map(number);
        assert_eq!(texts, ["0.00012", "0.012", "4.57", "45.7", "457", "4,568", "1,234,568"]);
    }
}
