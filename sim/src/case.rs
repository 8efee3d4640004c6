//! A case: everything that a run needs, as data.
//!
//! A seed draws a case before the run begins. A failing run saves its case, together with the
//! choices of its schedule, so that the case can be repeated at any later commit and made smaller.

use std::collections::BTreeMap;
use std::path::Path;

use durable::testing::sim::{Choices, Deviation, Generator, Stream, production_sizes};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::{Op, draw_scripts};
use crate::faulty::Fault;

/// The format of the files. It changes when old files can no longer be read.
const FORMAT: u32 = 1;

/// Everything that a run needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) format: u32,
    /// The seed that drew the case. The ids are derived from it, too.
    pub(crate) seed: u64,
    /// The failure of the case, or the failure that it had before the fault was fixed.
    #[serde(default)]
    pub(crate) shows: String,
    pub(crate) options: Options,
    /// The internal sizes that differ from those in production.
    pub(crate) sizes: BTreeMap<String, usize>,
    /// A fault that is planted in the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<Fault>,
    /// The number of steps after which no more faults happen.
    pub(crate) steps: u32,
    pub(crate) clients: Vec<Vec<Op>>,
    /// The choices of the schedule that are not the simplest.
    pub(crate) deviations: Vec<Deviation>,
}

/// The options of every process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Options {
    pub(crate) partitions: u16,
    pub(crate) live: usize,
    pub(crate) activities: usize,
    pub(crate) entities: usize,
    /// The number of processes that share the hub.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(crate) nodes: usize,
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_one(nodes: &usize) -> bool {
    *nodes == 1
}

impl Case {
    /// The case of a seed, without its schedule, which is drawn while it runs.
    pub(crate) fn draw(choices: &mut Choices, nodes: Option<usize>) -> Self {
        let clients = draw_scripts(choices);
        // A generator of its own, so that it changes no other choice.
        let drawn = [1, 1, 1, 2, 3][Generator::new(!choices.seed()).below(5) as usize];
        let nodes = nodes.unwrap_or(drawn);
        let mut one_of = |all: &[usize]| choices.one_of(Stream::Swarm, all);
        // 0 means the size in production. In some seeds all sizes are tiny, because some faults
        // need several tiny sizes at once.
        let size: &[usize] = match one_of(&[0, 1, 2, 2]) {
            0 => &[1],
            1 => &[1, 1, 2],
            _ => &[0, 0, 1, 1, 2, 3, 5, 8],
        };
        let partitions: &[usize] = if nodes == 1 { &[1, 1, 2, 4] } else { &[2, 4, 4, 8] };
        let drawn = production_sizes().into_iter().map(|(name, _)| (name.to_owned(), one_of(size)));
        Self {
            format: FORMAT,
            sizes: drawn.filter(|(_, size)| *size > 0).collect(),
            options: Options {
                partitions: u16::try_from(one_of(partitions)).unwrap_or(1),
                live: one_of(&[0, 0, 1, 3, 1000]),
                activities: one_of(&[1, 2, 8, 100]),
                entities: one_of(&[1, 2, 100]),
                nodes,
            },
            steps: u32::try_from(one_of(&[200, 500, 1000, 3000])).unwrap_or(200),
            seed: choices.seed(),
            fault: None,
            shows: String::new(),
            clients,
            deviations: Vec::new(),
        }
    }

    /// Whether deployed code may be incompatible with running instances.
    pub(crate) fn breaks_code(&self) -> bool {
        serde_json::to_string(&self.clients).is_ok_and(|text| text.contains(r#""has_patch":false"#))
    }

    /// The choices that repeat its schedule.
    pub(crate) fn choices(&self) -> Choices {
        Choices::repeat(self.seed, &self.deviations)
    }

    /// The number of nodes of all programs.
    pub(crate) fn nodes(&self) -> usize {
        fn count(value: &Value) -> usize {
            match value {
                Value::Array(list) => list.iter().map(count).sum(),
                Value::Object(fields) => {
                    let is_name = |name: &str| name.starts_with(char::is_uppercase);
                    let names = fields.keys().filter(|name| is_name(name)).count();
                    names + fields.values().map(count).sum::<usize>()
                }
                Value::String(name) => usize::from(name == "Status" || name == "Fail"),
                _ => 0,
            }
        }
        let operations: usize = self.clients.iter().map(Vec::len).sum();
        let all = serde_json::to_value(&self.clients).unwrap_or_default();
        count(&all).saturating_sub(operations)
    }

    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        let case: Self = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
        if case.format != FORMAT {
            return Err(wrong(&format_args!("format {} is not format {FORMAT}", case.format)));
        }
        Ok(case)
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_string(self).map_err(|error| error.to_string())?;
        let write = || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(path, text + "\n")
        };
        write().map_err(|error| format!("{}: {error}", path.display()))
    }
}
