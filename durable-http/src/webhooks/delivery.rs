//! A delivery: attempts until the endpoint accepts it, each by an activity.
//!
//! The histories of pending deliveries record the requests and their order, so any change here must
//! fit them.

use std::time::Duration;

use durable::client::LifecycleEvent;
use durable::http::HttpError;
use durable::{ActivityContext, Error, OrchestrationContext, Result, activity, orchestrator};
use serde::{Deserialize, Serialize};

use super::config::{Webhook, Webhooks};
use super::endpoint::Endpoint;
use super::message;
use super::schedule;

/// The wait before the next attempt while the program has no webhook with this label.
const UNKNOWN_WAIT: Duration = Duration::from_hours(1);
/// The attempts before such a delivery fails. They take as long as the default retries: 3 days.
const UNKNOWN_ATTEMPTS: usize = 76;

/// The result of an attempt, as the history records it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Outcome {
    Delivered,
    /// The endpoint is disabled, so nothing was sent.
    Dropped,
    /// The endpoint, with the fingerprint of its URL, answered 410.
    Gone(String),
    /// The wait is in milliseconds; `None` after the last attempt.
    Failed {
        reason: String,
        wait: Option<u64>,
    },
    /// Nothing was sent, because the endpoint is paused. The wait is in milliseconds.
    Paused {
        wait: u64,
    },
}

/// Sends an event to a webhook. It starts in the commit of the change that the event reports, and is
/// purged when it completes.
#[orchestrator(name = "durable.Webhook")]
pub(super) async fn deliver(
    ctx: &OrchestrationContext,
    event: LifecycleEvent,
    webhook: String,
) -> Result<()> {
    let endpoint = Endpoint::at(&webhook);
    let id = message_id(ctx.instance_id().as_str());
    let mut attempt = 1;
    loop {
        let disabled = endpoint.disabled().await?;
        match attempt_once(&webhook, &id, attempt, &event, disabled).await? {
            Outcome::Delivered | Outcome::Dropped => return Ok(()),
            Outcome::Gone(url) => {
                endpoint.disable(url).signal()?;
                return Ok(());
            }
            Outcome::Failed { wait: Some(wait), .. } => {
                ctx.create_timer(Duration::from_millis(wait)).await;
                attempt += 1;
            }
            // Not an attempt.
            Outcome::Paused { wait } => {
                ctx.create_timer(Duration::from_millis(wait)).await;
            }
            Outcome::Failed { wait: None, reason } => {
                let (kind, about) = (message::event_type(&event), &event.instance_id);
                return Err(Error::msg(format!(
                    "webhook `{webhook}` did not accept `{kind}` of `{about}` after {attempt} \
                     attempts ({reason}); restart this instance to send it again"
                )));
            }
        }
    }
}

/// The id of the message, which is the same in every attempt and after a restart of the delivery. It
/// contains no full stop, because full stops separate the parts of the signed text.
fn message_id(instance: &str) -> String {
    let unique = instance.rsplit(':').next().unwrap_or(instance);
    format!("msg_{}", unique.replace('.', "-"))
}

/// Signs and sends a message, unless its endpoint is disabled.
#[activity(name = "durable.WebhookSend")]
pub(super) async fn attempt_once(
    ctx: &ActivityContext,
    webhook: &str,
    id: &str,
    attempt: usize,
    event: &LifecycleEvent,
    disabled: Option<String>,
) -> Result<Outcome> {
    let hooks = ctx.state::<Webhooks>();
    let config = hooks.as_ref().and_then(|hooks| Some((hooks.find(webhook)?, hooks.name_of_hub())));
    let (wait, outcome) = match config {
        Some((config, _)) if disabled.is_some_and(|url| url == config.fingerprint()) => {
            return Ok(Outcome::Dropped);
        }
        Some((config, hub_name)) => {
            if let Some(rest) = config.pause.rest(ctx.current_utc_datetime()) {
                return Ok(Outcome::Paused { wait: schedule::millis(rest, None, id, attempt) });
            }
            let body = message::body(hub_name, event);
            (config.wait_after(attempt), send(ctx, config, id, body).await)
        }
        None => {
            let reason = "the program has no webhook of this label".to_owned();
            ((attempt < UNKNOWN_ATTEMPTS).then_some(UNKNOWN_WAIT), Err(reason.into()))
        }
    };
    let (kind, instance) = (message::event_type(event), &event.instance_id);
    let Refused { reason, retry_after } = match outcome {
        Ok(outcome) => {
            if let Outcome::Gone(_) = outcome {
                tracing::warn!(webhook, %kind, %instance, "endpoint answered 410 and is disabled");
            }
            return Ok(outcome);
        }
        Err(refused) => refused,
    };
    if wait.is_none() {
        tracing::warn!(webhook, %kind, %instance, id, attempt, reason, "event was not delivered");
    } else {
        tracing::debug!(webhook, %kind, %instance, id, attempt, reason, "attempt failed");
    }
    let wait = wait.map(|wait| schedule::millis(wait, retry_after, id, attempt));
    Ok(Outcome::Failed { reason, wait })
}

/// A failed attempt.
struct Refused {
    reason: String,
    /// The wait that the response requests.
    retry_after: Option<Duration>,
}

impl From<String> for Refused {
    fn from(reason: String) -> Self {
        Self { reason, retry_after: None }
    }
}

/// Makes one attempt. An error leads to a retry.
async fn send(
    ctx: &ActivityContext,
    webhook: &Webhook,
    id: &str,
    body: String,
) -> Result<Outcome, Refused> {
    let timestamp = ctx.current_utc_datetime().timestamp();
    let sent = ctx.send_http(webhook.request(id, timestamp, body)).await;
    let response = sent.map_err(|error| without_url(&error))?;
    match response.status() {
        200..=299 => Ok(Outcome::Delivered),
        410 => Ok(Outcome::Gone(webhook.fingerprint())),
        status => {
            let now = ctx.current_utc_datetime();
            let retry_after = response.retry_after(now);
            webhook.pause.note(status, retry_after, now);
            let reason = format!("the response has status {status}");
            Err(Refused { reason, retry_after })
        }
    }
}

/// The text of an error without the URL, which may be a secret.
fn without_url(error: &HttpError) -> String {
    match error {
        HttpError::Unreachable { message, .. } => format!("no response: {message}"),
        HttpError::Timeout { limit, .. } => format!("no response within {limit:?}"),
        HttpError::Denied { reason, .. } => format!("the request was refused: {reason}"),
        HttpError::InvalidRequest { reason, .. } => format!("invalid request: {reason}"),
        HttpError::TooLarge { limit, .. } => {
            format!("the response is larger than {limit} bytes")
        }
        // The other errors concern tokens and redirects, which these requests do not have.
        _ => "the request failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_has_no_full_stop() {
        assert_eq!(message_id("durable.event:0a1b"), "msg_0a1b");
        assert_eq!(message_id("a.b"), "msg_a-b");
    }
}
