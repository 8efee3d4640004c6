//! What sends requests: the client of this crate, a mock, or a client of the user.

use std::pin::Pin;

use super::error::HttpError;
use super::request::HttpRequest;
use super::response::HttpResponse;

/// A sender of requests that replaces the client of this crate, for example to use a proxy or a
/// client certificate. See
/// [`TaskHubBuilder::http_sender`](crate::client::TaskHubBuilder::http_sender).
///
/// The sender gets each request with all its header fields, including the token, and returns the
/// response unchanged: the caller follows redirects, limits the time and retries. The
/// [`HttpPolicy`](super::HttpPolicy) has checked the URL, but not the address to which its host
/// resolves. Checking the address is the sender's duty.
///
/// ```
/// use durable::http::{HttpError, HttpRequest, HttpResponse, HttpSend};
///
/// /// Answers every request itself.
/// struct Echo;
///
/// impl HttpSend for Echo {
///     async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
///         Ok(HttpResponse::new(200).with_bytes(request.body_bytes()))
///     }
/// }
///
/// let hub = durable::TaskHub::builder().in_memory().http_sender(Echo);
/// ```
pub trait HttpSend: Send + Sync + 'static {
    /// Sends a request and returns its response, with at most
    /// [`response_limit`](HttpRequest::response_limit) bytes of body.
    fn send(
        &self,
        request: HttpRequest,
    ) -> impl Future<Output = Result<HttpResponse, HttpError>> + Send;
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

/// An [`HttpSend`] of any type.
pub(crate) trait DynSend: Send + Sync {
    fn send(&self, request: HttpRequest) -> Sending<'_>;
}

impl<S: HttpSend> DynSend for S {
    fn send(&self, request: HttpRequest) -> Sending<'_> {
        Box::pin(HttpSend::send(self, request))
    }
}
