//! Callback links: each raises one event of one instance, once, until it expires, without an API
//! key.
//!
//! Rules:
//! 1. An orchestrator describes a link ([`CallbackUrl`]), and an activity makes the link
//!    ([`CallbackKeys::link`]). So neither the secret nor the link is in a history.
//! 2. A link is a capability: every holder may raise the event. It is never logged.
//! 3. `GET` changes nothing, because mail scanners follow links. `POST` raises the event.
//! 4. The start of an instance whose id is derived from the link uses it up, and raises the event
//!    in the same commit. The instance stays until the link has expired.
//!
//! Read next: `token.rs` (the signed content), `routes.rs` (the answers).

mod pages;
mod routes;
mod token;

use std::time::Duration;

use chrono::{DateTime, Utc};
use durable::protocol::{ExecutionId, Json};
use durable::{InstanceId, OrchestrationContext, orchestrator};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) use routes::{BASE, TABLE};
pub use token::{CallbackKeys, WeakSecret};

/// How long a link is valid by default.
const VALID_FOR: Duration = Duration::from_hours(7 * 24);

/// The description of a callback link: the event that it raises, the execution, and the time until
/// which it is valid.
///
/// An orchestrator creates it with [`callback_url`](Callbacks::callback_url) and passes it to an
/// activity, which makes the link with [`CallbackKeys::link`].
///
/// ```
/// use durable_http::{CallbackKeys, CallbackUrl};
///
/// /// The text of a mail, in an activity.
/// fn mail(keys: &CallbackKeys, approve: &CallbackUrl) -> String {
///     format!("Follow {} until {}", keys.link(approve), approve.expires_at())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackUrl {
    instance_id: InstanceId,
    execution_id: ExecutionId,
    event: String,
    payload: Json,
    prompt: Option<String>,
    #[serde(with = "chrono::serde::ts_seconds")]
    expires_at: DateTime<Utc>,
    #[serde(skip)]
    made_at: DateTime<Utc>,
    nonce: Uuid,
}

impl CallbackUrl {
    /// Sets how long the link is valid; by default 7 days. The time counts from the call of
    /// [`callback_url`](Callbacks::callback_url), in whole seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use durable::prelude::*;
    /// use durable_http::Callbacks;
    ///
    /// #[orchestrator]
    /// async fn approval(ctx: &OrchestrationContext) -> Result<()> {
    ///     let link = ctx.callback_url("approve").expires_in(Duration::from_hours(72));
    ///     # drop(link);
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.expires_at = after(self.made_at, time);
        self
    }

    /// Sets the payload of the event; by default `null`. The payload is a part of the link, so the
    /// holder of the link can read it but not change it.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable_http::Callbacks;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Approval { by: String, approved: bool }
    ///
    /// #[orchestrator]
    /// async fn approval(ctx: &OrchestrationContext) -> Result<bool> {
    ///     let yes = Approval { by: "Ada".into(), approved: true };
    ///     let link = ctx.callback_url("approval").payload(&yes)?;
    ///     # drop(link);
    ///     // An activity sends the link.
    ///     let answer: Approval = ctx.wait_for_external_event("approval").await?;
    ///     Ok(answer.approved)
    /// }
    /// ```
    ///
    /// # Errors
    /// The payload cannot be written as JSON.
    pub fn payload(mut self, payload: &(impl Serialize + ?Sized)) -> durable::Result<Self> {
        self.payload = Json::parse(&serde_json::to_string(payload)?)?;
        Ok(self)
    }

    /// Sets the question on the confirmation page; by default, the page asks whether to raise the
    /// event, by its name. The question is a part of the link.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable_http::Callbacks;
    ///
    /// #[orchestrator]
    /// async fn approval(ctx: &OrchestrationContext, what: String) -> Result<()> {
    ///     let link = ctx.callback_url("approve").prompt(format!("Approve {what}?"));
    ///     # drop(link);
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn prompt(mut self, prompt: impl Into<String>) -> Self {
        self.prompt = Some(prompt.into());
        self
    }

    /// Returns the instance that gets the event.
    pub fn instance_id(&self) -> &InstanceId {
        &self.instance_id
    }

    /// Returns the name of the event.
    pub fn event(&self) -> &str {
        &self.event
    }

    /// Returns when the link expires.
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// The instance whose existence marks the link as used.
    fn used_by(&self) -> String {
        format!("durable.callback:{}", self.nonce)
    }
}

/// The end of this time, to the second.
fn after(began: DateTime<Utc>, time: Duration) -> DateTime<Utc> {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let end = began.timestamp().saturating_add(seconds);
    DateTime::from_timestamp(end, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The methods of an orchestration's context that describe callback links.
///
/// ```
/// # use durable::prelude::*;
/// use durable_http::{CallbackUrl, Callbacks};
///
/// # #[activity]
/// # async fn ask(approve: &CallbackUrl) -> Result<()> { let _ = approve; Ok(()) }
/// #[orchestrator]
/// async fn approval(ctx: &OrchestrationContext) -> Result<()> {
///     ask(&ctx.callback_url("approve")).await?;
///     Ok(ctx.wait_for_external_event("approve").await?)
/// }
/// ```
pub trait Callbacks {
    /// Describes a link that raises the event `event` in this execution, once. Each call describes
    /// a new link.
    ///
    /// An activity makes the link, with [`CallbackKeys::link`], so that the link is not in the
    /// history: more people may read the history than may answer. See [`CallbackKeys`] for an
    /// example.
    ///
    /// The link is valid for one execution: once the instance has ended, continued as new or been
    /// restarted, the link raises no event.
    fn callback_url(&self, event: &str) -> CallbackUrl;

    #[doc(hidden)]
    fn only_implemented_here(&self);
}

impl Callbacks for OrchestrationContext {
    fn callback_url(&self, event: &str) -> CallbackUrl {
        CallbackUrl {
            instance_id: self.instance_id().clone(),
            execution_id: self.execution_id(),
            event: event.to_owned(),
            payload: Json::null(),
            prompt: None,
            expires_at: after(self.current_utc_datetime(), VALID_FOR),
            made_at: self.current_utc_datetime(),
            nonce: self.new_guid(),
        }
    }

    fn only_implemented_here(&self) {}
}

/// Raises the event in the commit of its own start, and remembers that the link is used until the
/// link expires. The hub purges the instance when it completes.
#[orchestrator(name = "durable.Callback")]
async fn raise_once(ctx: &OrchestrationContext, link: CallbackUrl) -> durable::Result<()> {
    ctx.send_event(&link.instance_id, &link.event, &link.payload)?;
    ctx.create_timer(link.expires_at).await;
    Ok(())
}
