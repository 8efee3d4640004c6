//! Starting an instance, once per idempotency key.

use std::collections::BTreeMap;
use std::fmt::Write;

use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use durable::client::{NamedCall, StartError};
use durable::protocol::Json;
use durable::{InstanceHandle, RuntimeStatus};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Refusal, show};
use crate::call::Call;
use crate::json::{self, Object, with_header};
use crate::links::encode;
use crate::problem::{Code, Problem};

/// The tag that contains the digest of a start with an idempotency key.
const TAG: &str = "durable.idempotency";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wanted {
    name: String,
    version: Option<String>,
    id: Option<String>,
    #[serde(default = "Json::null")]
    input: Json,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    start_at: Option<DateTime<Utc>>,
    #[serde(default)]
    replace_if: Vec<RuntimeStatus>,
}

pub(super) async fn start(call: Call) -> Result<Response, Refusal> {
    let asked: Wanted = call.body_as()?;
    let key = call.header("idempotency-key").map(str::trim);
    if key.is_some_and(str::is_empty) {
        return Err(Problem::invalid("the header `Idempotency-Key` is empty").into());
    }
    let digest = key.map(|_| digest(&asked));
    let mut named = named(&call, &asked);
    if let (Some(key), Some(digest)) = (key, &digest) {
        named = named.tag(TAG, digest);
        if asked.id.is_none() {
            named = named.instance_id(id_of(&asked.name, key));
        }
    }
    call.hub().check_input(&named)?;
    match call.hub().start_named(named).await {
        Ok(started) => finish(&call, &started, false).await,
        Err(StartError::AlreadyExists { instance_id, .. }) if digest.is_some() => {
            let instance = call.hub().instance(instance_id.as_str());
            let instance = instance.map_err(|error| Problem::invalid(error.to_string()))?;
            let status = instance.status().await?;
            if status.tags.get(TAG) == digest.as_ref() {
                finish(&call, &instance, true).await
            } else {
                Err(Problem::new(
                    Code::KeyReused,
                    format!("`{instance_id}` was started with another request"),
                )
                .into())
            }
        }
        Err(error) => Err(error.into()),
    }
}

fn named(call: &Call, asked: &Wanted) -> NamedCall {
    let mut named = NamedCall::new(&*asked.name).input_json(asked.input.clone());
    for (key, value) in &asked.tags {
        named = named.tag(key, value);
    }
    if let Some(version) = &asked.version {
        named = named.version(version);
    }
    if let Some(id) = &asked.id {
        named = named.instance_id(id);
    }
    if let Some(time) = asked.start_at {
        named = named.start_at(time);
    }
    if let Some(trace) = call.trace() {
        named = named.trace_context(trace);
    }
    named.replace_if(asked.replace_if.iter().copied())
}

/// The id of an instance that is started with a key and without an id.
fn id_of(name: &str, key: &str) -> String {
    let digest = Sha256::new().chain_update(name).chain_update([0]).chain_update(key).finalize();
    format!("idem-{}", hex(&digest[..16]))
}

/// The properties that must be equal in starts with the same idempotency key.
fn digest(asked: &Wanted) -> String {
    let version = asked.version.as_deref().unwrap_or_default();
    let start_at = asked.start_at.map(|time| time.to_rfc3339()).unwrap_or_default();
    let tags = asked.tags.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
    let mut digest = Sha256::new();
    for part in
        [asked.name.as_str(), version, asked.input.as_str(), &start_at].into_iter().chain(tags)
    {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    hex(&digest.finalize()[..16])
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Answers 201; or with `Prefer: wait=..`, 200 with the ended instance, or 202.
async fn finish(
    call: &Call,
    instance: &InstanceHandle,
    is_replayed: bool,
) -> Result<Response, Refusal> {
    let id = instance.instance_id().as_str();
    let location = call.place().below(&format!("instances/{}", encode(id)));
    let body = Object::new().with("instanceId", id).with("url", &location);
    let answer = match call.preferred_wait() {
        None => json::answer(StatusCode::CREATED, &body),
        Some(limit) => {
            let ended = call.within(limit, instance.wait_for_completion()).await;
            let answer = match ended.transpose()? {
                Some(status) if status.runtime_status.is_finished() => {
                    show::answer(StatusCode::OK, &instance.details().await?)
                }
                _ => with_header(json::answer(StatusCode::ACCEPTED, &body), "retry-after", "5"),
            };
            with_header(answer, "preference-applied", &format!("wait={}", limit.as_secs()))
        }
    };
    let answer = with_header(answer, "location", &location);
    Ok(if is_replayed { with_header(answer, "idempotency-replayed", "true") } else { answer })
}
