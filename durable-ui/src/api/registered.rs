//! The registered functions of a hub, as pages show them.

use serde::Deserialize;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Functions {
    pub(crate) orchestrators: Vec<Function>,
    pub(crate) activities: Vec<Function>,
    pub(crate) entities: Vec<Function>,
}

/// An orchestrator, an activity or an entity.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Function {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: Option<String>,
    pub(crate) file: String,
    pub(crate) line: u32,
    /// Set for an orchestrator or an activity.
    #[serde(default, rename = "codeHash")]
    pub(crate) code_hash: String,
    /// Set for an activity.
    #[serde(default, rename = "maxConcurrent")]
    pub(crate) max_concurrent: Option<u64>,
    /// Set for an orchestrator or an activity.
    #[serde(default)]
    pub(crate) parameters: Vec<Parameter>,
    /// Set for an entity.
    #[serde(default)]
    pub(crate) operations: Vec<Operation>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) type_name: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Operation {
    pub(crate) name: String,
}

impl Function {
    /// `order: Order, dry_run: bool`.
    pub(crate) fn signature(&self) -> String {
        let parameters = self.parameters.iter().map(|it| format!("{}: {}", it.name, it.type_name));
        parameters.collect::<Vec<_>>().join(", ")
    }

    /// `src/checkout.rs:74`.
    pub(crate) fn source(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}
