//! Where requests may go: schemes, hosts, and addresses that are not internal.
//!
//! A name is checked in the URL, and an address when the connection is made: the client's resolver
//! returns only allowed addresses. So the client connects to an address that was checked, whatever
//! the name resolves to a moment later.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

use super::error::HttpError;

/// The rules for where the orchestrations of a hub may send requests.
///
/// By default everything with the schemes `http` and `https` is allowed, because the program itself
/// makes the requests. If strangers can influence a URL, for example because orchestrations are
/// started over HTTP with an input that contains the URL, they could reach services that trust the
/// network of this machine. [`deny_private`](Self::deny_private) prevents that. The crate
/// `durable-http` sets it for a hub that was opened without a policy.
///
/// The policy applies to the request, to each redirect and to each poll. It is checked when a request
/// is sent, so running orchestrations are subject to the policy with which the hub was opened last.
///
/// ```
/// use durable::TaskHub;
/// use durable::http::HttpPolicy;
///
/// let policy = HttpPolicy::new()
///     .https_only()
///     .deny_private()
///     .allow_hosts(["api.example.com", "*.example.org"]);
/// let hub = TaskHub::builder().in_memory().http_policy(policy);
/// ```
#[must_use = "a policy does nothing until a hub is opened with it"]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpPolicy {
    https_only: bool,
    hosts: Option<Vec<String>>,
    deny_private: bool,
    private_hosts: Vec<String>,
}

impl HttpPolicy {
    /// Allows every host.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows no scheme but `https`.
    pub fn https_only(self) -> Self {
        Self { https_only: true, ..self }
    }

    /// Allows only these hosts and those of earlier calls. `*.example.org` allows every host below
    /// `example.org`, but not `example.org`.
    pub fn allow_hosts<H: Into<String>>(self, hosts: impl IntoIterator<Item = H>) -> Self {
        let mut all = self.hosts.unwrap_or_default();
        all.extend(hosts.into_iter().map(|host| host.into().to_ascii_lowercase()));
        Self { hosts: Some(all), ..self }
    }

    /// Refuses internal addresses: loopback, link-local, private (RFC 1918, unique local), carrier
    /// NAT, the metadata services of clouds, multicast, and all other addresses that are not
    /// global, also when they are written as IPv6 addresses.
    ///
    /// Requests do not go through the proxy that the environment names, because the proxy would
    /// connect to the address.
    pub fn deny_private(self) -> Self {
        Self { deny_private: true, ..self }
    }

    /// Exempts these hosts from [`deny_private`](Self::deny_private): services in your own network
    /// that requests are meant to reach. The names are matched as in
    /// [`allow_hosts`](Self::allow_hosts).
    pub fn allow_private_hosts<H: Into<String>>(self, hosts: impl IntoIterator<Item = H>) -> Self {
        let mut private_hosts = self.private_hosts;
        private_hosts.extend(hosts.into_iter().map(|host| host.into().to_ascii_lowercase()));
        Self { private_hosts, ..self }
    }

    /// Whether a request may go to a URL, as far as the URL tells.
    pub(super) fn check(&self, url: &Url) -> Result<(), HttpError> {
        let denied = |reason: String| Err(HttpError::Denied { url: url.to_string(), reason });
        let schemes: &[&str] = if self.https_only { &["https"] } else { &["http", "https"] };
        if !schemes.contains(&url.scheme()) {
            let (given, allowed) = (url.scheme(), schemes.join(" and "));
            return denied(format!("its scheme is `{given}`; allowed: {allowed}"));
        }
        let Some(host) = url.host_str() else {
            return denied("it has no host".to_owned());
        };
        if self.hosts.as_ref().is_some_and(|hosts| !matches_any(hosts, host)) {
            return denied(format!("host `{host}` is not one that the policy of the hub allows"));
        }
        // A host that is an address is not resolved.
        match address(host) {
            Some(address) if !self.allows(host, address) => denied(refusal(address)),
            _ => Ok(()),
        }
    }

    /// Whether a connection to this address of a host may be made.
    pub(super) fn allows(&self, host: &str, address: IpAddr) -> bool {
        !self.deny_private || is_global(address) || matches_any(&self.private_hosts, host)
    }

    /// Whether a proxy may connect in place of this machine.
    pub(super) fn allows_proxy(&self) -> bool {
        !self.deny_private
    }
}

/// Why an address is refused.
pub(super) fn refusal(address: IpAddr) -> String {
    format!(
        "{address} is an internal address, and the policy of the hub denies these; exempt the host \
         with `HttpPolicy::allow_private_hosts`"
    )
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn matches_any(patterns: &[String], host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    patterns.iter().any(|pattern| match pattern.strip_prefix('*') {
        Some(end) => end.starts_with('.') && host.ends_with(end) && host.len() > end.len(),
        None => host == *pattern,
    })
}

/// Whether an address is one of the public internet.
fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_global_v4(address),
        IpAddr::V6(address) => is_global_v6(address),
    }
}

/// Networks that are not part of the public internet: an address, and how many of its bits count.
const SPECIAL: [([u8; 4], u32); 17] = [
    ([0, 0, 0, 0], 8),        // This network.
    ([10, 0, 0, 0], 8),       // Private.
    ([100, 64, 0, 0], 10),    // Carrier NAT.
    ([127, 0, 0, 0], 8),      // Loopback.
    ([168, 63, 129, 16], 32), // The agent of Azure's machines, which only they reach.
    ([169, 254, 0, 0], 16),   // Link-local, with the metadata services of clouds.
    ([172, 16, 0, 0], 12),    // Private.
    ([192, 0, 0, 0], 24),     // Protocol assignments.
    ([192, 0, 2, 0], 24),     // Documentation.
    ([192, 31, 196, 0], 24),  // AS112.
    ([192, 88, 99, 0], 24),   // Relays of 6to4.
    ([192, 168, 0, 0], 16),   // Private.
    ([198, 18, 0, 0], 15),    // Benchmarks.
    ([198, 51, 100, 0], 24),  // Documentation.
    ([203, 0, 113, 0], 24),   // Documentation.
    ([224, 0, 0, 0], 4),      // Multicast.
    ([240, 0, 0, 0], 4),      // Reserved, and broadcast.
];

fn is_global_v4(address: Ipv4Addr) -> bool {
    let network = |address: u32, bits: u32| address >> (32 - bits);
    let is_in = |(begin, bits): &([u8; 4], u32)| {
        network(address.to_bits(), *bits) == network(u32::from_be_bytes(*begin), *bits)
    };
    !SPECIAL.iter().any(is_in)
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let v4 = |high: usize| {
        let ([a, b], [c, d]) = (segments[high].to_be_bytes(), segments[high + 1].to_be_bytes());
        is_global_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Mapped and compatible IPv4 addresses, with the unspecified address and loopback; NAT64.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => v4(6),
        // 6to4.
        [0x2002, ..] => v4(1),
        // Teredo, benchmarks, ORCHID, documentation.
        [0x2001, 0 | 2 | 0x10..=0x2f | 0xdb8, ..] | [0x3fff, ..] => false,
        // The rest of the global range: no link-local, unique local or multicast address.
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &HttpPolicy, url: &str) -> Result<(), String> {
        policy.check(&Url::parse(url).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn internal_addresses_are_refused_in_every_form() {
        let policy = HttpPolicy::new().deny_private();
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:169.254.169.254]",
            "[::127.0.0.1]",
            "[64:ff9b::10.0.0.1]",
            "[2002:7f00:1::]",
            "[2001:0:1::]",
            "[fe80::1]",
            "[fec0::1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[ff02::1]",
            "[2001:db8::1]",
        ] {
            let refused = check(&policy, &format!("http://{host}/")).unwrap_err();
            assert!(refused.contains("internal address"), "{host}: {refused}");
            check(&HttpPolicy::new(), &format!("http://{host}/")).unwrap();
        }
    }

    #[test]
    fn public_addresses_are_allowed() {
        let policy = HttpPolicy::new().deny_private();
        for host in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.1.2.3",
            "198.20.0.1",
            "223.255.255.255",
            "[2606:4700::1111]",
            "[::ffff:8.8.8.8]",
            "[64:ff9b::8.8.8.8]",
            "[2002:808:808::]",
        ] {
            check(&policy, &format!("http://{host}/")).unwrap();
        }
    }

    #[test]
    fn a_host_can_be_exempted() {
        let policy = HttpPolicy::new().deny_private().allow_private_hosts(["10.0.0.7"]);
        check(&policy, "http://10.0.0.7:8080/x").unwrap();
        check(&policy, "http://10.0.0.8/").unwrap_err();
    }

    #[test]
    fn hosts_are_matched_by_name_and_by_what_is_above_them() {
        let policy = HttpPolicy::new().allow_hosts(["api.example.com", "*.example.org"]);
        for url in ["http://API.example.com/x", "https://a.example.org", "https://b.a.example.org."]
        {
            check(&policy, url).unwrap();
        }
        for url in [
            "http://example.com",
            "http://x.api.example.com",
            "http://example.org",
            "http://evilexample.org",
            "http://api.example.com.evil.net",
            "http://api.example.com@evil.net/",
        ] {
            let refused = check(&policy, url).unwrap_err();
            assert!(refused.contains("is not one that the policy"), "{url}: {refused}");
        }
    }

    #[test]
    fn schemes_other_than_http_are_refused() {
        for url in ["file:///etc/passwd", "ftp://example.com", "data:,x", "unix:/x"] {
            let refused = check(&HttpPolicy::new(), url).unwrap_err();
            assert!(refused.contains("its scheme is"), "{url}: {refused}");
        }
        check(&HttpPolicy::new().https_only(), "http://example.com").unwrap_err();
        check(&HttpPolicy::new().https_only(), "https://example.com").unwrap();
    }
}
