//! Where notifications are posted to: the URL of an endpoint, taken apart.

use std::net::{IpAddr, Ipv6Addr};

use super::address::is_public_address;

/// Most bytes of an endpoint's URL.
pub const ENDPOINT_BYTES_MAX: usize = 1_024;
/// Of HTTPS (RFC 9110 §4.2.2).
const PORT: u16 = 443;

/// An `https:` URL without user and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name, or an address; one of IPv6 stands in brackets.
    host: String,
    port: u16,
    /// Path and query, with a slash at the beginning.
    path: String,
}

impl Endpoint {
    /// Reads a URL. What is not plainly one is none: no blanks, no control characters, nothing beyond ASCII, no user.
    #[must_use]
    pub fn parse(url: &str) -> Option<Endpoint> {
        let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic());
        let is_odd = url.contains(['#', '@', '\\', '"', '<', '>', '^', '`', '{', '|', '}']);
        if !is_plain || is_odd || url.len() > ENDPOINT_BYTES_MAX {
            return None;
        }
        let scheme = url.get(..8)?;
        let rest = url.get(8..)?;
        if !scheme.eq_ignore_ascii_case("https://") {
            return None;
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = match authority.strip_prefix('[') {
            Some(inside) => {
                let (address, behind) = inside.split_once(']')?;
                let address: Ipv6Addr = address.parse().ok()?;
                (
                    format!("[{address}]"),
                    port(behind.strip_prefix(':'), behind)?,
                )
            }
            None => {
                let (name, number) = match authority.split_once(':') {
                    Some((name, number)) => (name, Some(number)),
                    None => (authority, None),
                };
                if !is_host(name) {
                    return None;
                }
                (name.to_ascii_lowercase(), port(number, "")?)
            }
        };
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/{path}"),
        };
        Some(Endpoint { host, port, path })
    }

    /// The name, or the address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let inside = self.host.strip_prefix('[');
        inside.map_or(&self.host, |inside| inside.trim_end_matches(']'))
    }

    /// Whether it is an address, not a name, of somebody's own network.
    #[must_use]
    pub fn is_private(&self) -> bool {
        let address = self.host().parse::<IpAddr>();
        address.is_ok_and(|address| !is_public_address(address))
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the field `Host` says (RFC 9110 §7.2).
    #[must_use]
    pub fn authority(&self) -> String {
        match self.port {
            PORT => self.host.clone(),
            port => format!("{}:{port}", self.host),
        }
    }

    /// Its origin (RFC 6454 §6.2), for whom a token is meant (RFC 8292 §2).
    #[must_use]
    pub fn origin(&self) -> String {
        format!("https://{}", self.authority())
    }
}

/// The port that is said, or that of HTTPS where nothing stands behind the host.
fn port(number: Option<&str>, behind: &str) -> Option<u16> {
    match number {
        None => behind.is_empty().then_some(PORT),
        Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            number.parse().ok().filter(|port| *port > 0)
        }
        Some(_) => None,
    }
}

/// Whether it can be a name of DNS, or an address of IPv4.
fn is_host(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !label.is_empty() && label.len() <= 63 && label.bytes().all(is_part)
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_endpoint() {
        for (url, authority, path) in [
            ("https://push.example/abc?d=e", "push.example", "/abc?d=e"),
            ("HTTPS://Push.Example", "push.example", "/"),
            ("https://push.example?x", "push.example", "/?x"),
            ("https://push.example:8443/", "push.example:8443", "/"),
            ("https://push.example:443/x", "push.example", "/x"),
            ("https://[2001:DB8::1]:99/x", "[2001:db8::1]:99", "/x"),
            ("https://192.0.2.1/x", "192.0.2.1", "/x"),
        ] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!(
                (endpoint.authority().as_str(), endpoint.path()),
                (authority, path)
            );
            assert_eq!(endpoint.origin(), format!("https://{authority}"));
        }
        assert_eq!(Endpoint::parse("https://[::1]/").unwrap().host(), "::1");
    }

    #[test]
    fn what_is_none() {
        let long = format!("https://push.example/{}", "x".repeat(ENDPOINT_BYTES_MAX));
        for url in [
            "",
            "https:/",
            "https://",
            "https:///x",
            "http://push.example/x",
            "ftp://push.example/x",
            "https://user@push.example/x",
            "https://push.example/x#y",
            "https://push.example/x y",
            "https://push.example/\r\nHost: other",
            "https://push.example\\@other/",
            "https://push.example:/x",
            "https://push.example:0/x",
            "https://push.example:+80/x",
            "https://push.example:65536/x",
            "https://push..example/x",
            "https://push.example./x",
            "https://[::1/x",
            "https://[::1]x/",
            "https://[fe80::1%25eth0]/",
            "https://püsh.example/x",
            &long,
        ] {
            assert_eq!(Endpoint::parse(url), None, "{url:?}");
        }
    }
}
