//! Access control: keys with roles, allowed hosts, and the origins of web pages.
//!
//! Rules:
//! 1. The digest of a key is compared with that of every key of the hub, in constant time.
//! 2. No key is written to a log or to an error.
//! 3. A browser sends the `Origin` of the page that makes a request. Such a request may change
//!    state only if the origin is the same host or is allowed, and if it has a header that no form
//!    can send.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::options::HttpOptions;
use crate::problem::{Code, Problem};
use crate::query::Query;

/// The permissions of a key. Each role includes the roles before it.
///
/// ```
/// use durable_http::{HttpOptions, Role};
///
/// let options = HttpOptions::new()
///     .key(Role::Read, "a long random text")
///     .key(Role::Admin, "another long random text");
/// assert!(Role::Admin > Role::Operate);
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "client", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "client", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Role {
    /// Read: statuses, histories, lists, counts.
    Read,
    /// Also start, raise events, suspend, resume, terminate, rewind, restart, and run operations of
    /// entities, including `delete`.
    Operate,
    /// Also purge instances, and delete schedules and signals.
    Admin,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

#[derive(Clone)]
pub(crate) struct Key {
    role: Role,
    digest: [u8; 32],
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.role.name())
    }
}

impl Key {
    pub(crate) fn new(role: Role, key: &str) -> Self {
        Self { role, digest: Sha256::digest(key).into() }
    }
}

/// Marks a request that came through a Unix socket, whose file permissions replace keys and hosts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThroughSocket;

/// The key of a request.
struct Given {
    key: String,
    is_in_header: bool,
}

/// The access that a request has.
#[derive(Debug)]
pub(crate) struct Granted {
    /// The key, which the links of the answer repeat.
    pub(crate) key: Option<String>,
    pub(crate) role: Role,
}

/// Checks a request.
pub(crate) fn check(
    options: &HttpOptions,
    parts: &Parts,
    query: &Query,
    needed: Role,
) -> Result<Granted, Problem> {
    let is_local = parts.extensions.get::<ThroughSocket>().is_some();
    let host = host(parts);
    if !is_local {
        check_host(options, host)?;
    }
    let given = given(&parts.headers, query);
    let has_keys = !options.keys.is_empty() && !is_local;
    let role =
        if has_keys { check_key(&options.keys, given.as_ref(), needed)? } else { Role::Admin };
    if is_change(&parts.method) {
        let has_key_in_header = has_keys && given.as_ref().is_some_and(|given| given.is_in_header);
        check_origin(options, &parts.headers, host, has_key_in_header)?;
    }
    Ok(Granted { key: given.filter(|_| has_keys).map(|given| given.key), role })
}

/// Checks a request whose path proves that it is allowed: a page of another origin can send it only
/// if it knows the path.
pub(crate) fn check_open(options: &HttpOptions, parts: &Parts) -> Result<(), Problem> {
    let is_local = parts.extensions.get::<ThroughSocket>().is_some();
    if is_local { Ok(()) } else { check_host(options, host(parts)) }
}

fn is_change(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The host and port that a request is addressed to.
pub(crate) fn host(parts: &Parts) -> Option<&str> {
    let authority = parts.uri.authority().map(axum::http::uri::Authority::as_str);
    authority.or_else(|| parts.headers.get(header::HOST)?.to_str().ok())
}

fn check_host(options: &HttpOptions, host: Option<&str>) -> Result<(), Problem> {
    let trusts_all = options.any_host || (options.hosts.is_empty() && !options.keys.is_empty());
    // A browser always sends a host, so a request without one does not come from a web page.
    let Some(host) = host.filter(|_| !trusts_all) else { return Ok(()) };
    let name = without_port(host);
    let is_allowed = options.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(name));
    if is_allowed || is_loopback(name) {
        return Ok(());
    }
    Err(Problem::new(
        Code::HostNotAllowed,
        format!(
            "host `{}` is not allowed; call a loopback host, or allow it with \
             `HttpOptions::allow_host`",
            name.escape_debug()
        ),
    ))
}

fn without_port(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

fn is_loopback(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_address = name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    is_address || name == "localhost" || name.ends_with(".localhost")
}

fn given(headers: &HeaderMap, query: &Query) -> Option<Given> {
    let in_header = || headers.get("x-functions-key")?.to_str().ok();
    let bearer = || {
        let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    };
    let from_header = in_header().or_else(bearer);
    let from_header = from_header.map(|key| Given { key: key.to_owned(), is_in_header: true });
    // A browser sends a password that was entered once with requests of other pages, too, so only a
    // key in one of the other headers shows that the page itself has the key.
    let elsewhere = || password(headers).or_else(|| query.get("code").map(str::to_owned));
    from_header.or_else(|| Some(Given { key: elsewhere()?, is_in_header: false }))
}

/// The password of basic authentication, with any name. The clients of Durable Functions send the
/// password of the URL that they are constructed from.
fn password(headers: &HeaderMap) -> Option<String> {
    let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let (_, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| password.to_owned())
}

/// The role of the key.
fn check_key(keys: &[Key], given: Option<&Given>, needed: Role) -> Result<Role, Problem> {
    let Some(given) = given else {
        let places = "the header `x-functions-key`, the query parameter `code`, or a bearer token";
        return Err(Problem::new(
            Code::Unauthorized,
            format!("a key is required; send it as {places}"),
        ));
    };
    let digest: [u8; 32] = Sha256::digest(&given.key).into();
    let mut role = None;
    for key in keys {
        let is_it: Choice = key.digest.ct_eq(&digest);
        if bool::from(is_it) {
            role = role.max(Some(key.role));
        }
    }
    match role {
        None => Err(Problem::new(Code::Unauthorized, "the key is unknown")),
        Some(role) if role < needed => Err(Problem::new(
            Code::Forbidden,
            format!("the key has the role `{}`; this needs `{}`", role.name(), needed.name()),
        )),
        Some(role) => Ok(role),
    }
}

fn check_origin(
    options: &HttpOptions,
    headers: &HeaderMap,
    host: Option<&str>,
    has_key_in_header: bool,
) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let same_host = origin.split_once("://").is_some_and(|(_, origin)| Some(origin) == host);
    let is_allowed = options.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin));
    if !same_host && !is_allowed {
        return Err(Problem::new(
            Code::CrossOrigin,
            format!(
                "a page of `{}` may not change anything here; allow it with \
                 `HttpOptions::allow_origin`",
                origin.escape_debug()
            ),
        ));
    }
    if !has_key_in_header && !headers.contains_key("x-durable") {
        let detail = "a web page has to send the header `X-Durable: 1` with every change";
        return Err(Problem::new(Code::CrossOrigin, detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_loopback_by_name_and_by_address() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "a.localhost:1",
            "127.0.0.1:7071",
            "127.9.9.9",
            "[::1]:80",
        ] {
            assert!(is_loopback(without_port(host)), "{host}");
        }
        for host in ["localhost.example", "10.0.0.1:80", "[::2]:80", "", "::1.example"] {
            assert!(!is_loopback(without_port(host)), "{host}");
        }
    }
}
