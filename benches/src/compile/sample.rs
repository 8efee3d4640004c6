//! A crate of activities and orchestrators of ordinary length, with or without attributes.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use durable::Result;

/// What the functions of a sample are made with.
pub(crate) enum Dependency {
    /// Attributes of the crate `durable` in this folder.
    Durable(PathBuf),
    /// None: plain functions, which `futures` joins.
    Futures,
}

/// A crate on the disk.
pub(crate) struct Sample {
    pub(crate) folder: PathBuf,
    source: String,
}

/// The lines that the measurement changes.
const IN_ACTIVITY: &str = "100..=999 => total / 20,";
const IN_ORCHESTRATOR: &str = "receipts.truncate(100 + failed);";

const TYPES: &str = r"
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Line { pub sku: String, pub quantity: u32, pub price: u64 }

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Order { pub id: u64, pub lines: Vec<Line> }

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Receipt { pub order: u64, pub total: u64, pub text: String, pub number: u32 }
";

const ACTIVITY: &str = r#"
ATTRIBUTE
pub async fn activity_NUMBER(order: Order, limit: u32) -> Result<Receipt> {
    let mut total = 0u64;
    for line in &order.lines {
        if line.quantity > limit {
            return Err(refused(format!("line {} of order {} is too large", line.sku, order.id)));
        }
        total += u64::from(line.quantity) * line.price;
    }
    let discount = match total {
        0..=99 => 0,
        100..=999 => total / 20,
        _ => total / 10,
    };
    let names: Vec<String> = order.lines.iter().map(|line| line.sku.to_uppercase()).collect();
    let text = names.join(", ");
    let total = total - discount;
    Ok(Receipt { order: order.id, total, text, number: NUMBER })
}
"#;

const ORCHESTRATOR: &str = r"
ATTRIBUTE
pub async fn orchestrator_NUMBER(CONTEXTorders: Vec<Order>, limit: u32) -> Result<Vec<Receipt>> {
    let mut receipts = Vec::new();
    let mut failed = 0;
    for order in &orders {
        let first = activity_CALL0(order.clone(), limit).await?;
        let second = if first.total > 100 {
            activity_CALL1(order.clone(), limit + 1).await?
        } else {
            activity_CALL2(order.clone(), limit + 2).await?
        };
        if second.total < first.total {
            failed += 1;
            continue;
        }
        receipts.push(first);
        receipts.push(second);
    }
    let all = JOIN(orders.iter().map(|order| activity_CALL3(order.clone(), limit))).await?;
    let best = all.iter().max_by_key(|receipt| receipt.total).cloned();
    if let Some(best) = best {
        let order = Order { id: best.order, lines: Vec::new() };
        let again = match activity_CALL4(order, limit).await {
            Ok(receipt) => receipt,
            Err(error) => {
                return Err(error.into());
            }
        };
        receipts.push(again);
    }
    receipts.extend(all);
    receipts.truncate(100 + failed);
    Ok(receipts)
}
";

impl Sample {
    /// Writes the crate `name` into `folder`.
    pub(crate) fn write(
        folder: &Path,
        name: &str,
        dependency: &Dependency,
        activities: usize,
        orchestrators: usize,
    ) -> Result<Self> {
        let folder = folder.join(name);
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("Cargo.toml"), manifest(name, dependency))?;
        // The versions of dependencies are those of this workspace.
        let locked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
        fs::copy(locked, folder.join("Cargo.lock"))?;
        let sample = Self { folder, source: source(dependency, activities, orchestrators) };
        sample.save(&sample.source)?;
        Ok(sample)
    }

    /// Changes the body of the first activity.
    pub(crate) fn change_activity(&self, run: usize) -> Result<()> {
        let line = format!("100..=999 => total / {},", 21 + run);
        self.save(&self.source.replacen(IN_ACTIVITY, &line, 1))
    }

    /// Changes the body of the first orchestrator.
    pub(crate) fn change_orchestrator(&self, run: usize) -> Result<()> {
        let line = format!("receipts.truncate({} + failed);", 101 + run);
        self.save(&self.source.replacen(IN_ORCHESTRATOR, &line, 1))
    }

    fn save(&self, source: &str) -> Result<()> {
        Ok(fs::write(self.folder.join("src/lib.rs"), source)?)
    }
}

fn manifest(name: &str, dependency: &Dependency) -> String {
    let dependency = match dependency {
        Dependency::Durable(path) => format!("durable = {{ path = \"{}\" }}", path.display()),
        Dependency::Futures => "futures = \"0.3\"".to_owned(),
    };
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [dependencies]\n{dependency}\nserde = {{ version = \"1\", features = [\"derive\"] }}\n\n\
         [workspace]\n"
    )
}

fn source(dependency: &Dependency, activities: usize, orchestrators: usize) -> String {
    let is_annotated = matches!(dependency, Dependency::Durable(_));
    let (head, join, context) = if is_annotated {
        let refused = "fn refused(text: String) -> Error { Error::msg(text) }\n";
        (
            format!("use durable::prelude::*;\n{refused}"),
            "durable::try_join_all",
            "ctx: &OrchestrationContext, ",
        )
    } else {
        let result = "pub type Result<T> = std::io::Result<T>;\n";
        let refused =
            "fn refused(text: String) -> std::io::Error { std::io::Error::other(text) }\n";
        (format!("{result}{refused}"), "futures::future::try_join_all", "")
    };
    let attribute = |attribute: &'static str| if is_annotated { attribute } else { "" };
    let mut source = head + TYPES;
    for number in 0..activities {
        let function = ACTIVITY.replace("ATTRIBUTE", attribute("#[activity]"));
        source += &function.replace("NUMBER", &number.to_string());
    }
    for number in 0..orchestrators {
        let mut function = ORCHESTRATOR
            .replace("ATTRIBUTE", attribute("#[orchestrator]"))
            .replace("NUMBER", &number.to_string())
            .replace("CONTEXT", context)
            .replace("JOIN", join);
        for call in 0..5 {
            let called = (number * 3 + call) % activities;
            function = function.replace(&format!("CALL{call}"), &called.to_string());
        }
        let _ = write!(source, "{function}");
    }
    source
}
