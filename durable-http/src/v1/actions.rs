//! Operations on an instance. The answer to each is the instance after the operation.

use axum::http::StatusCode;
use axum::response::Response;
use durable::{InstanceHandle, InstanceId};
use serde::Deserialize;

use super::{Refusal, show};
use crate::call::Call;
use crate::json::{self, Object};
use crate::problem::Problem;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Reason {
    reason: String,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Terminate {
    reason: String,
    recursive: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Restart {
    /// Whether to restart under a new id instead of the same one.
    new_instance: bool,
    /// The new id; generated if it is missing.
    id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Purge {
    recursive: bool,
}

pub(super) async fn raise(call: Call) -> Result<Response, Refusal> {
    let instance = call.instance()?;
    let event = call.json()?.unwrap_or_else(durable::protocol::Json::null);
    instance.raise_event_json(call.params.get("event"), event).await?;
    now(&instance).await
}

pub(super) async fn suspend(call: Call) -> Result<Response, Refusal> {
    let (instance, Reason { reason }) = asked(&call)?;
    instance.suspend(reason).await?;
    now(&instance).await
}

pub(super) async fn resume(call: Call) -> Result<Response, Refusal> {
    let (instance, Reason { reason }) = asked(&call)?;
    instance.resume(reason).await?;
    now(&instance).await
}

pub(super) async fn rewind(call: Call) -> Result<Response, Refusal> {
    let (instance, Reason { reason }) = asked(&call)?;
    instance.rewind(reason).await?;
    now(&instance).await
}

pub(super) async fn terminate(call: Call) -> Result<Response, Refusal> {
    let (instance, Terminate { reason, recursive }) = asked(&call)?;
    if recursive {
        instance.terminate_recursively(reason).await?;
    } else {
        instance.terminate(reason).await?;
    }
    now(&instance).await
}

pub(super) async fn restart(call: Call) -> Result<Response, Refusal> {
    let (instance, Restart { new_instance, id }) = asked(&call)?;
    let restarted = match (id, new_instance) {
        (Some(id), _) => instance.restart_as(id).await?,
        (None, true) => instance.restart_as(InstanceId::generate()).await?,
        (None, false) => {
            instance.restart().await?;
            instance
        }
    };
    now(&restarted).await
}

pub(super) async fn purge(call: Call) -> Result<Response, Refusal> {
    let (instance, Purge { recursive }) = asked(&call)?;
    let purged = if recursive {
        instance.purge_recursively().await?
    } else {
        instance.purge().await?;
        1
    };
    Ok(json::answer(StatusCode::OK, &Object::new().with("purged", &purged)))
}

pub(super) async fn delete(call: Call) -> Result<Response, Refusal> {
    call.instance()?.purge().await?;
    Ok(json::empty(StatusCode::NO_CONTENT))
}

fn asked<T: serde::de::DeserializeOwned>(call: &Call) -> Result<(InstanceHandle, T), Problem> {
    Ok((call.instance()?, call.body_as()?))
}

async fn now(instance: &InstanceHandle) -> Result<Response, Refusal> {
    Ok(show::answer(StatusCode::OK, &instance.status().await?))
}
