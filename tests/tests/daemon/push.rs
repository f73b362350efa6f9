//! The built server posts to a push service on this machine (RFC 8030, RFC 8291, RFC 8292), over real sockets and TLS.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use waxwing_dial::Stream;
use waxwing_server::{Endpoint, WebRequest};
use waxwing_testkit::PushClient;
use waxwing_tests::{Built, BuiltOptions};

use crate::rig::{ALICE, BOB, done, failed, log_in, next, say, settle, soon};

const PATH: &str = "/path-mark-ry6f?token=token-mark-sz7g";
const NODE: &str = "node-mark-ta8h";

/// A push service at `localhost`, by an authority of its own.
struct Service {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    endpoint: String,
}

impl Service {
    async fn new(folder: &Path) -> Service {
        let file = |name: &str| folder.join(name);
        let chain = vec![CertificateDer::from_pem_file(file("cert.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(file("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Service {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            endpoint: format!("https://localhost:{port}{PATH}"),
        }
    }

    /// Takes one request, and answers it.
    async fn serve(&self, answer: &str) -> WebRequest {
        let (socket, _) = soon(self.listener.accept()).await.unwrap();
        let mut stream = soon(self.acceptor.accept(socket)).await.unwrap();
        let mut read = Vec::new();
        let request = loop {
            let mut some = [0; 4_096];
            let count = soon(stream.read(&mut some)).await.unwrap();
            assert!(count > 0, "the request is cut short");
            read.extend_from_slice(&some[..count]);
            if let Some(request) = self.request(&read) {
                break request;
            }
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        // It may have heard enough.
        let _ended = stream.shutdown().await;
        request
    }

    fn request(&self, read: &[u8]) -> Option<WebRequest> {
        let end = read.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&read[..end]).unwrap();
        let mut lines = head.split("\r\n");
        assert_eq!(lines.next(), Some(&*format!("POST {PATH} HTTP/1.1")));
        let fields: Vec<(&str, &str)> = lines.map(|line| line.split_once(": ").unwrap()).collect();
        let field = |name: &str| {
            let mut found = fields.iter().filter(|(known, _)| *known == name);
            let (_, value) = found.next().unwrap();
            assert!(found.next().is_none(), "{name} stands there twice");
            (*value).to_owned()
        };
        let endpoint = Endpoint::parse(&self.endpoint).unwrap();
        assert_eq!(field("Host"), endpoint.authority());
        let bytes: usize = field("Content-Length").parse().unwrap();
        let body = &read[end + 4..];
        let names = ["TTL", "Content-Encoding", "Authorization"];
        (body.len() == bytes).then(|| WebRequest {
            endpoint,
            headers: names.map(|name| (name, field(name))).to_vec(),
            body: body.to_vec().into(),
            private_addresses: true,
            secs_max: 0,
        })
    }
}

/// A certificate for `localhost` and its authority, made by the program itself.
fn certificate(built: &Built) -> PathBuf {
    let folder = built.directory().join("push-service");
    let dir = folder.display().to_string();
    let words = [
        "certificate",
        "local",
        "--domain",
        "localhost",
        "--dir",
        &dir,
    ];
    let made = done(built, &words);
    assert_eq!(made["authority_is_new"], true);
    PathBuf::from(made["authority"].as_str().unwrap())
}

fn server(name: &str, options: &str) -> Built {
    let mut started = BuiltOptions::new(name);
    started.config = format!("[options]\nweb_push = true\n{options}\n");
    started.log = "debug".to_owned();
    let started = started.account(ALICE.0, ALICE.1).account(BOB.0, BOB.1);
    Built::start(started).unwrap()
}

/// Asks for the server's key, and for notifications there.
async fn subscribe(alice: &mut Stream, phone: &PushClient, endpoint: &str) -> String {
    let ask = "<iq type='get' id='key' to='waxwing.example'><key xmlns='urn:waxwing:push:0'/></iq>";
    say(alice, ask).await;
    let answer = next(alice, "iq").await;
    let key = answer.children().next().unwrap().element().text();
    let field =
        |name: &str, value: &str| format!("<field var='{name}'><value>{value}</value></field>");
    let form = [
        field(
            "FORM_TYPE",
            "http://jabber.org/protocol/pubsub#publish-options",
        ),
        field("endpoint", endpoint),
        field("p256dh", &phone.public()),
        field("auth", &phone.auth()),
    ];
    let enable = format!(
        "<iq type='set' id='on'><enable xmlns='urn:xmpp:push:0' jid='waxwing.example' node='{NODE}'>\
         <x xmlns='jabber:x:data' type='submit'>{}</x></enable></iq>",
        form.concat()
    );
    say(alice, &enable).await;
    let answer = next(alice, "iq").await;
    assert_eq!(answer.kind().as_deref(), Some("result"), "{answer:?}");
    key
}

async fn write(bob: &mut Stream) {
    let message = "<message to='alice@waxwing.example' type='chat'><body>hello</body></message>";
    say(bob, message).await;
    settle(bob).await;
}

/// Waits until the list says this of the service.
async fn listed(built: &Built, what: &str, word: &str) -> Value {
    soon(async {
        loop {
            let listed = done(built, &["push", "list", "alice@waxwing.example"]);
            let service = listed["services"][0].clone();
            if service[what] == word {
                return service;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
}

#[tokio::test]
async fn what_is_posted_is_sealed_and_signed() {
    let mut built = server("daemon-push", "web_push_private_addresses = true");
    let authority = certificate(&built);
    let service = Service::new(authority.parent().unwrap()).await;
    built.set_environment([("SSL_CERT_FILE", &authority)]);
    built.stop().unwrap();
    built.restart().unwrap();

    let phone = PushClient::new(3).unwrap();
    let mut alice = log_in(&built, ALICE).await.unwrap();
    let key = subscribe(&mut alice, &phone, &service.endpoint).await;
    alice.close().await;
    let mut bob = log_in(&built, BOB).await.unwrap();
    write(&mut bob).await;
    let post = service
        .serve("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        .await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let content = phone.open(&post, &key, now.as_secs()).unwrap();
    assert_eq!(content, json!({ "account": "alice@waxwing.example" }));
    listed(&built, "state", "works").await;

    write(&mut bob).await;
    let redirect = "HTTP/1.1 307 Away\r\nLocation: https://localhost:1/\r\n\r\n";
    service.serve(redirect).await;
    let failing = listed(&built, "state", "failing").await;
    assert_eq!(failing["reason"], "redirect");
    leaks_nothing(&built, &phone, &post);
}

/// Nothing that lets anybody post, or says to whom, is in the log.
fn leaks_nothing(built: &Built, phone: &PushClient, post: &WebRequest) {
    let log = built.log().unwrap();
    let (_, token) = &post.headers[2];
    let (public, auth) = (phone.public(), phone.auth());
    let secret = fs::read_to_string(built.data_dir.join("push-key")).unwrap();
    let secret = secret.lines().last().unwrap();
    let marks = ["path-mark", "token-mark", "node-mark"];
    for mark in marks.into_iter().chain([&**token, &public, &auth, secret]) {
        assert!(!log.contains(mark), "{mark} in:\n{log}");
    }
}

#[tokio::test]
async fn nothing_is_posted_to_this_machine_unless_the_operator_says_so() {
    let built = server("daemon-push-private", "");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let phone = PushClient::new(3).unwrap();
    let mut alice = log_in(&built, ALICE).await.unwrap();
    // A name: what it stands for is found out when something is posted.
    let endpoint = format!("https://localhost:{port}/");
    subscribe(&mut alice, &phone, &endpoint).await;
    alice.close().await;
    let mut bob = log_in(&built, BOB).await.unwrap();
    write(&mut bob).await;
    let service = listed(&built, "reason", "private-address").await;
    assert_eq!(service["state"], "failing");
    let came = tokio::time::timeout(Duration::from_millis(100), listener.accept());
    assert!(came.await.is_err(), "somebody came");
}

#[tokio::test]
async fn the_key_of_push_services_is_a_file_of_its_own() {
    let built = server("daemon-push-key", "");
    let path = built.data_dir.join("push-key");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = || async {
        let mut alice = log_in(&built, ALICE).await.unwrap();
        let ask =
            "<iq type='get' id='k' to='waxwing.example'><key xmlns='urn:waxwing:push:0'/></iq>";
        say(&mut alice, ask).await;
        let answer = next(&mut alice, "iq").await;
        alice.close().await;
        answer.children().next().unwrap().element().text()
    };
    let before = key().await;
    assert_eq!(before.len(), 87);
    fs::write(&path, "5a".repeat(32)).unwrap();
    let said = done(&built, &["reload"]);
    assert_eq!(said["changed"], json!(["push-key"]));
    let after = key().await;
    assert_ne!(after, before);
    // What is no key changes nothing.
    for (wrong, words) in [
        ("no key".to_owned(), "push-key:1: a key is 64"),
        ("00".repeat(32), "none of the curve P-256"),
    ] {
        fs::write(&path, wrong).unwrap();
        let said = failed(&built, 1, &["reload"]);
        assert!(said.contains(words), "{said}");
        assert_eq!(key().await, after);
    }
}
