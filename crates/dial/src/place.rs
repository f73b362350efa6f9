//! Where to connect to, and how.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio_tungstenite::tungstenite::http::Uri;

use crate::error::DialError;
use waxwing_stanza::jid::domain_to_ascii;

/// Port of STARTTLS (RFC 6120 §14.7).
pub(crate) const STARTTLS_PORT: u16 = 5222;
/// Port of direct TLS that is tried by a proxy, where no SRV record can be asked for (XEP-0368).
pub(crate) const DIRECT_TLS_PORT: u16 = 5223;

/// What protects the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Security {
    /// TLS from the first byte, with the ALPN identifier `xmpp-client` (XEP-0368).
    DirectTls,
    /// STARTTLS, without which nothing is sent (RFC 6120 §5).
    StartTls,
    /// Nothing. Only addresses of this machine are connected to, and only without a proxy.
    Plain,
}

/// Where a domain's server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where the names of the domain say: SRV records of both kinds, or port 5222 of its address. By a
    /// proxy, which has no SRV records to give: ports 5223 (direct TLS) and 5222 (STARTTLS) of the
    /// domain's name.
    Domain,
    /// At this host, whatever names say. Certificates are verified for the domain all the same.
    At {
        /// A name or an IP address, IPv6 with or without brackets.
        host: String,
        /// TCP port.
        port: u16,
        /// What protects the stream.
        security: Security,
    },
    /// By WebSocket (RFC 7395) at this address: `wss://…`, or `ws://…` on this machine. Certificates are verified for the
    /// address's host.
    WebSocket {
        /// The whole address.
        url: String,
    },
}

/// A host, as a caller, a domain or an SRV record names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Ip(IpAddr),
    /// In ASCII, without a dot at the end.
    Name(String),
}

impl Host {
    /// Reads a host: IP addresses first, then names as DNS has them.
    pub(crate) fn parse(text: &str) -> Result<Host, DialError> {
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if let Some(inner) = bare {
            let address: Ipv6Addr = inner.parse().map_err(|_| DialError::Domain)?;
            return Ok(Host::Ip(address.into()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Host::Ip(address));
        }
        let prepared = waxwing_stanza::jid::prepare_domain(text).map_err(|_| DialError::Domain)?;
        let ascii = domain_to_ascii(&prepared);
        // What looks like an address and is none (127.1, 0x7f.1) is an address to some systems.
        let last = ascii.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") {
            return Err(DialError::Domain);
        }
        Ok(Host::Name(ascii.into_owned()))
    }
}

/// One way to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) security: Security,
    /// Where the stream is carried by a WebSocket: its address.
    pub(crate) websocket: Option<Uri>,
}

impl Target {
    /// A stream of its own, without HTTP around it.
    pub(crate) fn stream(host: Host, port: u16, security: Security) -> Target {
        Target {
            host,
            port,
            security,
            websocket: None,
        }
    }

    /// What `wss://…` or `ws://…` names.
    pub(crate) fn websocket(url: &str) -> Result<Target, DialError> {
        let url: Uri = url.parse().map_err(|_| DialError::Domain)?;
        let (security, port) = match url.scheme_str() {
            Some("wss") => (Security::DirectTls, 443),
            Some("ws") => (Security::Plain, 80),
            _ => return Err(DialError::Domain),
        };
        Ok(Target {
            host: Host::parse(url.host().ok_or(DialError::Domain)?)?,
            port: url.port_u16().unwrap_or(port),
            security,
            websocket: Some(url),
        })
    }
}

/// Whether bytes sent there stay on this machine.
pub(crate) fn is_of_this_machine(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets()[0] == Ipv4Addr::LOCALHOST.octets()[0],
        IpAddr::V6(address) => address == Ipv6Addr::LOCALHOST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_addresses_or_names() {
        let ip = |text: &str| Ok(Host::Ip(text.parse().unwrap()));
        assert_eq!(Host::parse("127.0.0.1"), ip("127.0.0.1"));
        assert_eq!(Host::parse("[::1]"), ip("::1"));
        assert_eq!(Host::parse("::1"), ip("::1"));
        let name = |text: &str| Ok(Host::Name(text.to_owned()));
        assert_eq!(Host::parse("Example.org."), name("example.org"));
        assert_eq!(Host::parse("bücher.example"), name("xn--bcher-kva.example"));
        for wrong in [
            "",
            "[127.0.0.1]",
            "127.1",
            "1.2.3.4.5",
            "0x7f000001",
            "a b",
            "[::1",
        ] {
            assert_eq!(Host::parse(wrong), Err(DialError::Domain), "{wrong}");
        }
    }

    #[test]
    fn websockets_are_named_by_their_address() {
        for (url, host, port, security) in [
            (
                "wss://example.org/xmpp-websocket",
                "example.org",
                443,
                Security::DirectTls,
            ),
            ("wss://[::1]:5443/ws?a=b", "::1", 5443, Security::DirectTls),
            ("ws://127.0.0.1:5280/ws", "127.0.0.1", 5280, Security::Plain),
        ] {
            let target = Target::websocket(url).unwrap();
            assert_eq!(target.host, Host::parse(host).unwrap());
            assert_eq!((target.port, target.security), (port, security));
        }
        for wrong in [
            "",
            "example.org",
            "https://example.org/",
            "wss:///x",
            "wss://a b/",
        ] {
            assert_eq!(Target::websocket(wrong), Err(DialError::Domain), "{wrong}");
        }
    }

    #[test]
    fn this_machine_is_loopback_however_written() {
        for (text, own) in [
            ("127.0.0.1", true),
            ("127.9.8.7", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("0.0.0.0", false),
            ("192.0.2.1", false),
            ("::ffff:192.0.2.1", false),
            ("::", false),
        ] {
            assert_eq!(is_of_this_machine(text.parse().unwrap()), own, "{text}");
        }
    }
}
