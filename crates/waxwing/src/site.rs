//! What an HTTP listener knows of itself and of who may use it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use waxwing_server::{Security, TlsBinding};

use crate::config::Web;
use crate::listen::Serving;
use crate::proxy;

/// The address that a request came from.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Who sends a request.
#[derive(Clone, Copy)]
pub(crate) struct Client {
    /// Its address, behind a trusted proxy too.
    pub(crate) address: IpAddr,
    /// Whether it came by TLS.
    pub(crate) tls: bool,
}

impl Client {
    /// What protects its stream. It is bound to no TLS session: that may end in a proxy, and browsers tell nobody about
    /// theirs.
    pub(crate) fn security(self) -> Security {
        if self.tls {
            Security::Tls(TlsBinding::default())
        } else {
            Security::PlainLoopback
        }
    }
}

/// One HTTP listener.
pub(crate) struct Site {
    /// What connections need.
    pub(crate) serving: Serving,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Whether over TLS.
    pub(crate) tls: bool,
    /// Whether only programs on this machine reach it.
    pub(crate) is_local: bool,
}

impl Site {
    /// Whether nobody on the way reads what is asked and answered. What comes from this machine is not from it if a proxy
    /// has passed it on.
    pub(crate) fn is_private(&self, peer: Peer, headers: &HeaderMap) -> bool {
        self.client(peer, headers).tls || (self.is_local && !proxy::is_forwarded(headers))
    }

    /// Who asks, as far as it can be told.
    pub(crate) fn client(&self, Peer(peer): Peer, headers: &HeaderMap) -> Client {
        let proxies = &self.serving.proxies;
        Client {
            address: proxies.client(peer, headers),
            tls: self.tls || proxies.came_by_tls(peer, headers),
        }
    }

    /// Settings for browsers, as they are now.
    fn web(&self) -> Arc<Web> {
        self.serving.web.borrow().clone()
    }

    /// Whether the page that sends a request may. No browser leaves out where a page is from; other
    /// clients have no pages (RFC 6455 §10.2).
    pub(crate) fn allows_origin(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return true;
        };
        // Two are nothing that a browser says.
        let (Ok(origin), None) = (origin.to_str(), origins.next()) else {
            return false;
        };
        let named = |allowed: &String| allowed == "*" || allowed.eq_ignore_ascii_case(origin);
        let web = self.web();
        if web.allowed_origins.iter().any(named) {
            return true;
        }
        let is_page = origin.starts_with("https://") || origin.starts_with("http://");
        let Some(page) = host_of_url(origin).filter(|_| is_page) else {
            return false;
        };
        let public = web.public_url.as_deref().and_then(host_of_url);
        [public, host(headers)]
            .into_iter()
            .flatten()
            .any(|own| own.eq_ignore_ascii_case(page))
    }

    /// Where clients reach this listener, without a slash at its end; `None` where only a proxy knows.
    pub(crate) fn url(&self, headers: &HeaderMap) -> Option<String> {
        if let Some(url) = &self.web().public_url {
            return Some(url.clone());
        }
        let asked = host(headers);
        if self.tls {
            let domains = self.serving.server.domains();
            let served = domains
                .iter()
                .find(|domain| asked.is_some_and(|asked| asked.eq_ignore_ascii_case(domain)));
            let domain = served.or(domains.first())?;
            return Some(match self.address.port() {
                443 => format!("https://{domain}"),
                port => format!("https://{domain}:{port}"),
            });
        }
        // Whoever asks for this machine by name is on it.
        is_this_machine(asked?).then(|| format!("http://{}", self.address))
    }
}

/// The host that a request is for, without port.
fn host(headers: &HeaderMap) -> Option<&str> {
    let authority = headers.get(header::HOST)?.to_str().ok()?;
    Some(without_port(authority))
}

/// The host in an origin or URL.
fn host_of_url(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    Some(without_port(authority)).filter(|host| !host.is_empty())
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_in_urls_and_authorities() {
        for (url, host) in [
            ("https://a.example", Some("a.example")),
            ("https://a.example:8443", Some("a.example")),
            ("http://[::1]:5280/x", Some("[::1]")),
            ("http://[::1]", Some("[::1]")),
            ("null", None),
            ("file://", None),
        ] {
            assert_eq!(host_of_url(url), host, "{url}");
        }
        assert!(is_this_machine("127.9.8.7"));
        assert!(is_this_machine("[::1]"));
        assert!(is_this_machine("LocalHost"));
        assert!(!is_this_machine("example.org"));
        assert!(!is_this_machine("192.0.2.1"));
    }
}
