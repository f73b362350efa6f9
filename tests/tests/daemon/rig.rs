//! Accounts, and how they dial.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::time::timeout;
use waxwing_dial::{
    DialError, Dialer, End, Family, NameError, Place, Resolve, Security, Session, SrvRecord,
    Stream, Trust, Unresumed,
};
use waxwing_stream::client::Settings;
use waxwing_stream::sasl::Password;
use waxwing_tests::{Built, BuiltOptions};
use waxwing_wire::Stanza;

pub(crate) const ALICE: (&str, &str) = ("alice", "the rabbit-hole is deep");
pub(crate) const BOB: (&str, &str) = ("bob", "builds more than one would");

/// Seconds after which a test that waits for something has failed.
const PATIENCE_SECS: u64 = 60;

/// A server with two accounts.
pub(crate) fn server(name: &str) -> Built {
    let options = BuiltOptions::new(name);
    let options = options.account(ALICE.0, ALICE.1).account(BOB.0, BOB.1);
    Built::start(options).unwrap()
}

/// Fails the test that asks it anything.
pub(crate) struct NoNames;

impl Resolve for NoNames {
    fn srv<'a>(
        &'a self,
        name: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<SrvRecord>, NameError>> + Send + 'a>> {
        panic!("somebody looks up {name}");
    }

    fn addresses<'a>(
        &'a self,
        host: &'a str,
        _: Family,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, NameError>> + Send + 'a>> {
        panic!("somebody looks up {host}");
    }
}

/// TLS as a client of these versions does it that trusts one authority, a PEM file.
pub(crate) fn tls_client(
    authority: &Path,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(authority).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

pub(crate) fn trust(built: &Built) -> Trust {
    let pem = std::fs::read(&built.authority).unwrap();
    Trust::with_authorities(RootCertStore::empty(), &pem).unwrap()
}

pub(crate) fn dialer(built: &Built) -> Dialer {
    Dialer::new(Arc::new(NoNames), trust(built))
}

pub(crate) fn at(address: SocketAddr, security: Security) -> Place {
    Place::At {
        host: address.ip().to_string(),
        port: address.port(),
        security,
    }
}

pub(crate) fn starttls(built: &Built) -> Place {
    at(built.c2s, Security::StartTls)
}

/// Log-in settings for an account of the server's domain.
pub(crate) fn settings(user: &str, password: &str) -> Settings {
    let jid = format!("{user}@waxwing.example").parse().unwrap();
    Settings::new(jid, Password::prepare(password).unwrap())
}

/// Different for each stream of the test; nobody but the test is attacked by knowing it.
pub(crate) fn seed() -> [u8; 32] {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    seed
}

/// Waits for what has to come.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    let patience = Duration::from_secs(PATIENCE_SECS);
    timeout(patience, what).await.expect("it never comes")
}

pub(crate) async fn log_in(built: &Built, user: (&str, &str)) -> Result<Stream, DialError> {
    let settings = settings(user.0, user.1);
    let (dialer, place) = (dialer(built), starttls(built));
    soon(dialer.login(settings, &place, seed())).await
}

/// Goes on with a session.
pub(crate) async fn resume(
    built: &Built,
    user: (&str, &str),
    session: Session,
) -> Result<Stream, Unresumed> {
    let settings = settings(user.0, user.1);
    let (dialer, place) = (dialer(built), starttls(built));
    soon(dialer.resume(session, settings, &place, seed())).await
}

/// Logged in, and reachable by the account's address.
pub(crate) async fn available(built: &Built, user: (&str, &str)) -> Stream {
    let mut stream = log_in(built, user).await.unwrap();
    say(&mut stream, "<presence/>").await;
    settle(&mut stream).await;
    stream
}

pub(crate) async fn say(stream: &mut Stream, xml: &str) {
    soon(stream.send(Bytes::copy_from_slice(xml.as_bytes())))
        .await
        .unwrap();
}

/// The next stanza with this name.
pub(crate) async fn next(stream: &mut Stream, name: &str) -> Stanza {
    loop {
        let stanza = soon(stream.next()).await.unwrap();
        if stanza.name() == name {
            return stanza;
        }
    }
}

pub(crate) async fn end(stream: &mut Stream) -> End {
    loop {
        if let Err(end) = soon(stream.next()).await {
            return end;
        }
    }
}

/// Waits until the server has worked on everything sent until now: it answers in order.
pub(crate) async fn settle(stream: &mut Stream) {
    let id = format!(
        "settle-{}",
        u64::from_be_bytes(seed()[..8].try_into().unwrap())
    );
    let ping = format!("<iq type='get' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>");
    say(stream, &ping).await;
    while next(stream, "iq").await.id().as_deref() != Some(&id) {}
}

pub(crate) fn body(stanza: &Stanza) -> String {
    let element = stanza.element();
    let body = element.child("jabber:client", "body");
    body.map(waxwing_wire::Element::text).unwrap_or_default()
}

/// Runs a command that has to go well; what it says as JSON.
pub(crate) fn done(built: &Built, words: &[&str]) -> serde_json::Value {
    let output = built.command(words.iter().chain(&["--json"])).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs a command that has to fail with this code; what it says.
pub(crate) fn failed(built: &Built, code: i32, words: &[&str]) -> String {
    let output = built.command(words).unwrap();
    assert_eq!(output.status.code(), Some(code), "{words:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}
