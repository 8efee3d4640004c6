//! Webhooks: lifecycle events that are sent to URLs in the form that Standard Webhooks defines.
//!
//! Rules:
//! 1. A delivery is an orchestration that starts in the commit of the change. So each change starts exactly
//!    one delivery, which is then sent at least once.
//! 2. The label of a webhook is in histories. Its URL and its secrets are neither in histories nor in
//!    logs: an activity takes them from the hub's shared state when it sends.
//! 3. All attempts of a delivery have the same id. Each attempt has its own timestamp and
//!    signatures, because receivers refuse timestamps that are older than 5 minutes.
//! 4. A delivery causes no deliveries, because hooks cause no lifecycle events.
//!
//! Read next: `config.rs` (the user's settings), `delivery.rs` (the attempts), `schedule.rs` (the
//! waits between them), `endpoint.rs` (disabled endpoints).

mod config;
mod delivery;
mod endpoint;
mod message;
mod pause;
mod schedule;
mod secret;

use durable::client::TaskHubBuilder;

use delivery::{attempt_once, deliver};
use endpoint::Endpoint;

pub use config::{InvalidWebhook, Webhook, Webhooks};
pub use endpoint::enable_webhook;
pub use secret::InvalidSecret;

/// Adds webhooks to a hub. Requires the feature `webhooks`.
///
/// ```
/// use durable::client::TaskHubBuilder;
/// use durable_http::{SendWebhooks, Webhooks};
///
/// fn with_webhooks(hub: TaskHubBuilder, webhooks: Webhooks) -> TaskHubBuilder {
///     hub.webhooks(webhooks)
/// }
/// ```
pub trait SendWebhooks {
    /// Sends the lifecycle events of the hub to these webhooks. Call this once: a second call
    /// replaces the webhooks, but the hub still starts deliveries to those of the first call.
    ///
    /// Deliveries work even with [`only_registered`](TaskHubBuilder::only_registered). See
    /// [`Webhooks`] for an example.
    #[must_use = "a builder does nothing until it is opened"]
    fn webhooks(self, webhooks: Webhooks) -> Self;

    #[doc(hidden)]
    fn only_implemented_here(&self);
}

impl SendWebhooks for TaskHubBuilder {
    fn webhooks(self, webhooks: Webhooks) -> Self {
        // Hubs with `only_registered` register nothing by themselves.
        let mut hub = self.register::<deliver>().register::<attempt_once>();
        hub = hub.register_entity::<Endpoint>();
        for (label, filter) in webhooks.hooks() {
            hub = hub.on_lifecycle_with::<deliver>(filter.clone(), label);
        }
        hub.state(webhooks)
    }

    fn only_implemented_here(&self) {}
}
