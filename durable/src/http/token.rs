//! Token sources: secrets that are fetched when a request is sent, and never stored.

use std::fmt;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::activity::ActivityContext;
use crate::error::Result;

/// A source of the credentials of requests, such as a token that expires.
///
/// A request names its source ([`HttpRequest::token_source`](super::HttpRequest::token_source)), and
/// [`TaskHubBuilder::token_source`](crate::client::TaskHubBuilder::token_source) gives the hub the
/// source of that name. The activity asks the source in each attempt of each request, so a token
/// may expire between attempts. A token is neither stored nor logged.
///
/// If the source fails, the attempt fails with [`HttpError::Token`](super::HttpError::Token), and a
/// retry policy may retry it.
///
/// ```
/// # use durable::prelude::*;
/// use durable::http::{HttpRequest, Secret, TokenSource};
///
/// /// The identity of this machine.
/// struct MachineIdentity;
///
/// impl TokenSource for MachineIdentity {
///     async fn token(&self, _ctx: &ActivityContext) -> Result<Secret> {
///         # async fn fetch_token() -> std::io::Result<String> { Ok(String::new()) }
///         Ok(Secret::bearer(fetch_token().await?))
///     }
/// }
///
/// #[orchestrator]
/// async fn list_machines(ctx: &OrchestrationContext) -> Result<String> {
///     let request = HttpRequest::get("https://cloud.example.com/machines").token_source("cloud");
///     let response = ctx.call_http(request).await?.error_for_status()?;
///     Ok(response.text().unwrap_or_default().to_owned())
/// }
///
/// let hub = TaskHub::builder().in_memory().token_source("cloud", MachineIdentity);
/// ```
pub trait TokenSource: Send + Sync + 'static {
    /// Returns the credentials for one request. `ctx` is the context of the built-in activity and
    /// names the instance that sends the request.
    ///
    /// # Errors
    /// If there is no token. A [non-retriable](crate::Error::non_retriable) error is not retried.
    /// The text of the error is recorded, so it must not contain a secret.
    fn token(&self, ctx: &ActivityContext) -> impl Future<Output = Result<Secret>> + Send;
}

/// A secret that never changes, such as the key of a service.
impl TokenSource for Secret {
    async fn token(&self, _: &ActivityContext) -> Result<Secret> {
        Ok(self.clone())
    }
}

/// Credentials: a header field that cannot be serialized and whose value `Debug` does not show.
///
/// ```
/// use durable::http::Secret;
///
/// assert_eq!(format!("{:?}", Secret::bearer("s3cret")), "Secret(authorization)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    name: String,
    value: String,
}

impl Secret {
    /// Creates the header field `Authorization: Bearer <token>`.
    pub fn bearer(token: impl fmt::Display) -> Self {
        Self::header("authorization", format!("Bearer {token}"))
    }

    /// Creates the header field `Authorization: Basic <user:password, encoded>`.
    pub fn basic(user: impl fmt::Display, password: impl fmt::Display) -> Self {
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        Self::header("authorization", format!("Basic {encoded}"))
    }

    /// Creates any header field, such as `x-functions-key`.
    pub fn header(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }

    pub(super) fn field(&self) -> (&str, &str) {
        (&self.name, &self.value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.name)
    }
}

/// A [`TokenSource`] of any type.
pub(super) trait DynTokenSource: Send + Sync {
    fn token<'a>(
        &'a self,
        ctx: &'a ActivityContext,
    ) -> Pin<Box<dyn Future<Output = Result<Secret>> + Send + 'a>>;
}

impl<S: TokenSource> DynTokenSource for S {
    fn token<'a>(
        &'a self,
        ctx: &'a ActivityContext,
    ) -> Pin<Box<dyn Future<Output = Result<Secret>> + Send + 'a>> {
        Box::pin(TokenSource::token(self, ctx))
    }
}
