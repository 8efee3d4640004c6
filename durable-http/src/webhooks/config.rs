//! The configuration of webhooks: URLs, secrets, filters and retry schedules.

use std::fmt;
use std::time::Duration;

use axum::http::Uri;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use durable::client::LifecycleFilter;
use durable::http::HttpRequest;
use sha2::{Digest, Sha256};

use super::pause::Pause;
use super::secret::{InvalidSecret, Secret};

/// The waits before each retry: the example schedule in the section "Deliverability and
/// reliability" of the Standard Webhooks specification, with ten attempts in 75 h 35 min.
const RETRIES: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

/// The time limit of an attempt. Standard Webhooks recommends 15 to 30 s.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The maximum number of characters in a label.
const LABEL_MAX: usize = 64;

/// The error for a webhook that was refused. Its text contains neither the URL nor a secret.
///
/// ```
/// use durable_http::{InvalidWebhook, Webhook};
///
/// let secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";
/// let error = Webhook::new("billing", "http://billing.example/hook", secret).unwrap_err();
/// assert!(matches!(error, InvalidWebhook::Insecure { .. }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidWebhook {
    /// The label is empty, is longer than 64 characters, or contains a character other than ASCII
    /// letters, digits, `-` and `_`.
    #[error("invalid label `{0}` of a webhook; use 1 to 64 ASCII letters, digits, `-` and `_`")]
    Label(String),
    /// The URL cannot be requested.
    #[error("the URL of webhook `{label}` {reason}; write it as `https://host/path`")]
    #[non_exhaustive]
    Url {
        /// The label of the webhook.
        label: String,
        /// What is invalid.
        reason: &'static str,
    },
    /// The scheme of the URL is `http`, and its host is not a loopback host.
    #[error(
        "webhook `{label}` would send events to `{host}` without TLS; use https, or \
         `Webhook::without_tls` in a network that you trust"
    )]
    #[non_exhaustive]
    Insecure {
        /// The label of the webhook.
        label: String,
        /// The host.
        host: String,
    },
    /// A secret is invalid.
    #[error("a secret of webhook `{label}` is invalid")]
    #[non_exhaustive]
    Secret {
        /// The label of the webhook.
        label: String,
        /// What is invalid.
        source: InvalidSecret,
    },
    /// Two webhooks have the same label.
    #[error(
        "two webhooks have the label `{0}`; give each its own, because deliveries find their webhook by it"
    )]
    Duplicate(String),
}

/// A URL to which lifecycle events are sent. Requires the feature `webhooks`.
///
/// ```
/// use durable::client::{LifecycleFilter, LifecycleKind};
/// use durable_http::Webhook;
///
/// # let (secret, old_secret) = (
/// #     "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
/// # );
/// let failed_orders = LifecycleFilter::new().kind(LifecycleKind::Failed).name("order");
/// let webhook = Webhook::new("shop", "https://shop.example/hooks/durable", secret)?
///     .also_sign_with(old_secret)?
///     .filter(failed_orders);
/// # Ok::<(), durable_http::InvalidWebhook>(())
/// ```
#[derive(Clone)]
#[must_use = "a webhook does nothing until it is given to `Webhooks`"]
pub struct Webhook {
    label: String,
    url: String,
    secrets: Vec<Secret>,
    filter: LifecycleFilter,
    retries: Vec<Duration>,
    timeout: Duration,
    pub(super) pause: Pause,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL of an endpoint is often a secret, too.
        f.debug_struct("Webhook")
            .field("label", &self.label)
            .field("secrets", &self.secrets.len())
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}

impl Webhook {
    /// Sends all lifecycle events to this URL. The secret signs them and is shared with the
    /// receiver: `whsec_` and the base64 of 24 to 64 random bytes.
    ///
    /// The label names the webhook in logs and in histories. Deliveries that are pending when the
    /// program restarts find their webhook by its label, so keep the label when the URL or the
    /// secret changes.
    ///
    /// # Errors
    /// The label, the URL or the secret is invalid. The scheme of the URL has to be `https`; `http`
    /// is allowed only for `localhost` and loopback addresses.
    pub fn new(
        label: impl Into<String>,
        url: impl Into<String>,
        secret: impl AsRef<str>,
    ) -> Result<Self, InvalidWebhook> {
        let webhook = Self::without_tls(label, url, secret)?;
        let uri = webhook.parsed_url()?;
        let host = uri.host().unwrap_or_default();
        if uri.scheme_str() == Some("http") && !is_loopback(host) {
            let (label, host) = (webhook.label, host.to_owned());
            return Err(InvalidWebhook::Insecure { label, host });
        }
        Ok(webhook)
    }

    /// Like [`new`](Self::new), but allows the scheme `http` for every host. An attacker in the
    /// network can then read the events, but cannot forge them.
    ///
    /// # Errors
    /// The label, the URL or the secret is invalid.
    pub fn without_tls(
        label: impl Into<String>,
        url: impl Into<String>,
        secret: impl AsRef<str>,
    ) -> Result<Self, InvalidWebhook> {
        let (label, url) = (label.into(), url.into());
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if label.is_empty() || label.len() > LABEL_MAX || !label.bytes().all(is_known) {
            return Err(InvalidWebhook::Label(label));
        }
        let webhook = Self {
            label,
            url,
            secrets: Vec::new(),
            filter: LifecycleFilter::new(),
            retries: RETRIES.to_vec(),
            timeout: TIMEOUT,
            pause: Pause::default(),
        };
        webhook.parsed_url()?;
        webhook.also_sign_with(secret)
    }

    /// Also signs with this secret. Each request then has several signatures, and a receiver accepts it
    /// if any of them is valid.
    ///
    /// To rotate a secret, sign with the old and the new one until every receiver has the new one.
    ///
    /// # Errors
    /// The secret is invalid.
    pub fn also_sign_with(mut self, secret: impl AsRef<str>) -> Result<Self, InvalidWebhook> {
        match Secret::parse(secret.as_ref()) {
            Ok(secret) => self.secrets.push(secret),
            Err(source) => return Err(InvalidWebhook::Secret { label: self.label, source }),
        }
        Ok(self)
    }

    /// Sends only events that match this filter.
    pub fn filter(self, filter: LifecycleFilter) -> Self {
        Self { filter, ..self }
    }

    /// Sets the minimum wait before each retry. If the iterator is empty, a delivery is attempted
    /// once.
    ///
    /// By default, there are nine retries: after 5 s, 5 min, 30 min, and 2, 5, 10, 14, 20 and 24 h. This
    /// is the example schedule of the [Standard Webhooks] specification, which recommends exponential
    /// backoff over several days, so that an outage of the receiver over a weekend loses no event.
    ///
    /// If a response has a `Retry-After` that is longer than the wait, it replaces the wait, up to
    /// 24 h. Each wait is then extended by random jitter of up to 20%, so that deliveries that
    /// failed in the same outage are not all retried at the same time.
    ///
    /// [Standard Webhooks]: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#deliverability-and-reliability
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use durable_http::Webhook;
    /// # fn hourly(webhook: Webhook) -> Webhook {
    /// webhook.retries([Duration::from_mins(1), Duration::from_hours(1), Duration::from_hours(1)])
    /// # }
    /// ```
    pub fn retries(self, waits: impl IntoIterator<Item = Duration>) -> Self {
        Self { retries: waits.into_iter().collect(), ..self }
    }

    /// Limits the time until the endpoint responds to an attempt. The default is 20 seconds.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The wait after an attempt, counted from 1, has failed; `None` if it was the last one.
    pub(super) fn wait_after(&self, attempt: usize) -> Option<Duration> {
        self.retries.get(attempt.saturating_sub(1)).copied()
    }

    /// Identifies the URL in the store without revealing it.
    pub(super) fn fingerprint(&self) -> String {
        let digest = Sha256::digest(&self.url);
        URL_SAFE_NO_PAD.encode(digest.split_at(16).0)
    }

    /// The signed request of a delivery that is sent at `timestamp`, in seconds since 1970.
    pub(super) fn request(&self, id: &str, timestamp: i64, body: String) -> HttpRequest {
        let signatures = self.secrets.iter().map(|secret| secret.sign(id, timestamp, &body));
        let signatures: Vec<_> = signatures.collect();
        HttpRequest::post(&self.url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", signatures.join(" "))
            .text(body)
            .timeout(self.timeout)
            // A redirect could send the event to another party. Receivers use the `webhook-id` as the
            // idempotency key.
            .max_redirects(0)
            .no_idempotency_key()
    }

    fn parsed_url(&self) -> Result<Uri, InvalidWebhook> {
        let invalid = |reason| InvalidWebhook::Url { label: self.label.clone(), reason };
        let url: Uri = self.url.parse().map_err(|_| invalid("is not a URL"))?;
        match url.scheme_str() {
            Some("http" | "https") => {}
            Some(_) => return Err(invalid("has another scheme than `https` and `http`")),
            None => return Err(invalid("is not absolute")),
        }
        let authority = url.authority().ok_or_else(|| invalid("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(invalid("has credentials, which are not sent"));
        }
        if authority.host().is_empty() {
            return Err(invalid("has no host"));
        }
        Ok(url)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = |address: std::net::IpAddr| address.is_loopback();
    host.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(is_loopback)
}

/// The webhooks of a hub. Requires the feature `webhooks`.
///
/// Lifecycle events are sent durably, in the form that
/// [Standard Webhooks](https://www.standardwebhooks.com) defines. Each event that matches the filter
/// of a webhook starts a delivery in the same commit as the change, so a crash neither loses an
/// event nor starts a second delivery. A delivery is repeated until a response has a 2xx status.
///
/// ```
/// # use durable::prelude::*;
/// use durable::client::{LifecycleFilter, LifecycleKind};
/// use durable_http::{SendWebhooks, Webhook, Webhooks};
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// # let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// let failures = LifecycleFilter::new().kind(LifecycleKind::Failed);
/// let alerts = Webhook::new("alerts", "https://alerts.example/in", secret)?.filter(failures);
/// let hub = TaskHub::builder().in_memory().webhooks(Webhooks::new([alerts])?).open().await?;
/// # hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Responses
/// * 2xx: the event is delivered.
/// * 410: the endpoint is disabled, and its pending and later events are dropped. It stays disabled
///   after a restart of the program, until [`enable_webhook`](crate::enable_webhook) is called or
///   the webhook gets another URL.
/// * 429, 502, 504, and 503 with `Retry-After`: the delivery is retried, and until then nothing
///   else is sent to the endpoint, for at most 1 h.
/// * Any other response, including a redirect, or no response: the delivery is
///   [retried](Webhook::retries) with the same `webhook-id`, a new timestamp and new signatures. If
///   the last attempt fails, this is logged at level `WARN`, and the delivery remains as a failed
///   instance of `durable.Webhook`. Restart this instance to send the event again.
#[derive(Clone, Debug)]
#[must_use = "webhooks do nothing until they are given to a builder"]
pub struct Webhooks {
    all: Vec<Webhook>,
    hub_name: String,
}

impl Webhooks {
    /// Creates the webhooks of a hub.
    ///
    /// # Errors
    /// Two webhooks have the same label.
    pub fn new(all: impl IntoIterator<Item = Webhook>) -> Result<Self, InvalidWebhook> {
        let all: Vec<_> = all.into_iter().collect();
        for (index, webhook) in all.iter().enumerate() {
            if all[..index].iter().any(|earlier| earlier.label == webhook.label) {
                return Err(InvalidWebhook::Duplicate(webhook.label.clone()));
            }
        }
        Ok(Self { all, hub_name: "durable".to_owned() })
    }

    /// Sets the name of the hub in the events. The default is `durable`.
    pub fn hub_name(self, name: impl Into<String>) -> Self {
        Self { hub_name: name.into(), ..self }
    }

    pub(super) fn find(&self, label: &str) -> Option<&Webhook> {
        self.all.iter().find(|webhook| webhook.label == label)
    }

    pub(super) fn name_of_hub(&self) -> &str {
        &self.hub_name
    }

    /// Labels and filters.
    pub(super) fn hooks(&self) -> impl Iterator<Item = (&str, &LifecycleFilter)> {
        self.all.iter().map(|webhook| (&*webhook.label, &webhook.filter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn error(label: &str, url: &str, secret: &str) -> String {
        Webhook::new(label, url, secret).unwrap_err().to_string()
    }

    #[test]
    fn a_url_needs_tls_unless_its_host_is_loopback() {
        for url in
            ["https://a.example", "http://localhost:1/x", "http://127.0.0.1", "http://[::1]:8/"]
        {
            assert_eq!(Webhook::new("a", url, SECRET).unwrap().url, url);
        }
        let refused = error("a", "http://a.example/x?code=1", SECRET);
        let expected = "webhook `a` would send events to `a.example` without TLS; use https, or \
                        `Webhook::without_tls` in a network that you trust";
        assert_eq!(refused, expected);
        let url = "http://a.example/x";
        assert_eq!(Webhook::without_tls("a", url, SECRET).unwrap().url, url);
    }

    #[test]
    fn an_error_contains_neither_the_url_nor_the_secret() {
        for url in ["", "/x", "ftp://a.example", "https://me:pw@a.example", "https://", "a b"] {
            let refused = error("a", url, SECRET);
            assert!(refused.starts_with("the URL of webhook `a` "), "{url}: {refused}");
            assert!(!refused.contains("pw"), "{refused}");
        }
        for label in ["", "a b", "a@b", "a.b", "a\u{e4}", &"a".repeat(65)] {
            let refused = error(label, "https://a.example", SECRET);
            assert!(refused.starts_with("invalid label `"), "{label}: {refused}");
        }
        let refused = Webhook::new("a", "https://a.example", "whsec_c2hvcnQ=").unwrap_err();
        let source = InvalidSecret::Length(5);
        assert_eq!(refused, InvalidWebhook::Secret { label: "a".to_owned(), source });
        assert!(!format!("{refused:?} {refused}").contains("c2hvcnQ"), "{refused:?}");
    }

    #[test]
    fn two_webhooks_with_one_label_are_refused_and_debug_prints_neither_url_nor_secret() {
        let webhook = |label| Webhook::new(label, "https://a.example/token", SECRET).unwrap();
        let refused = Webhooks::new([webhook("a"), webhook("b"), webhook("a")]).unwrap_err();
        assert_eq!(refused, InvalidWebhook::Duplicate("a".to_owned()));
        let printed = format!("{:?}", Webhooks::new([webhook("a"), webhook("b")]).unwrap());
        assert!(!printed.contains("token") && !printed.contains("MfKQ"), "{printed}");
    }

    #[test]
    fn a_request_has_a_signature_of_each_secret() {
        let other = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
        let webhook = Webhook::new("a", "https://a.example", SECRET).unwrap();
        let both = webhook.also_sign_with(other).unwrap();
        let body = r#"{"test": 2432232314}"#.to_owned();
        let request = both.request("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        let signatures: Vec<_> =
            request.header_value("webhook-signature").unwrap().split(' ').collect();
        assert_eq!(signatures.len(), 2);
        assert_eq!(signatures[0], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(signatures[1].starts_with("v1,") && signatures[1] != signatures[0]);
    }
}
