//! What the log must not hold, at any level: passwords, what log-ins exchange, what people write. And
//! from INFO up: nobody's address.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use waxwing_dial::{Connect, DialError, Dialer, Place, Security, Stream};
use waxwing_stream::client::Settings;
use waxwing_stream::sasl::Mechanism;
use waxwing_tests::{Built, BuiltOptions};

use crate::relay;
use crate::rig::{at, dialer, next, say, seed, settings, settle, soon, starttls};

const PASSWORD: &str = "password-mark-Jq7x";
const OTHER_PASSWORD: &str = "password-mark-Kr8y";
const WRONG_PASSWORD: &str = "password-mark-Ls9z";
const BODY: &str = "body-mark-Mt1a";
const ALICE: &str = "alice-mark-nu2b";
const BOB: &str = "bob-mark-ov3c";
const NOBODY: &str = "nobody-mark-pw4d";
const RESOURCE: &str = "resource-mark-qx5e";
/// Where clients come from. Listening addresses are the operator's own; theirs are not.
const PEER: Ipv4Addr = Ipv4Addr::new(127, 66, 77, 88);

/// Connects from an address that can be told from all others.
struct FromPeer;

impl Connect for FromPeer {
    fn connect<'a>(
        &'a self,
        address: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + 'a>> {
        Box::pin(from_peer(address))
    }
}

async fn from_peer(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((PEER, 0).into())?;
    socket.connect(address).await
}

struct Client {
    dialer: Dialer,
    place: Place,
}

impl Client {
    fn new(built: &Built, place: Place) -> Client {
        let dialer = dialer(built).with_connect(Arc::new(FromPeer));
        Client { dialer, place }
    }

    async fn log_in(
        &self,
        user: &str,
        password: &str,
        mechanism: Mechanism,
    ) -> Result<Stream, DialError> {
        let settings = Settings {
            mechanisms: vec![mechanism],
            resource: Some(RESOURCE.to_owned()),
            ..settings(user, password)
        };
        soon(self.dialer.login(settings, &self.place, seed())).await
    }
}

const MECHANISMS: [Mechanism; 4] = [
    Mechanism::ScramSha256Plus,
    Mechanism::ScramSha256,
    Mechanism::ScramSha1,
    Mechanism::Plain,
];

/// Log-ins of all kinds, good and bad.
async fn log_ins(built: &Built) {
    for place in [starttls(built), at(built.c2s_tls, Security::DirectTls)] {
        let client = Client::new(built, place);
        for mechanism in MECHANISMS {
            let stream = client.log_in(ALICE, PASSWORD, mechanism).await.unwrap();
            stream.close().await;
            for (user, password) in [(ALICE, WRONG_PASSWORD), (NOBODY, WRONG_PASSWORD)] {
                client.log_in(user, password, mechanism).await.unwrap_err();
            }
        }
    }
}

/// Messages that arrive, that wait, that come back, and stanzas that are wrong.
async fn conversation(built: &Built) {
    let client = Client::new(built, starttls(built));
    let scram = Mechanism::ScramSha256Plus;
    let mut alice = client.log_in(ALICE, PASSWORD, scram).await.unwrap();
    let mut bob = client.log_in(BOB, OTHER_PASSWORD, scram).await.unwrap();
    say(&mut bob, "<presence/>").await;
    settle(&mut bob).await;
    let message = |to: &str| {
        format!(
            "<message to='{to}' type='chat'><subject>{BODY}</subject><body>{BODY}</body><x xmlns='urn:{BODY}'>{BODY}</x></message>"
        )
    };
    let to_bob = message(&format!("{BOB}@waxwing.example"));
    say(&mut alice, &to_bob).await;
    next(&mut bob, "message").await;
    say(&mut alice, &message(&format!("{NOBODY}@waxwing.example"))).await;
    say(&mut alice, &message(&format!("{NOBODY}@elsewhere.example"))).await;
    let wrong = format!(
        "<iq type='set' id='{BODY}'><query xmlns='jabber:iq:roster'><item jid='{BODY}@@'/></query></iq>"
    );
    say(&mut alice, &wrong).await;
    let status = format!("<presence><status>{BODY}</status></presence>");
    say(&mut alice, &status).await;
    settle(&mut alice).await;
    bob.close().await;
    say(&mut alice, &to_bob).await;
    settle(&mut alice).await;
    // A sender that is somebody else ends the stream.
    say(&mut alice, &format!("<message from='{BOB}@waxwing.example' to='{ALICE}@waxwing.example'><body>{BODY}</body></message>")).await;
    while soon(alice.next()).await.is_ok() {}
    let mut bob = client.log_in(BOB, OTHER_PASSWORD, scram).await.unwrap();
    say(&mut bob, "<presence/>").await;
    next(&mut bob, "message").await;
    // Cut, without a word.
    drop(bob);
}

/// Bytes that are no XMPP, with and without TLS that ought to be there.
async fn noise(built: &Built) {
    let header = "<stream:stream to='waxwing.example' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
    let plain = STANDARD.encode(format!("\0{ALICE}\0{WRONG_PASSWORD}"));
    let auth =
        format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>");
    for address in [built.c2s, built.c2s_tls, built.plain] {
        for words in [
            format!("{header}<message><body>{BODY}</wrong>"),
            format!("{header}<message from='{NOBODY}@x'><body>{BODY}</body></message>"),
            format!("{header}{auth}"),
            format!("GET /{BODY} HTTP/1.1\r\n\r\n"),
            format!("<{BODY}>"),
        ] {
            let mut socket = from_peer(address).await.unwrap();
            // A server that has heard enough may close while more is said.
            let _heard = socket.write_all(words.as_bytes()).await;
            let _ended = socket.shutdown().await;
            let mut answer = Vec::new();
            let _cut = soon(socket.read_to_end(&mut answer)).await;
        }
    }
}

/// What log-ins exchange, as base64 and decoded, taken off the wire where nothing hides it.
async fn exchanges(built: &Built) -> Vec<String> {
    let (address, kept) = relay::tap(built.plain).await;
    let client = Client::new(built, at(address, Security::Plain));
    let mechanism = Mechanism::ScramSha256;
    let mut stream = client.log_in(ALICE, PASSWORD, mechanism).await.unwrap();
    settle(&mut stream).await;
    stream.close().await;
    client
        .log_in(ALICE, WRONG_PASSWORD, mechanism)
        .await
        .unwrap_err();
    let wire = String::from_utf8(kept.lock().unwrap().clone()).unwrap();
    let mut secrets = Vec::new();
    for name in ["auth", "challenge", "response", "success"] {
        for piece in wire.split(&format!("<{name} ")).skip(1) {
            let text = piece.split('>').nth(1).unwrap().split('<').next().unwrap();
            let decoded = String::from_utf8(STANDARD.decode(text).unwrap()).unwrap();
            secrets.extend([text.to_owned(), decoded]);
        }
    }
    // Two log-ins: auth, challenge, response each, and one success.
    assert_eq!(secrets.len(), 14, "{wire}");
    secrets
}

async fn run(level: &str) -> (String, Vec<String>) {
    let mut options = BuiltOptions::new(&format!("daemon-leaks-{level}"));
    options.log = level.to_owned();
    let options = options
        .account(ALICE, PASSWORD)
        .account(BOB, OTHER_PASSWORD);
    let mut built = Built::start(options).unwrap();
    log_ins(&built).await;
    conversation(&built).await;
    noise(&built).await;
    let mut secrets = exchanges(&built).await;
    let passwords = [PASSWORD, OTHER_PASSWORD, WRONG_PASSWORD];
    for password in passwords {
        secrets.push(password.to_owned());
        secrets.push(STANDARD.encode(password));
        for user in [ALICE, BOB, NOBODY] {
            secrets.push(STANDARD.encode(format!("\0{user}\0{password}")));
        }
    }
    // Where there is a database: how it is opened, and what it is given as values of statements.
    secrets.push(waxwing_postgresql::PASSWORD.to_owned());
    let body = format!("{:?}", BODY.as_bytes());
    secrets.push(body.trim_matches(['[', ']']).to_owned());
    secrets.push(BODY.to_owned());
    // The relay goes on meanwhile: it has a thread of its own.
    built.stop().unwrap();
    (built.log().unwrap(), secrets)
}

async fn holds_no_secret(level: &str) -> String {
    let (log, secrets) = run(level).await;
    for secret in secrets {
        let leak = log.lines().find(|line| line.contains(&secret));
        assert_eq!(leak, None, "{secret} at {level}");
    }
    log
}

async fn names_nobody(level: &str) {
    let log = holds_no_secret(level).await;
    let peer = PEER.to_string();
    for name in [ALICE, BOB, NOBODY, RESOURCE, "@waxwing.example", &peer] {
        let leak = log.lines().find(|line| line.contains(name));
        assert_eq!(leak, None, "{name} at {level}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_error_nobody_is_named() {
    names_nobody("error").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_warn_nobody_is_named() {
    names_nobody("warn").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_info_nobody_is_named() {
    names_nobody("info").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_debug_there_are_no_secrets() {
    let log = holds_no_secret("debug").await;
    assert!(log.contains("DEBUG"), "nothing was logged at this level");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_trace_there_are_no_secrets() {
    let log = holds_no_secret("trace").await;
    assert!(log.contains("DEBUG"), "nothing was logged at this level");
}

/// For fail2ban, where the operator wants it: where a failed log-in came from, and nothing about whom.
#[tokio::test]
async fn a_failed_log_in_is_one_line_with_the_peers_address_where_that_is_wanted() {
    let mut options = BuiltOptions::new("daemon-fail2ban").account(ALICE, PASSWORD);
    options.config = "[options]\nlog_failed_logins = true\n".to_owned();
    options.log = "warn".to_owned();
    let mut built = Built::start(options).unwrap();
    let client = Client::new(&built, starttls(&built));
    for mechanism in MECHANISMS {
        for user in [ALICE, NOBODY] {
            let refused = client.log_in(user, WRONG_PASSWORD, mechanism).await;
            refused.unwrap_err();
        }
    }
    let scram = Mechanism::ScramSha256Plus;
    let stream = client.log_in(ALICE, PASSWORD, scram).await.unwrap();
    stream.close().await;
    built.stop().unwrap();
    let log = built.log().unwrap();
    let failed = log.lines().filter(|line| line.contains("a log-in failed"));
    assert_eq!(failed.count(), 2 * MECHANISMS.len(), "{log}");
    // What fail2ban is told to look for is what is written.
    let filter = include_str!("../../../deploy/fail2ban/filter.conf");
    let expression = filter
        .lines()
        .find_map(|line| line.strip_prefix("failregex = ^.* "));
    let wanted = expression.unwrap().trim_end_matches('$');
    let wanted = wanted.replace("<HOST>", &PEER.to_string());
    let found = log.lines().filter(|line| line.ends_with(&wanted));
    assert_eq!(found.count(), 2 * MECHANISMS.len(), "{wanted}: {log}");
    // No machine trusts the certificates of tests, and their database does not wait for its disk: said at the start.
    let about_clients = |line: &&str| {
        !(line.contains(" WARN the certificate: ") || line.contains(" WARN fsync is off "))
    };
    for line in log.lines().filter(about_clients) {
        assert!(
            line.contains(" WARN ") && line.contains(&PEER.to_string()),
            "{line}"
        );
        for name in [ALICE, NOBODY, PASSWORD, WRONG_PASSWORD] {
            assert!(!line.contains(name), "{line}");
        }
    }
}
