//! Reverse proxies: whose word counts, and what they say of where a client comes from.

mod header;

use std::net::IpAddr;
use std::str::FromStr;

use axum::http::HeaderMap;

pub(crate) use header::announced;

/// Where proxies put the addresses that a request came by, the nearest one last.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Where they put how the client came to the first of them.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// What stands before an IPv4 address in an IPv6 one (RFC 4291 §2.5.5.2).
const MAPPED_BITS: u8 = 96;

/// Addresses with the same beginning: `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoNetwork;

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Network, NoNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NoNetwork)?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits: u8 = match bits {
            Some(bits) => bits.parse().map_err(|_| NoNetwork)?,
            None => all,
        };
        if bits > all {
            return Err(NoNetwork);
        }
        // Addresses that are compared with it are canonical too.
        let canonical = address.to_canonical();
        match bits.checked_sub(MAPPED_BITS) {
            Some(bits) if canonical.is_ipv4() && address.is_ipv6() => Ok(Network {
                address: canonical,
                bits,
            }),
            _ => Ok(Network { address, bits }),
        }
    }
}

impl Network {
    fn contains(&self, other: IpAddr) -> bool {
        let shift = |all: u8| u32::from(all - self.bits);
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differs = own.to_bits() ^ other.to_bits();
                differs.checked_shr(shift(32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differs = own.to_bits() ^ other.to_bits();
                differs.checked_shr(shift(128)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// A listener where trusted proxies begin with a PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announcing {
    /// `listen.c2s`
    C2s,
    /// `listen.c2s_tls`
    C2sTls,
    /// `listen.https`
    Https,
    /// `listen.tls`
    Tls,
}

impl Announcing {
    /// All, by their keys in `[listen]`.
    pub(crate) const ALL: [(&str, Announcing); 4] = [
        ("c2s", Announcing::C2s),
        ("c2s_tls", Announcing::C2sTls),
        ("https", Announcing::Https),
        ("tls", Announcing::Tls),
    ];
}

/// The proxies in front of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proxies {
    /// Whose word counts.
    pub(crate) trusted: Vec<Network>,
    /// Where they begin with a PROXY header.
    pub(crate) announcing: Vec<Announcing>,
}

impl Proxies {
    /// Whether a proxy has this address.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// Whether a connection of this address begins with a PROXY header here. It is never guessed: who is no proxy could
    /// send one (PROXY protocol §2).
    pub(crate) fn announces(&self, listener: Option<Announcing>, address: IpAddr) -> bool {
        listener.is_some_and(|listener| self.announcing.contains(&listener)) && self.trusts(address)
    }

    /// Where a request comes from, as far as those who are trusted say: the last address in `X-Forwarded-For` that is no
    /// proxy of ours. What stands before it may be anybody's invention.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let mut client = peer;
        for said in words(headers, FORWARDED_FOR).into_iter().rev() {
            let Some(address) = std::str::from_utf8(said).ok().and_then(address) else {
                break;
            };
            client = address;
            if !self.trusts(address) {
                break;
            }
        }
        client
    }

    /// Whether a trusted proxy says that the client came by TLS.
    pub(crate) fn came_by_tls(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let said = words(headers, FORWARDED_PROTO);
        let is_tls = |said: &&[u8]| said.eq_ignore_ascii_case(b"https");
        // One that adds its word to what the client has said must not be overruled by that.
        self.trusts(peer) && !said.is_empty() && said.iter().all(is_tls)
    }
}

/// What stands in all lines of a header, between commas. Not as text: what a client has put in must not hide what its
/// proxy says behind it.
fn words<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h [u8]> {
    let values = headers.get_all(name).iter();
    let words = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    words.map(<[u8]>::trim_ascii).collect()
}

/// Whether a request has passed a proxy, trusted or not.
pub(crate) fn is_forwarded(headers: &HeaderMap) -> bool {
    [FORWARDED_FOR, "forwarded"]
        .iter()
        .any(|name| headers.contains_key(*name))
}

/// An address as proxies write it, some of them with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.parse().ok();
    let with_port = || {
        text.parse()
            .ok()
            .map(|socket: std::net::SocketAddr| socket.ip())
    };
    let address: IpAddr = bare.or_else(with_port)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn proxies(trusted: &[&str]) -> Proxies {
        let trusted = trusted.iter().map(|text| text.parse().unwrap()).collect();
        Proxies {
            trusted,
            announcing: vec![Announcing::Https],
        }
    }

    fn forwarded(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(FORWARDED_FOR, value);
        }
        headers
    }

    #[test]
    fn networks_have_addresses() {
        for (network, address, contains) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("0.0.0.0/0", "203.0.113.7", true),
            ("0.0.0.0/0", "::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db8::1", true),
            ("::1", "::1", true),
            ("::ffff:10.0.0.0/104", "10.255.0.1", true),
            ("::ffff:10.0.0.0/104", "11.0.0.1", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("::ffff:0.0.0.0/96", "203.0.113.7", true),
        ] {
            let parsed: Network = network.parse().unwrap();
            let address = address.parse().unwrap();
            assert_eq!(parsed.contains(address), contains, "{network} {address}");
        }
        for text in [
            "",
            "example.org",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NoNetwork), "{text}");
        }
    }

    #[test]
    fn only_what_trusted_proxies_say_counts() {
        let proxies = proxies(&["127.0.0.1", "10.0.0.0/8"]);
        for (peer, headers, client) in [
            ("127.0.0.1", &[][..], "127.0.0.1"),
            ("127.0.0.1", &["192.0.2.7"], "192.0.2.7"),
            ("127.0.0.1", &["203.0.113.9, 192.0.2.7"], "192.0.2.7"),
            (
                "127.0.0.1",
                &["203.0.113.9", "192.0.2.7, 10.1.1.1"],
                "192.0.2.7",
            ),
            ("127.0.0.1", &["10.2.2.2, 10.1.1.1"], "10.2.2.2"),
            ("127.0.0.1", &["192.0.2.7, unknown, 10.1.1.1"], "10.1.1.1"),
            ("127.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("127.0.0.1", &["[2001:db8::1]:443"], "2001:db8::1"),
            ("127.0.0.1", &["::ffff:192.0.2.7"], "192.0.2.7"),
            ("127.0.0.1", &["nonsense"], "127.0.0.1"),
            ("127.0.0.1", &["\u{e9}, 192.0.2.7"], "192.0.2.7"),
            ("127.0.0.1", &["192.0.2.7", "\u{e9}"], "127.0.0.1"),
            ("192.0.2.1", &["203.0.113.9"], "192.0.2.1"),
        ] {
            let found = proxies.client(peer.parse().unwrap(), &forwarded(headers));
            assert_eq!(found.to_string(), client, "{peer} {headers:?}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("HTTPS"));
        assert!(proxies.came_by_tls("127.0.0.1".parse().unwrap(), &headers));
        assert!(!proxies.came_by_tls("192.0.2.1".parse().unwrap(), &headers));
        for (said, tls) in [
            ("https", true),
            ("https, https", true),
            ("https, http", false),
            ("\u{e9}", false),
        ] {
            let said = HeaderValue::from_bytes(said.as_bytes()).unwrap();
            headers.insert(FORWARDED_PROTO, said.clone());
            assert_eq!(
                proxies.came_by_tls("127.0.0.1".parse().unwrap(), &headers),
                tls,
                "{said:?}"
            );
        }
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
        headers.append(FORWARDED_PROTO, HeaderValue::from_static("http"));
        assert!(!proxies.came_by_tls("127.0.0.1".parse().unwrap(), &headers));
        let (ours, theirs) = ("10.0.0.1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        assert!(proxies.announces(Some(Announcing::Https), ours));
        assert!(!proxies.announces(Some(Announcing::C2s), ours));
        assert!(!proxies.announces(Some(Announcing::Https), theirs));
        assert!(!proxies.announces(None, ours));
    }
}
