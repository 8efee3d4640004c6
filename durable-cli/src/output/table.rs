//! Columns of text. Values of users cannot control the terminal.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

/// The maximum width of a cell in columns; the last cell of a row is not cut.
const CELL_MAX: usize = 60;
const GAP: &str = "  ";

/// The color of a word, by its ANSI number.
fn color(word: &str) -> Option<u8> {
    match word {
        "Completed" | "Active" => Some(32),
        "Failed" | "Terminated" | "TaskFailed" | "ExecutionFailed" => Some(31),
        "Suspended" | "Paused" => Some(33),
        "Running" | "Pending" => Some(36),
        _ => None,
    }
}

/// A text on one line, without control characters and without characters that change the direction
/// of writing.
pub(crate) fn printable(text: &str) -> String {
    let is_steering = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => shown.push(' '),
            c if is_steering(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

fn cut(text: String) -> String {
    if text.width() <= CELL_MAX {
        return text;
    }
    let mut width = 0;
    let kept = text.chars().take_while(|c| {
        width += c.to_string().width();
        width < CELL_MAX
    });
    kept.chain(['\u{2026}']).collect()
}

fn painted(text: &str, is_colored: bool) -> String {
    match color(text) {
        Some(color) if is_colored => format!("\x1b[{color}m{text}\x1b[0m"),
        _ => text.to_owned(),
    }
}

pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<'a>(columns: impl Iterator<Item = &'a str>) -> Self {
        Self { rows: vec![columns.map(str::to_owned).collect()] }
    }

    pub(crate) fn add(&mut self, row: Vec<String>) {
        let last = row.len().saturating_sub(1);
        let cell = |(index, text): (usize, String)| {
            let text = printable(&text);
            if index == last { text } else { cut(text) }
        };
        self.rows.push(row.into_iter().enumerate().map(cell).collect());
    }

    pub(crate) fn text(&self, is_colored: bool) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |index: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(index));
            cells.map(|cell| cell.width()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (index, cell) in row.iter().enumerate() {
                line.push_str(&painted(cell, is_colored));
                if index + 1 < row.len() {
                    line.push_str(&" ".repeat(widths[index] - cell.width()));
                    line.push_str(GAP);
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Names and values, one pair per line. Empty values are left out; values with several lines are
/// indented. Writing to a `String` cannot fail.
pub(crate) fn sheet(values: &[(String, String)], is_colored: bool) -> String {
    let shown: Vec<_> = values.iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = shown.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in shown {
        let name = name.to_lowercase();
        let mut lines = value.lines().map(printable);
        let first = lines.next().unwrap_or_default();
        let _ = writeln!(text, "{name:width$}{GAP}{}", painted(&first, is_colored));
        for line in lines {
            let _ = writeln!(text, "{:width$}{GAP}{line}", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_on_the_screen() {
        let mut table = Table::new(["ID", "NAME"].into_iter());
        table.add(vec!["\u{65e5}\u{672c}".into(), "x".into()]);
        table.add(vec!["a".into(), "y".into()]);
        assert_eq!(table.text(false), "ID    NAME\n\u{65e5}\u{672c}  x\na     y\n");
    }

    #[test]
    fn values_cannot_steer_the_terminal() {
        assert_eq!(printable("a\x1b[2J\u{202e}b\nc"), "a\\u{1b}[2J\\u{202e}b c");
    }

    #[test]
    fn long_cells_are_cut_except_the_last_one() {
        let mut table = Table::new(["A", "B"].into_iter());
        table.add(vec!["a".repeat(100), "b".repeat(100)]);
        let text = table.text(false);
        assert!(
            text.contains(&format!("{}\u{2026}  {}", "a".repeat(59), "b".repeat(100))),
            "{text}"
        );
    }
}
