//! `entities/*`: operations of entities, sent by orchestrations and by clients.
//!
//! duroxide has no entities, so the only comparison is the raw limit.
//!
//! Read next: `signals.rs` (a hot key, many keys), `outstanding.rs` (clients' calls, critical
//! sections), `fairness.rs` (other keys beside a hot one).

mod fairness;
mod outstanding;
mod signals;

use durable::Result;

pub(crate) use self::signals::Signals;

use crate::plan::Plan;
use crate::report::{Report, Unit};

const OPERATIONS: Unit = Unit("operations/s");
const MS: Unit = Unit("ms");

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    signals::run(plan, report).await?;
    outstanding::run(plan, report).await?;
    fairness::run(plan, report).await
}
