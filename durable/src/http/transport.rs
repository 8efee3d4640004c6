//! The sender of this crate: `reqwest` with rustls, and a resolver that obeys the policy.

use std::error::Error as StdError;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, Method, Url};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::error::HttpError;
use super::policy::{HttpPolicy, refusal};
use super::request::HttpRequest;
use super::response::HttpResponse;
use super::send::HttpSend;

/// The clients of a hub. They are made when they are first needed, because the system's certificates
/// take time to load, and may be missing on a machine that needs none.
pub(super) struct Transport {
    policy: Arc<HttpPolicy>,
    plain: OnceLock<Result<Client, String>>,
    tls: OnceLock<Result<Client, String>>,
}

impl Transport {
    pub(super) fn new(policy: HttpPolicy) -> Self {
        let (plain, tls) = (OnceLock::new(), OnceLock::new());
        Self { policy: Arc::new(policy), plain, tls }
    }

    fn client(&self, url: &Url) -> Result<&Client, HttpError> {
        let client = match url.scheme() {
            "https" => self.tls.get_or_init(|| self.build(trusting_the_system())),
            _ => self.plain.get_or_init(|| self.build(trusting_nobody())),
        };
        client.as_ref().map_err(|message| {
            let message = format!("TLS cannot be set up: {message}");
            HttpError::Unreachable { url: url.to_string(), message }
        })
    }

    fn build(&self, tls: Result<ClientConfig, rustls::Error>) -> Result<Client, String> {
        let client = ClientBuilder::new()
            .tls_backend_preconfigured(tls.map_err(|error| error.to_string())?)
            // The caller follows redirects, and knows which credentials may go along.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .dns_resolver(Arc::new(Resolver(Arc::clone(&self.policy))));
        let client = if self.policy.allows_proxy() { client } else { client.no_proxy() };
        client.build().map_err(|error| error.to_string())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Checks a server's certificate as the other programs of this system do.
fn trusting_the_system() -> Result<ClientConfig, rustls::Error> {
    let verifier = Arc::new(Verifier::new(provider())?);
    let config =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    Ok(config?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// For requests without TLS.
fn trusting_nobody() -> Result<ClientConfig, rustls::Error> {
    let config =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    Ok(config?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

impl HttpSend for Transport {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let invalid = |what: &str, given: &str| {
            HttpError::invalid(request.url(), format!("its {what} `{given}`"))
        };
        let url = Url::parse(request.url());
        let url = url.map_err(|error| HttpError::invalid(request.url(), error))?;
        let method = Method::from_bytes(request.method().as_bytes());
        let method = method.map_err(|_| invalid("method", request.method()))?;
        let mut fields = HeaderMap::new();
        for (name, value) in request.headers() {
            let parsed = HeaderName::from_bytes(name.as_bytes());
            let parsed = parsed.map_err(|_| invalid("header name", name))?;
            // The value may be a secret.
            let value = HeaderValue::from_str(value);
            let value = value.map_err(|_| invalid("value of header", name))?;
            fields.append(parsed, value);
        }
        let mut sent = self.client(&url)?.request(method, url.clone()).headers(fields);
        if request.has_body() {
            sent = sent.body(request.body_bytes().into_owned());
        }
        let failed = |error: reqwest::Error| failure(url.as_str(), &error.without_url());
        let mut response = sent.send().await.map_err(failed)?;
        let mut received = HttpResponse::new(response.status().as_u16());
        for (name, value) in response.headers() {
            // Bytes that are not UTF-8 are read as Latin-1, which is what HTTP once was.
            let value = value.to_str().map_or_else(
                |_| value.as_bytes().iter().copied().map(char::from).collect(),
                str::to_owned,
            );
            received = received.with_header(name.as_str(), value);
        }
        let limit = request.response_limit();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if u64::try_from(body.len()).is_ok_and(|size| size > limit) {
                return Err(HttpError::too_large(url.as_str(), limit));
            }
        }
        Ok(received.with_bytes(body))
    }
}

fn failure(url: &str, error: &(dyn StdError + 'static)) -> HttpError {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(Refused(address)) = error.downcast_ref() {
            return HttpError::Denied { url: url.to_owned(), reason: refusal(*address) };
        }
        cause = error.source();
    }
    HttpError::caused_by(url, error)
}

/// Resolves names to the addresses that the policy allows.
struct Resolver(Arc<HttpPolicy>);

/// The error of a name with no allowed address: the policy denies this one.
#[derive(Debug)]
struct Refused(IpAddr);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&refusal(self.0))
    }
}

impl StdError for Refused {}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.0);
        Box::pin(async move {
            let host = name.as_str();
            let all: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            let (allowed, refused): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|address| policy.allows(host, address.ip()));
            match refused.first() {
                Some(refused) if allowed.is_empty() => Err(Refused(refused.ip()).into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}
