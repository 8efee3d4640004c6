//! The body of a delivery: an event in the form that Standard Webhooks defines.

use durable::client::LifecycleEvent;

use crate::json::Object;

/// The type of an event: `instance.completed`, `instance.continued_as_new`, and so on.
pub(super) fn event_type(event: &LifecycleEvent) -> String {
    let mut name = "instance.".to_owned();
    for (index, character) in format!("{:?}", event.kind).char_indices() {
        if character.is_ascii_uppercase() && index > 0 {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

/// The JSON of an event. Receivers read its fields, so their names never change.
pub(super) fn body(hub_name: &str, event: &LifecycleEvent) -> String {
    let data = Object::new()
        .with("hubName", hub_name)
        .with("instanceId", &event.instance_id)
        .with("name", &event.name)
        .with("version", &event.version)
        .with("parent", &event.parent)
        .with("runtimeStatus", &event.status)
        .with("createdAt", &event.created_at)
        .with("reason", &event.reason);
    let message = Object::new()
        .with("type", &event_type(event))
        .with("timestamp", &event.at)
        .with("data", &data);
    // An object of texts always has a JSON form.
    serde_json::to_string(&message).unwrap_or_default()
}
