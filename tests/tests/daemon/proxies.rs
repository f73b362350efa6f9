//! Reverse proxies: where clients come from is what trusted ones say, and nobody else.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use waxwing_tests::{Built, BuiltOptions};

use crate::hb::{BEGIN, HTTP_BIND, body, head};
use crate::rig::{ALICE, soon};
use crate::ws;

const HEADER: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='waxwing.example' version='1.0'>";

/// Of PROXY version 2: a client at 203.0.113.9.
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x09\x7f\x00\x00\x01\x30\x39\x00\x50";

/// The proxy that the server trusts.
const PROXY: &str = "127.0.0.9";

fn server(name: &str) -> Built {
    let mut options = BuiltOptions::new(name).account(ALICE.0, ALICE.1);
    options.listen =
        format!("trusted_proxies = [\"{PROXY}\"]\nproxy_protocol = [\"c2s\", \"https\"]\n");
    options.config = "[options]\nlog_failed_logins = true\n".to_owned();
    Built::start(options).unwrap()
}

/// A connection from one of the addresses of this machine.
async fn from(address: &str, to: std::net::SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let address = format!("{address}:0").parse().unwrap();
    socket.bind(address).unwrap();
    soon(socket.connect(to)).await.unwrap()
}

async fn read_until(stream: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut text = String::new();
    let mut piece = [0; 4096];
    while !text.contains(end) {
        let length = soon(stream.read(&mut piece)).await.unwrap();
        assert_ne!(length, 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    text
}

/// Posts without TLS from an address, and gives the answer.
async fn post(built: &Built, address: &str, headers: &str, content: &str) -> String {
    let mut stream = from(address, built.http).await;
    let request = head(content.len(), headers) + content;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

/// The content of a session's second request: PLAIN with a wrong password. `first` is the answer that began it.
fn wrong_login(first: &str) -> String {
    let sid = first.split("sid='").nth(1).unwrap();
    let sid = sid.split('\'').next().unwrap();
    let auth =
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFsaWNlAHdyb25n</auth>";
    body(&format!("rid='8' sid='{sid}'"), auth)
}

/// Fails to log in by a proxy, and asks for PLAIN on the way.
async fn fail(built: &Built, address: &str, headers: &str) -> String {
    let first = post(
        built,
        address,
        headers,
        &body(&format!("rid='7' {BEGIN}"), ""),
    )
    .await;
    let content = wrong_login(&first);
    post(built, address, headers, &content).await
}

/// `X-Forwarded-For` and `X-Forwarded-Proto`.
#[tokio::test]
async fn requests_come_from_where_a_trusted_proxy_says() {
    let built = server("proxies-forwarded");
    let forwarded = "X-Forwarded-For: 198.51.100.1, 203.0.113.7\r\nX-Forwarded-Proto: https\r\n";
    let answer = fail(&built, PROXY, forwarded).await;
    assert!(answer.contains("<not-authorized/>"), "{answer}");
    let log = built.log().unwrap();
    assert!(
        log.contains("203.0.113.7") && !log.contains("198.51.100.1"),
        "{log}"
    );
    // Somebody else who says the same is believed nothing: not where it comes from, and not that there is TLS.
    let answer = fail(
        &built,
        "127.0.0.8",
        &forwarded.replace("203.0.113.7", "203.0.113.8"),
    )
    .await;
    assert!(answer.contains("<encryption-required/>"), "{answer}");
    assert!(!built.log().unwrap().contains("203.0.113.8"));
}

/// A client puts in what is no text, and the proxy adds behind it where it came from: that counts all the same, or the
/// client would be the proxy itself, which has no limits.
#[tokio::test]
async fn what_a_client_puts_in_hides_nothing() {
    let built = server("proxies-hidden");
    let forwarded = "X-Forwarded-For: \u{e9}, 203.0.113.10\r\nX-Forwarded-Proto: https\r\n";
    let answer = fail(&built, PROXY, forwarded).await;
    assert!(answer.contains("<not-authorized/>"), "{answer}");
    let log = built.log().unwrap();
    assert!(log.contains("203.0.113.10"), "{log}");
    let overruled =
        "X-Forwarded-For: 203.0.113.11\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n";
    let answer = fail(&built, PROXY, overruled).await;
    assert!(answer.contains("<encryption-required/>"), "{answer}");
}

/// A proxy that passes on everything does not make public what is for this machine.
#[tokio::test]
async fn metrics_are_not_passed_on() {
    let built = server("proxies-metrics");
    for (headers, status) in [
        ("", "HTTP/1.1 200 "),
        ("X-Forwarded-For: 192.0.2.7\r\n", "HTTP/1.1 404 "),
        ("Forwarded: for=192.0.2.7\r\n", "HTTP/1.1 404 "),
    ] {
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n"
        );
        let answer = ws::ask(&built, false, &request).await;
        assert!(answer.starts_with(status), "{headers}: {answer}");
    }
}

/// The PROXY protocol, version 1 and 2: required of a trusted proxy, and of nobody else.
#[tokio::test]
async fn connections_come_from_where_a_trusted_proxy_says() {
    let built = server("proxies-announced");
    let v1 = b"PROXY TCP4 203.0.113.8 127.0.0.1 12345 5222\r\n";
    for header in [&v1[..], V2] {
        let mut stream = from(PROXY, built.c2s).await;
        stream
            .write_all(&[header, HEADER.as_bytes()].concat())
            .await
            .unwrap();
        let features = read_until(&mut stream, "</stream:features>").await;
        assert!(features.contains("<starttls"), "{features}");
    }
    // Without one, a proxy of ours is cut off; a header of somebody else is no XML.
    let mut silent = from(PROXY, built.c2s).await;
    silent.write_all(HEADER.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _reset = soon(silent.read_to_end(&mut answer)).await;
    assert_eq!(answer, b"");
    let mut stranger = from("127.0.0.8", built.c2s).await;
    stranger.write_all(v1).await.unwrap();
    let said = read_until(&mut stranger, "</stream:stream>").await;
    assert!(
        said.contains("<not-well-formed") || said.contains("<bad-format"),
        "{said}"
    );
    let mut stranger = from("127.0.0.8", built.c2s).await;
    stranger.write_all(HEADER.as_bytes()).await.unwrap();
    read_until(&mut stranger, "</stream:features>").await;
    // A header that never comes is not waited for.
    let mut idle = from(PROXY, built.c2s).await;
    let ended = soon(idle.read(&mut [0; 1])).await;
    assert!(!matches!(ended, Ok(1)));
}

/// Before TLS, on the HTTPS port: the log has the client's address.
#[tokio::test]
async fn https_is_announced_before_tls() {
    let built = server("proxies-https");
    let mut stream = from(PROXY, built.https).await;
    stream.write_all(V2).await.unwrap();
    let mut stream = ws::tls_over(stream, &built.authority).await;
    let content = body(&format!("rid='7' {BEGIN}"), "");
    let request = (head(content.len(), "") + &content).replace("Connection: close\r\n", "");
    stream.write_all(request.as_bytes()).await.unwrap();
    let text = read_until(&mut stream, "</body>").await;
    assert!(text.contains(HTTP_BIND));
    let content = wrong_login(&text);
    let request = head(content.len(), "") + &content;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.contains("<not-authorized/>"), "{answer}");
    assert!(built.log().unwrap().contains("203.0.113.9"));
}
