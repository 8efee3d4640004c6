//! The one place where results are written: as columns, JSON, YAML, or ids.
//!
//! A result is the JSON of the API. Its typed form gives the columns; `json`, `jsonl` and `yaml` show
//! the JSON itself, so that a field that this program does not know is not lost.

mod node;
mod rows;
mod table;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::args::{Color, Format};
use crate::error::CliError;
use crate::session::Session;
use crate::time::Clock;

pub(crate) use node::Node;
pub(crate) use rows::{Instance, bytes, entity_name, reason};
pub(crate) use table::{Table, printable};

/// How an item is shown to people.
pub(crate) trait Show: DeserializeOwned {
    /// The names of the columns of a table.
    const COLUMNS: &'static [&'static str];
    /// More columns, for `-o wide`.
    const WIDE: &'static [&'static str] = &[];

    /// The id, which other commands take as an argument.
    fn name(&self) -> String;

    /// The cells of a row.
    fn row(&self, clock: &Clock) -> Vec<String>;

    /// More cells, for `-o wide`.
    fn wide(&self, _clock: &Clock) -> Vec<String> {
        Vec::new()
    }

    /// The names and values that are shown for a single item; by default those of the row.
    fn sheet(&self, clock: &Clock) -> Vec<(String, String)> {
        let columns = Self::COLUMNS.iter().chain(Self::WIDE).map(|name| (*name).to_owned());
        columns.zip(self.row(clock).into_iter().chain(self.wide(clock))).collect()
    }
}

pub(crate) fn read<T: DeserializeOwned>(raw: &RawValue) -> Result<T, CliError> {
    serde_json::from_str(raw.get())
        .map_err(|source| CliError::Json { what: "the answer of the hub".to_owned(), source })
}

impl Session<'_> {
    pub(crate) fn clock(&self) -> Clock {
        let Self { global, io, .. } = self;
        Clock { now: io.now(), format: global.time_format, utc: global.utc }
    }

    pub(crate) fn is_colored(&self) -> bool {
        match self.global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => self.io.is_terminal && self.io.variable("NO_COLOR").is_none(),
        }
    }

    /// Whether the output is for people.
    pub(crate) fn is_for_people(&self) -> bool {
        matches!(self.global.output, Format::Table | Format::Wide)
    }

    /// Writes the items of a list.
    pub(crate) fn show_list<T: Show>(&mut self, items: &[Box<RawValue>]) -> Result<(), CliError> {
        if !self.global.fields.is_empty() {
            return self.show_fields(items);
        }
        match self.global.output {
            Format::Json => {
                let items: Vec<_> = items.iter().map(|item| item.get()).collect();
                self.io.write(&format!("[{}]\n", items.join(",")));
            }
            Format::Jsonl => self.show_lines(items),
            Format::Yaml => {
                let items = items.iter().map(|item| Node::read(item)).collect::<Result<_, _>>()?;
                self.io.write(&Node::List(items).yaml());
            }
            Format::Name => {
                for item in items {
                    self.io.write(&format!("{}\n", read::<T>(item)?.name()));
                }
            }
            Format::Table | Format::Wide => {
                let (clock, is_wide) = (self.clock(), self.global.output == Format::Wide);
                let wide = if is_wide { T::WIDE } else { &[] };
                let mut table = Table::new(T::COLUMNS.iter().chain(wide).copied());
                for item in items {
                    let item: T = read(item)?;
                    let mut row = item.row(&clock);
                    if is_wide {
                        row.extend(item.wide(&clock));
                    }
                    table.add(row);
                }
                let text = table.text(self.is_colored());
                self.io.write(&text);
            }
        }
        Ok(())
    }

    /// Writes one item.
    pub(crate) fn show_one<T: Show>(&mut self, item: &RawValue) -> Result<(), CliError> {
        let is_sheet = self.is_for_people() && self.global.fields.is_empty();
        if !is_sheet {
            let item = item.to_owned();
            return match self.global.output {
                Format::Json if self.global.fields.is_empty() => {
                    self.io.write(&format!("{}\n", item.get()));
                    Ok(())
                }
                Format::Yaml if self.global.fields.is_empty() => {
                    self.io.write(&Node::read(&item)?.yaml());
                    Ok(())
                }
                _ => self.show_list::<T>(&[item]),
            };
        }
        let sheet = read::<T>(item)?.sheet(&self.clock());
        let text = table::sheet(&sheet, self.is_colored());
        self.io.write(&text);
        Ok(())
    }

    fn show_lines(&mut self, items: &[Box<RawValue>]) {
        for item in items {
            self.io.write(&format!("{}\n", item.get()));
        }
    }

    /// Writes only the fields that were asked for.
    fn show_fields(&mut self, items: &[Box<RawValue>]) -> Result<(), CliError> {
        let fields = self.global.fields.clone();
        let nodes: Vec<Node> =
            items.iter().map(|item| Node::read(item)).collect::<Result<_, CliError>>()?;
        if self.is_for_people() || self.global.output == Format::Name {
            let mut table = Table::new(fields.iter().map(String::as_str));
            for node in &nodes {
                table.add(fields.iter().map(|field| node.text_of(field)).collect());
            }
            let text = table.text(self.is_colored());
            self.io.write(&text);
            return Ok(());
        }
        let kept: Vec<_> = nodes.into_iter().map(|node| node.only(&fields)).collect();
        let text = match self.global.output {
            Format::Yaml => Node::List(kept).yaml(),
            Format::Jsonl => kept.iter().map(|node| node.json() + "\n").collect(),
            _ => Node::List(kept).json() + "\n",
        };
        self.io.write(&text);
        Ok(())
    }

    /// Writes JSON that has no columns, such as an output.
    pub(crate) fn show_json(&mut self, text: &str) -> Result<(), CliError> {
        if self.global.output == Format::Yaml {
            let raw = RawValue::from_string(text.to_owned());
            let raw = raw.map_err(|source| CliError::Json { what: "the value".into(), source })?;
            self.io.write(&Node::read(&raw)?.yaml());
        } else {
            self.io.write(&format!("{text}\n"));
        }
        Ok(())
    }
}
