//! The partitions of a hub that several processes share, and the operations to place them.

use axum::http::StatusCode;
use axum::response::Response;
use durable::protocol::PartitionId;
use durable::store::{FrozenPartition, ParkedPartition, PinnedPartition};
use serde::Deserialize;

use super::Refusal;
use crate::call::Call;
use crate::json::{self, Object};
use crate::problem::{Code, Problem};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    node: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Freeze {
    reason: Option<String>,
}

/// A partition some of whose stored data cannot be read.
pub(super) fn parked(parked: &ParkedPartition) -> Object {
    Object::new().with("partition", &parked.partition.0).with("reason", &parked.reason)
}

/// A partition that is pinned to a process.
pub(super) fn pinned(pinned: &PinnedPartition) -> Object {
    Object::new().with("partition", &pinned.partition.0).with("node", &pinned.node)
}

/// A frozen partition, which stays with its current owner.
pub(super) fn frozen(frozen: &FrozenPartition) -> Object {
    Object::new().with("partition", &frozen.partition.0).with("reason", &frozen.reason)
}

/// Unparks a partition, so that a process can own it again.
pub(super) async fn retry(call: Call) -> Result<Response, Refusal> {
    let was_parked = call.hub().retry_partition(asked(&call)?).await?;
    Ok(json::answer(StatusCode::OK, &Object::new().with("wasParked", &was_parked)))
}

/// Pins or unpins a partition.
pub(super) async fn pin(call: Call) -> Result<Response, Refusal> {
    let (Pin { node }, partition) = (call.body_as()?, asked(&call)?);
    call.hub().pin_partition(partition, node.as_deref()).await?;
    Ok(json::empty(StatusCode::NO_CONTENT))
}

/// Freezes or unfreezes a partition.
pub(super) async fn freeze(call: Call) -> Result<Response, Refusal> {
    let (Freeze { reason }, partition) = (call.body_as()?, asked(&call)?);
    call.hub().freeze_partition(partition, reason.as_deref()).await?;
    Ok(json::empty(StatusCode::NO_CONTENT))
}

fn asked(call: &Call) -> Result<PartitionId, Problem> {
    let (given, count) = (call.params.get("partition"), call.hub().partitions());
    let partition = given.parse().ok().filter(|number| *number < count).map(PartitionId);
    partition.ok_or_else(|| {
        let what = format!("there is no partition `{given}`; the hub has {count}, numbered from 0");
        Problem::new(Code::InvalidRequest, what)
    })
}
