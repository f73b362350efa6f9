//! Several domains on one server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use waxwing_tests::{Built, BuiltOptions};

use crate::rig::{soon, tls_client};

const OTHER: &str = "other.example";

/// Authority, certificate and key of the other domain.
fn certificate(built: &Built, folder: &str) -> PathBuf {
    let folder = built.directory().join(folder);
    let made = built.command([
        "certificate",
        "local",
        "--domain",
        OTHER,
        "--dir",
        folder.to_str().unwrap(),
    ]);
    assert!(made.unwrap().status.success());
    folder
}

/// Says something, and reads until the server has said `end`.
async fn ask(
    stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin),
    what: &str,
    end: &str,
) -> Result<String, std::io::Error> {
    stream.write_all(what.as_bytes()).await?;
    let mut text = String::new();
    let mut piece = [0; 4096];
    while !text.contains(end) {
        let length = soon(stream.read(&mut piece)).await?;
        assert_ne!(length, 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    Ok(text)
}

fn header(to: &str) -> String {
    format!(
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='{to}' version='1.0'>"
    )
}

/// What the server says on the direct TLS port to a client that trusts one authority and asks for a name.
async fn features(
    built: &Built,
    authority: &Path,
    name: &str,
    to: &str,
) -> Result<String, std::io::Error> {
    let config = tls_client(authority, rustls::DEFAULT_VERSIONS);
    let socket = TcpStream::connect(built.c2s_tls).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = soon(connector.connect(name, socket)).await?;
    ask(&mut stream, &header(to), "</stream:features>").await
}

/// The same after STARTTLS, by a client that sends no name and wants `to` to be proved.
async fn features_by_header(
    built: &Built,
    authority: &Path,
    version: &'static SupportedProtocolVersion,
    to: &str,
) -> Result<String, std::io::Error> {
    let mut config = tls_client(authority, &[version]);
    config.enable_sni = false;
    let mut socket = TcpStream::connect(built.c2s).await.unwrap();
    ask(&mut socket, &header(to), "</stream:features>").await?;
    let start = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    ask(&mut socket, start, "<proceed").await?;
    let name = ServerName::try_from(to.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = soon(connector.connect(name, socket)).await?;
    ask(&mut stream, &header(to), "</stream:features>").await
}

/// RFC 6066 §3: each domain has its certificate, and its service hosts have it too.
#[tokio::test]
async fn each_domain_shows_its_certificate() {
    let mut built = Built::start(BuiltOptions::new("domains")).unwrap();
    let folder = certificate(&built, "other");
    let config = built.directory().join("waxwing.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace(
        "domains = [\"waxwing.example\"]",
        &format!("domains = [\"waxwing.example\", \"{OTHER}\"]"),
    );
    let own = format!(
        "{text}\n[domain.\"{OTHER}\"]\ncertificate = \"other/cert.pem\"\nkey = \"other/key.pem\"\n"
    );
    std::fs::write(&config, &own).unwrap();
    built.restart().unwrap();
    let (first, other) = (built.authority.clone(), folder.join("ca.pem"));
    for (authority, name, to) in [
        (&first, "waxwing.example", "waxwing.example"),
        (&other, OTHER, OTHER),
        (&other, "rooms.other.example", OTHER),
    ] {
        let said = features(&built, authority, name, to).await.unwrap();
        assert!(said.contains(&format!("from='{to}'")), "{said}");
        assert!(said.contains("SCRAM-SHA-256-PLUS"), "{said}");
    }
    features(&built, &first, OTHER, OTHER).await.unwrap_err();
    // RFC 6120 §13.7.1: who asks for no name is shown what the stream's header asked for.
    for version in rustls::DEFAULT_VERSIONS {
        for (authority, to) in [(&first, "waxwing.example"), (&other, OTHER)] {
            let said = features_by_header(&built, authority, version, to).await;
            let said = said.unwrap();
            assert!(said.contains("SCRAM-SHA-256-PLUS"), "{said}");
        }
    }
    // What is no host of it is not its own.
    let name = "conference.other.example";
    features(&built, &other, name, OTHER).await.unwrap_err();
    features(&built, &other, "waxwing.example", "waxwing.example")
        .await
        .unwrap_err();
    let checked = built.command(["check"]).unwrap();
    let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.contains(OTHER), "{checked}");
    // Which of the two is meant.
    for file in [
        "/tls/cert.pem names waxwing.example",
        "/other/cert.pem names other.example",
    ] {
        assert!(checked.contains(file), "{checked}");
    }
    // Another one, while the server runs.
    let renewed = certificate(&built, "renewed");
    std::fs::write(&config, own.replace("other/", "renewed/")).unwrap();
    let reloaded = built.command(["reload"]).unwrap();
    let said = String::from_utf8_lossy(&reloaded.stdout).into_owned();
    assert!(
        said.contains(&format!("domain.{OTHER}.certificate")),
        "{said}"
    );
    features(&built, &renewed.join("ca.pem"), OTHER, OTHER)
        .await
        .unwrap();
    features(&built, &other, OTHER, OTHER).await.unwrap_err();
    // A file that is not there changes nothing.
    std::fs::write(&config, own.replace("other/key", "nowhere/key")).unwrap();
    assert!(!built.command(["reload"]).unwrap().status.success());
    features(&built, &renewed.join("ca.pem"), OTHER, OTHER)
        .await
        .unwrap();
}
