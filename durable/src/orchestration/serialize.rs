//! Values of any type that implements `Serialize`, as JSON that is stored.

use serde::Serialize;

use crate::limits::Limits;
use crate::payload::InvalidPayload;
use crate::protocol::Json;
use crate::replay_rules;

/// A value as JSON within the payload limit.
pub(crate) fn json_of(
    what: &str,
    value: &(impl Serialize + ?Sized),
    limits: &Limits,
) -> Result<Json, Box<InvalidPayload>> {
    let json = written(what, value)?;
    limits.check_payload(what, json.len())?;
    Ok(Json::trusted(json))
}

/// A value as JSON that is not nested too deeply to be read back. Its type may not be readable.
pub(super) fn written(
    what: &str,
    value: &(impl Serialize + ?Sized),
) -> Result<String, Box<InvalidPayload>> {
    let json =
        serde_json::to_string(value).map_err(|error| InvalidPayload::no_json(what, error))?;
    // Release 0.1 did not check this, and an orchestrator that it started must behave as before.
    let checks = !replay_rules::are_those_of_release_0_1();
    let depth = if checks { Json::depth_of(&json) } else { 0 };
    if depth > Json::DEPTH_MAX {
        let max = Json::DEPTH_MAX;
        return Err(Box::new(InvalidPayload::TooDeep { what: what.to_owned(), depth, max }));
    }
    Ok(json)
}
