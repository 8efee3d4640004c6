//! The configuration of the routes and the server.

use std::path::PathBuf;
use std::time::Duration;

use crate::access::{Key, Role};
use crate::callbacks::CallbackKeys;
use crate::shutdown::Shutdown;

/// The options of the routes and the server. The defaults suit a hub that is reached only from its
/// own machine.
///
/// ```
/// use durable_http::{HttpOptions, Role};
///
/// let options = HttpOptions::new()
///     .listen("0.0.0.0:8080")
///     .key(Role::Admin, "the key of the operators")
///     .key(Role::Read, "the key of the dashboard");
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing until they are given to `router` or `serve`"]
pub struct HttpOptions {
    pub(crate) listen: Vec<String>,
    pub(crate) keys: Vec<Key>,
    pub(crate) hosts: Vec<String>,
    pub(crate) any_host: bool,
    pub(crate) origins: Vec<String>,
    pub(crate) callbacks: Option<CallbackKeys>,
    pub(crate) backups: Option<PathBuf>,
    pub(crate) shutdown: Option<Shutdown>,
    pub(crate) task_hub_name: String,
    pub(crate) public_url: Option<String>,
    pub(crate) forwarded: bool,
    pub(crate) unwraps: bool,
    pub(crate) max_body: usize,
    pub(crate) max_uri: usize,
    pub(crate) body_time: Duration,
    pub(crate) header_time: Duration,
    pub(crate) max_wait: Duration,
    pub(crate) drain: Duration,
    pub(crate) max_requests: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_streams: usize,
    pub(crate) keep_alive: Duration,
    pub(crate) scans_per_second: u32,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpOptions {
    /// Creates options with the defaults, which each method names.
    pub fn new() -> Self {
        Self {
            listen: Vec::new(),
            keys: Vec::new(),
            hosts: Vec::new(),
            any_host: false,
            origins: Vec::new(),
            callbacks: None,
            backups: None,
            shutdown: None,
            task_hub_name: "durable".to_owned(),
            public_url: None,
            forwarded: false,
            unwraps: true,
            max_body: 1024 * 1024,
            max_uri: 8 * 1024,
            body_time: Duration::from_secs(30),
            header_time: Duration::from_secs(10),
            max_wait: Duration::from_secs(230),
            drain: Duration::from_secs(10),
            max_requests: 512,
            max_connections: 4096,
            max_streams: 1000,
            keep_alive: Duration::from_secs(15),
            scans_per_second: 50,
        }
    }

    /// Adds a place at which [`serve`](crate::serve) listens: an address with a port, or
    /// `unix:/path/of/socket`. For port 0, the operating system chooses a free port. Only the user
    /// who runs the process can connect to a Unix socket, so it needs no key. By default, `serve`
    /// listens at `127.0.0.1:7071`.
    pub fn listen(mut self, place: impl Into<String>) -> Self {
        self.listen.push(place.into());
        self
    }

    /// Adds a key. Once any key is set, every request needs one: in the header `x-functions-key`,
    /// in the query as `code`, as a bearer token, or as the password of basic authentication.
    ///
    /// Only the SHA-256 digest of the key is kept. The links in an answer contain the key of the
    /// request.
    pub fn key(mut self, role: Role, key: impl AsRef<str>) -> Self {
        self.keys.push(Key::new(role, key.as_ref()));
        self
    }

    /// Accepts requests for this host (given without a port), besides loopback hosts. By default, a
    /// hub without keys refuses requests for other hosts, so that a web page cannot reach a hub on
    /// the machine of its reader through a name that resolves to 127.0.0.1 (DNS rebinding).
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// Accepts requests for every host, for routes behind a proxy that authenticates callers.
    pub fn allow_any_host(mut self) -> Self {
        self.any_host = true;
        self
    }

    /// Accepts changes from web pages of this origin, such as `https://shop.example`, besides pages
    /// of the same host. Such a page also has to send the header `X-Durable: 1`, or a key in a
    /// header.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Serves the callback links that these keys sign, at `/callbacks`, without an API key. See
    /// [`CallbackKeys`] for an example.
    pub fn callbacks(mut self, keys: CallbackKeys) -> Self {
        self.callbacks = Some(keys);
        self
    }

    /// Lets clients with an admin key make [backups](durable::TaskHub::backup), each in a new
    /// folder inside this one. Without this option, clients cannot make backups.
    pub fn backups(mut self, folder: impl Into<PathBuf>) -> Self {
        self.backups = Some(folder.into());
        self
    }

    /// Sets the shutdown that ends event streams and answers waiting requests. See [`Shutdown`] for
    /// an example. Without it, the streams and waits of [`router`](crate::router) end when the hub
    /// shuts down.
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = Some(shutdown);
        self
    }

    /// Sets the name of the task hub in links (`taskHub=..`); by default `durable`. Requests may
    /// name any hub.
    pub fn task_hub_name(mut self, name: impl Into<String>) -> Self {
        self.task_hub_name = name.into();
        self
    }

    /// Sets the origin of links, such as `https://shop.example`; by default `http://` and the host
    /// of the request.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        self.public_url = Some(url.trim_end_matches('/').to_owned());
        self
    }

    /// Sets whether links begin with `X-Forwarded-Proto` and `X-Forwarded-Host` if a request has
    /// both; by default not, because only a proxy in front of the hub makes these headers
    /// trustworthy.
    pub fn use_forwarded_host(mut self, uses: bool) -> Self {
        self.forwarded = uses;
        self
    }

    /// Sets whether a start in the dialect of Durable Functions decodes an input that was encoded
    /// twice, as the Python client of Durable Functions 1.x does, if the orchestrator cannot read
    /// the input otherwise; by default it does. Events and inputs of entities are
    /// [always](durable::protocol::Json::inside) decoded in this way.
    pub fn unwrap_encoded_json(mut self, unwraps: bool) -> Self {
        self.unwraps = unwraps;
        self
    }

    /// Sets the maximum size of a request body, in bytes; by default 1 MiB. A larger body is
    /// answered with 413.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets the maximum length of a path with its query, in bytes; by default 8 KiB. A longer one is
    /// answered with 414.
    pub fn max_uri(mut self, bytes: usize) -> Self {
        self.max_uri = bytes;
        self
    }

    /// Sets how long a body may take to arrive; by default 30 s. A slower one is answered with 408.
    pub fn body_time(mut self, time: Duration) -> Self {
        self.body_time = time;
        self
    }

    /// Sets how long [`serve`](crate::serve) waits for the head of a request before it closes the
    /// connection; by default 10 s.
    pub fn header_time(mut self, time: Duration) -> Self {
        self.header_time = time;
        self
    }

    /// Sets how long a request may wait for an instance to end; by default 230 s. Longer waits are
    /// shortened to this limit.
    pub fn max_wait(mut self, time: Duration) -> Self {
        self.max_wait = time;
        self
    }

    /// Sets how long [`Server::shutdown`](crate::Server::shutdown) waits for requests in flight; by
    /// default 10 s.
    pub fn drain_time(mut self, time: Duration) -> Self {
        self.drain = time;
        self
    }

    /// Sets the maximum number of concurrent requests; by default 512. Further requests get 503
    /// with `Retry-After`.
    pub fn max_concurrent_requests(mut self, requests: usize) -> Self {
        self.max_requests = requests;
        self
    }

    /// Sets the maximum number of connections of [`serve`](crate::serve); by default 4096. Further
    /// connections wait in the backlog of the operating system.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections.max(1);
        self
    }

    /// Sets the maximum number of open event streams; by default 1000. Further streams get 503 with
    /// `Retry-After`. Streams do not count as concurrent requests.
    pub fn max_streams(mut self, streams: usize) -> Self {
        self.max_streams = streams;
        self
    }

    /// Sets how long an event stream may be silent before it sends a comment, so that proxies keep
    /// the connection open; by default 15 s.
    pub fn keep_alive(mut self, time: Duration) -> Self {
        self.keep_alive = time;
        self
    }

    /// Sets the maximum number of requests per second that scan the hub (lists, counts, and purges
    /// by filter); by default 50, with bursts of twice as many. Further requests get 429 with
    /// `Retry-After`.
    pub fn max_scans_per_second(mut self, scans: u32) -> Self {
        self.scans_per_second = scans.max(1);
        self
    }
}
