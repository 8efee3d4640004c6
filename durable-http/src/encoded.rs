//! JSON that a client has encoded twice, as the Python client of Durable Functions 1.x does.
//!
//! The text inside a JSON string is taken only if the called function cannot read the string
//! itself.

use durable::TaskHub;
use durable::client::NamedCall;
use durable::protocol::Json;

use crate::options::HttpOptions;

/// The call with this input, or with the JSON inside it.
pub(crate) fn input(
    hub: &TaskHub,
    options: &HttpOptions,
    call: NamedCall,
    input: Json,
) -> NamedCall {
    let inner = inner(&input).filter(|_| options.unwraps);
    let call = call.input_json(input);
    let Some(inner) = inner else { return call };
    if hub.check_input(&call).is_ok() {
        return call;
    }
    let unwrapped = call.clone().input_json(inner);
    match hub.check_input(&unwrapped) {
        Ok(()) => unwrapped,
        Err(_) => call,
    }
}

/// The input that the client may have meant: the JSON inside the string, or no input, for which the
/// JavaScript client sends `""`.
fn inner(input: &Json) -> Option<Json> {
    match input.as_str() {
        "\"\"" => Some(Json::null()),
        _ => input.inside(),
    }
}
