mod servers;

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Mutex;

use waxwing_stream::StreamCondition;
use waxwing_stream::client::NegotiationError;
use waxwing_stream::sasl::Password;

use super::*;
use crate::error::{Blame, CertificateProblem};
use crate::names::{Family, NameError, SrvRecord};
use servers::{Authority, Served};

/// Hosts, each at its address; a domain has SRV records if it is asked for them.
#[derive(Default)]
struct Names {
    hosts: HashMap<&'static str, Vec<IpAddr>>,
    starttls: Vec<SrvRecord>,
    asked: Mutex<Vec<String>>,
}

impl Resolve for Names {
    fn srv<'a>(
        &'a self,
        name: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<SrvRecord>, NameError>> + Send + 'a>> {
        self.asked.lock().unwrap().push(name.to_owned());
        let ours = name.starts_with("_xmpp-client._tcp.");
        let found = ours.then(|| self.starttls.clone());
        Box::pin(async move { found.ok_or(NameError::Absent) })
    }

    fn addresses<'a>(
        &'a self,
        host: &'a str,
        family: Family,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, NameError>> + Send + 'a>> {
        self.asked
            .lock()
            .unwrap()
            .push(format!("{host} {family:?}"));
        let mut found = self.hosts.get(host).cloned().unwrap_or_default();
        found.retain(|address| address.is_ipv4() == (family == Family::V4));
        Box::pin(async move { Ok(found) })
    }
}

fn settings() -> Settings {
    let password = Password::prepare("pencil").unwrap();
    Settings::new("alice@example.org".parse().unwrap(), password)
}

async fn dial(dialer: &Dialer, place: &Place) -> DialError {
    let outcome = dialer.login(settings(), place, [1; 32]).await;
    outcome.map(drop).unwrap_err()
}

fn dialer(trust: Trust) -> Dialer {
    Dialer::new(Arc::new(Names::default()), trust)
}

fn at(address: SocketAddr, security: Security) -> Place {
    Place::At {
        host: address.ip().to_string(),
        port: address.port(),
        security,
    }
}

#[tokio::test]
async fn certificates_are_refused_by_their_fault() {
    let (authority, other) = (Authority::new(), Authority::new());
    for (server, expected) in [
        (
            authority.server("other.example"),
            CertificateProblem::OtherName,
        ),
        // A name above or below is another one.
        (authority.server("org"), CertificateProblem::OtherName),
        (
            authority.server("a.example.org"),
            CertificateProblem::OtherName,
        ),
        (
            authority.expired("example.org"),
            CertificateProblem::Expired,
        ),
        (
            authority.early("example.org"),
            CertificateProblem::NotYetValid,
        ),
        (
            other.server("example.org"),
            CertificateProblem::UnknownAuthority,
        ),
    ] {
        let address = servers::tls(server, "").await;
        let refused = dial(
            &dialer(authority.trust()),
            &at(address, Security::DirectTls),
        )
        .await;
        assert_eq!(refused, expected.into());
        assert_eq!(refused.blame(), Blame::Peer);
    }
}

#[tokio::test]
async fn direct_tls_has_its_protocol_identifier_and_the_domains_name() {
    let authority = Authority::new();
    let mut server = authority.server("example.org");
    server.alpn_protocols = vec![b"xmpp-client".to_vec()];
    let (address, seen) = servers::watched_tls(server).await;
    let ended = dial(
        &dialer(authority.trust()),
        &at(address, Security::DirectTls),
    )
    .await;
    assert_eq!(ended, DialError::Broken(io::ErrorKind::UnexpectedEof));
    let seen = seen.await.unwrap();
    assert_eq!(seen.alpn.as_deref(), Some(b"xmpp-client".as_slice()));
    assert_eq!(seen.name.as_deref(), Some("example.org"));
    // A server for something else.
    let mut server = authority.server("example.org");
    server.alpn_protocols = vec![b"h2".to_vec()];
    let address = servers::tls(server, "").await;
    let refused = dial(
        &dialer(authority.trust()),
        &at(address, Security::DirectTls),
    )
    .await;
    assert_eq!(
        (refused.clone(), refused.blame()),
        (DialError::Tls, Blame::Incompatible)
    );
}

#[tokio::test]
async fn nothing_said_before_tls_survives_it() {
    let authority = Authority::new();
    let proceed = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    let injected = format!("{proceed}<stream:features/>");
    let address = servers::plain(Served::StartTls(injected)).await;
    let refused = dial(&dialer(authority.trust()), &at(address, Security::StartTls)).await;
    let DialError::Stream(NegotiationError::Protocol(error)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(error.condition, StreamCondition::PolicyViolation);
}

#[tokio::test]
async fn without_tls_nothing_is_sent() {
    let authority = Authority::new();
    let features = "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>";
    let address = servers::plain(Served::Words(features.to_owned())).await;
    let place = at(address, Security::StartTls);
    let refused = dial(&dialer(authority.trust()), &place).await;
    assert_eq!(refused, NegotiationError::TlsMissing.into());
    let address = servers::plain(Served::StartTls(
        "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>".to_owned(),
    ))
    .await;
    let refused = dial(&dialer(authority.trust()), &at(address, Security::StartTls)).await;
    assert_eq!(refused, NegotiationError::TlsRefused.into());
}

/// Each with a limit of a second for its own stage alone.
#[tokio::test]
async fn silence_ends_in_every_stage() {
    let authority = Authority::new();
    let all = Seconds::default();
    let with = |seconds| dialer(authority.trust()).with_seconds(seconds);
    let silent = servers::plain(Served::Silence).await;
    let short_stream = with(Seconds {
        stream_secs_max: 1,
        ..all
    });
    let short_tls = with(Seconds {
        tls_secs_max: 1,
        ..all
    });
    let short_proxy = with(Seconds {
        proxy_secs_max: 1,
        ..all
    });
    let proceed = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>".to_owned();
    let begun = servers::plain(Served::StartTls(proceed)).await;
    let (address, credentials) = (silent, None);
    let socks5 = short_proxy.clone().with_proxy(Proxy::Socks5 {
        address,
        credentials,
    });
    let http = short_proxy.with_proxy(Proxy::Http {
        address,
        credentials: None,
    });
    let (starttls, direct) = (
        at(silent, Security::StartTls),
        at(silent, Security::DirectTls),
    );
    let begun = at(begun, Security::StartTls);
    let outcomes = tokio::join!(
        dial(&short_stream, &starttls),
        dial(&short_tls, &direct),
        dial(&short_tls, &begun),
        dial(&socks5, &direct),
        dial(&http, &starttls),
    );
    let timeout = DialError::Timeout;
    let expected = (
        timeout(Stage::Stream),
        timeout(Stage::Tls),
        timeout(Stage::Tls),
        timeout(Stage::Proxy),
        timeout(Stage::Proxy),
    );
    assert_eq!(outcomes, expected);
}

#[tokio::test]
async fn a_server_that_is_given_up_is_told_so() {
    let authority = Authority::new();
    let (address, heard) = servers::listening().await;
    let dialer = dialer(authority.trust()).with_seconds(Seconds {
        stream_secs_max: 1,
        ..Seconds::default()
    });
    let silent = dial(&dialer, &at(address, Security::StartTls)).await;
    assert_eq!(silent, DialError::Timeout(Stage::Stream));
    let heard = heard.await.unwrap();
    assert!(heard.contains("<connection-timeout "), "{heard}");
    assert!(heard.ends_with("</stream:stream>"), "{heard}");
}

#[tokio::test]
async fn hosts_are_tried_in_turn_and_the_most_telling_error_is_told() {
    let authority = Authority::new();
    let wrong = servers::tls_after_starttls(authority.server("other.example")).await;
    let closed = servers::closed().await;
    let rude = servers::plain(Served::Words("<stream:error><host-gone xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>".to_owned())).await;
    let record = |priority, address: SocketAddr| SrvRecord {
        priority,
        weight: 0,
        port: address.port(),
        target: "xmpp.example.net".to_owned(),
    };
    let names = |records: Vec<SrvRecord>| Names {
        hosts: HashMap::from([("xmpp.example.net", vec![Ipv4Addr::LOCALHOST.into()])]),
        starttls: records,
        ..Names::default()
    };
    let all = names(vec![record(1, rude), record(2, wrong), record(3, closed)]);
    let all = Dialer::new(Arc::new(all), authority.trust());
    let told = dial(&all, &Place::Domain).await;
    assert_eq!(told, CertificateProblem::OtherName.into());
    let two = names(vec![record(1, closed), record(2, rude)]);
    let two = Dialer::new(Arc::new(two), authority.trust());
    let told = dial(&two, &Place::Domain).await;
    let DialError::Stream(NegotiationError::Server(error)) = &told else {
        panic!("{told:?}");
    };
    assert_eq!(error.condition, StreamCondition::HostGone);
    // Of two that tell as much, the one that the domain prefers.
    let other = "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
    let other = servers::plain(Served::Words(other.to_owned())).await;
    let both = names(vec![record(1, rude), record(2, other)]);
    let both = Dialer::new(Arc::new(both), authority.trust());
    assert_eq!(dial(&both, &Place::Domain).await, told);
    let one = names(vec![record(1, closed)]);
    let one = Dialer::new(Arc::new(one), authority.trust());
    let told = dial(&one, &Place::Domain).await;
    assert_eq!(told, DialError::Connect(io::ErrorKind::ConnectionRefused));
}

/// Answers like the proxy that it is not, or refuses connections: no other way is taken.
#[tokio::test]
async fn a_broken_proxy_is_no_reason_to_go_another_way() {
    let authority = Authority::new();
    let closed = servers::closed().await;
    let stranger = servers::plain(Served::Words("220 mail\r\n".to_owned())).await;
    for (address, error) in [(closed, ProxyError::Gone), (stranger, ProxyError::NoProxy)] {
        let names = Arc::new(Names {
            hosts: HashMap::from([("example.org", vec![Ipv4Addr::LOCALHOST.into()])]),
            ..Names::default()
        });
        let watched = Arc::new(servers::Watched::default());
        let dialer = Dialer::new(names.clone(), authority.trust()).with_connect(watched.clone());
        for proxy in [
            Proxy::Socks5 {
                address,
                credentials: None,
            },
            Proxy::Http {
                address,
                credentials: None,
            },
        ] {
            let by_proxy = dial(&dialer.clone().with_proxy(proxy), &Place::Domain).await;
            assert_eq!(by_proxy, error.into());
        }
        assert!(names.asked.lock().unwrap().is_empty());
        // Once by each of two proxies, and nobody but the proxy.
        assert_eq!(*watched.0.lock().unwrap(), [address; 2]);
    }
}

#[tokio::test]
async fn what_cannot_be_a_name_is_not_asked_for() {
    let authority = Authority::new();
    let names = Arc::new(Names::default());
    let dialer = Dialer::new(names.clone(), authority.trust());
    let place = Place::At {
        host: "not a host".to_owned(),
        port: 1,
        security: Security::StartTls,
    };
    assert_eq!(dial(&dialer, &place).await, DialError::Domain);
    assert!(names.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_place_that_is_given_is_not_looked_for() {
    let authority = Authority::new();
    let names = Arc::new(Names::default());
    let watched = Arc::new(servers::Watched::default());
    let dialer = Dialer::new(names.clone(), authority.trust()).with_connect(watched.clone());
    let place = Place::At {
        host: "Bücher.example.".to_owned(),
        port: 80,
        security: Security::DirectTls,
    };
    let absent = dial(&dialer, &place).await;
    assert_eq!(absent, NameError::Absent.into());
    let asked = ["xn--bcher-kva.example V6", "xn--bcher-kva.example V4"];
    assert_eq!(*names.asked.lock().unwrap(), asked);
    assert!(watched.0.lock().unwrap().is_empty());
    // An address is no name: nothing is asked, neither for the host nor for a domain that is one.
    let closed = servers::closed().await;
    let refused = dial(&dialer, &at(closed, Security::StartTls)).await;
    assert_eq!(
        refused,
        DialError::Connect(io::ErrorKind::ConnectionRefused)
    );
    let mut settings = settings();
    settings.account = "alice@127.213.7.9".parse().unwrap();
    let outcome = dialer.login(settings, &Place::Domain, [1; 32]).await;
    assert!(outcome.is_err());
    assert_eq!(names.asked.lock().unwrap().len(), asked.len());
    let domain = "127.213.7.9:5222".parse().unwrap();
    assert_eq!(*watched.0.lock().unwrap(), [closed, domain]);
}

#[tokio::test]
async fn one_address_elsewhere_is_enough_to_say_nothing_in_the_clear() {
    let authority = Authority::new();
    let both = vec![Ipv4Addr::LOCALHOST.into(), "2001:db8::1".parse().unwrap()];
    let names = Names {
        hosts: HashMap::from([("both.example", both)]),
        ..Names::default()
    };
    let watched = Arc::new(servers::Watched::default());
    let dialer = Dialer::new(Arc::new(names), authority.trust()).with_connect(watched.clone());
    let place = Place::At {
        host: "both.example".to_owned(),
        port: 5222,
        security: Security::Plain,
    };
    assert_eq!(dial(&dialer, &place).await, DialError::PlainNotLoopback);
    assert!(watched.0.lock().unwrap().is_empty());
}

#[test]
fn authorities_are_read_from_pem() {
    let authority = Authority::new();
    let with = |pem: &[u8]| Trust::with_authorities(rustls::RootCertStore::empty(), pem).map(drop);
    assert_eq!(with(authority.pem().as_bytes()), Ok(()));
    assert_eq!(with(b"no certificate"), Err(crate::TrustError::Empty));
    let bent = authority.pem().replace("MII", "MIX");
    assert_eq!(with(bent.as_bytes()), Err(crate::TrustError::Malformed));
}
