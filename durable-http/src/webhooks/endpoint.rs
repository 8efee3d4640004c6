//! Entities that record which endpoints of webhooks are disabled.

use durable::client::EntityError;
use durable::{TaskHub, entity};
use serde::{Deserialize, Serialize};

/// The endpoint of the webhook whose label is the key.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Endpoint {
    /// The fingerprint of the URL that responded with 410. Other URLs are not disabled.
    disabled: Option<String>,
}

#[entity(name = "durable.WebhookEndpoint")]
impl Endpoint {
    pub(super) fn disabled(&self) -> Option<String> {
        self.disabled.clone()
    }

    pub(super) fn disable(&mut self, url: String) {
        self.disabled = Some(url);
    }

    pub(super) fn enable(&mut self) {
        self.disabled = None;
    }
}

/// Enables the endpoint of a webhook that was disabled by a 410. Events that were dropped before are
/// not sent. If the endpoint is enabled, this has no effect. Requires the feature `webhooks`.
///
/// Over HTTP, send the signal `enable` to the entity `durable.WebhookEndpoint` whose key is the label:
/// `POST /api/v1/entities/durable.WebhookEndpoint/{label}:signal/enable`.
///
/// ```
/// # async fn enable(hub: &durable::TaskHub) -> durable::Result<()> {
/// durable_http::enable_webhook(hub, "alerts").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The hub is shut down or has failed.
pub async fn enable_webhook(hub: &TaskHub, label: &str) -> Result<(), EntityError> {
    hub.signal_entity(Endpoint::at(label).enable()).await
}
