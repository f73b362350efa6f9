//! One TLS port for clients' streams and HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use waxwing_dial::Security;
use waxwing_tests::{Built, BuiltOptions};

use crate::rig::{ALICE, at, dialer, seed, settings, settle, soon, tls_client};

const PORT: u16 = 4443;
const HEADER: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='waxwing.example' version='1.0'>";
const REQUEST: &str = "GET /healthz HTTP/1.1\r\nHost: waxwing.example\r\nConnection: close\r\n\r\n";

fn server(name: &str) -> (Built, SocketAddr) {
    let mut options = BuiltOptions::new(name).account(ALICE.0, ALICE.1);
    options.listen = format!("tls = [\"{{ip}}:{PORT}\"]\n");
    let built = Built::start(options).unwrap();
    let address = SocketAddr::from((built.ip(), PORT));
    (built, address)
}

/// Says something and gives what is answered, up to an end or that of the connection.
async fn ask(
    built: &Built,
    to: SocketAddr,
    protocols: &[&[u8]],
    text: &str,
    end: &str,
) -> Result<String, std::io::Error> {
    let mut config = tls_client(&built.authority, rustls::DEFAULT_VERSIONS);
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let socket = TcpStream::connect(to).await.unwrap();
    let name = ServerName::try_from("waxwing.example").unwrap();
    let mut stream = soon(TlsConnector::from(Arc::new(config)).connect(name, socket)).await?;
    stream.write_all(text.as_bytes()).await?;
    let mut said = String::new();
    let mut piece = [0; 4096];
    loop {
        let length = soon(stream.read(&mut piece)).await?;
        said.push_str(&String::from_utf8_lossy(&piece[..length]));
        if length == 0 || said.contains(end) {
            return Ok(said);
        }
    }
}

/// XEP-0368 §5.
#[tokio::test]
async fn alpn_decides_and_without_it_the_first_bytes() {
    let (built, port) = server("one-port");
    for protocols in [&[&b"xmpp-client"[..]][..], &[]] {
        for header in [HEADER.to_owned(), format!("<?xml version='1.0'?>{HEADER}")] {
            let said = ask(&built, port, protocols, &header, "</stream:features>").await;
            let said = said.unwrap();
            assert!(said.contains("SCRAM-SHA-256-PLUS"), "{said}");
        }
    }
    for protocols in [&[&b"http/1.1"[..]][..], &[&b"h2"[..], b"http/1.1"], &[]] {
        let said = ask(&built, port, protocols, REQUEST, "ok\n").await.unwrap();
        assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    }
    // Said to be the one, it is not taken for the other.
    let said = ask(&built, port, &[b"xmpp-client"], REQUEST, "</stream:stream>").await;
    assert!(said.unwrap().contains("<stream:error"));
    let said = ask(&built, port, &[b"http/1.1"], HEADER, "</stream:stream>").await;
    assert!(said.unwrap().starts_with("HTTP/1.1 400 "));
    ask(&built, port, &[b"imap"], REQUEST, "")
        .await
        .unwrap_err();
}

/// A whole session: log-in bound to TLS, and an end that is told.
#[tokio::test]
async fn a_client_logs_in() {
    let (mut built, port) = server("one-port-login");
    let settings = settings(ALICE.0, ALICE.1);
    let (dialer, place) = (dialer(&built), at(port, Security::DirectTls));
    let mut alice = soon(dialer.login(settings, &place, seed())).await.unwrap();
    settle(&mut alice).await;
    let stopped = built.stop().unwrap().unwrap();
    assert!(stopped.success());
}
