//! The HTTP side by itself: versions, heads, silence, and requests that two readers would take for different ones.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use waxwing_tests::{Built, BuiltOptions};

use crate::hb::{HTTP_BIND, body};
use crate::rig::{server, soon};
use crate::ws;

/// What is answered until the connection ends.
async fn answers(built: &Built, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(built.http).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _reset = soon(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn statuses(answers: &str) -> Vec<&str> {
    let lines = answers.split("HTTP/1.1 ").skip(1);
    lines.filter_map(|answer| answer.get(..3)).collect()
}

/// Whoever connects and says nothing, or too slowly, is not kept.
#[tokio::test]
async fn silence_ends_a_connection() {
    let mut options = BuiltOptions::new("http-silence");
    options.listen = "tls = [\"{ip}:4443\"]\n".to_owned();
    let built = Built::start(options).unwrap();
    let any = (built.ip(), 4443).into();
    let mut silent = Vec::new();
    for address in [built.http, built.https, any] {
        silent.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            soon(stream.read(&mut [0; 64]))
                .await
                .is_ok_and(|read| read > 0)
        }));
    }
    for beginning in ["", "G", "P", "GET /healthz HTTP/1.1\r\nHost: a\r\n"] {
        let mut tls = ws::tls(&built).await;
        let mut plain = TcpStream::connect(built.http).await.unwrap();
        silent.push(tokio::spawn(async move {
            tls.write_all(beginning.as_bytes()).await.unwrap();
            soon(tls.read(&mut [0; 64]))
                .await
                .is_ok_and(|read| read > 0)
        }));
        silent.push(tokio::spawn(async move {
            plain.write_all(beginning.as_bytes()).await.unwrap();
            soon(plain.read(&mut [0; 64]))
                .await
                .is_ok_and(|read| read > 0)
        }));
    }
    // A line of a head every second is no head either.
    let mut slow = TcpStream::connect(built.http).await.unwrap();
    silent.push(tokio::spawn(async move {
        slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n")
            .await
            .unwrap();
        while slow.write_all(b"X: y\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        false
    }));
    for connection in silent {
        assert!(!soon(connection).await.unwrap(), "something was answered");
    }
}

/// What is not offered is not served either.
#[tokio::test]
async fn http_2_is_not_spoken() {
    let built = server("http-2");
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    assert_eq!(answers(&built, preface).await, "");
    let upgrade = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n\
                   HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n";
    let answer = ws::ask(&built, false, upgrade).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// Requests that two readers may take for different ones: headers, content, and the only status to be answered.
fn ambiguous() -> Vec<(String, String, &'static str)> {
    let content = body("rid='1' sid='none'", "");
    let length = format!("Content-Length: {}\r\n", content.len());
    let chunks = format!("{:x}\r\n{content}\r\n0\r\n\r\n", content.len());
    let chunked = "Transfer-Encoding: chunked\r\n";
    let hidden = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    vec![
        (length.clone(), content.clone(), "200"),
        (chunked.to_owned(), chunks.clone(), "200"),
        // The length is not believed, and nothing behind is read.
        (
            format!("{length}{chunked}"),
            format!("{chunks}{hidden}"),
            "200",
        ),
        (
            format!("{chunked}{length}"),
            format!("{chunks}{hidden}"),
            "200",
        ),
        (
            format!("{length}Content-Length: 5\r\n"),
            content.clone(),
            "400",
        ),
        (
            "Content-Length: 5, 5\r\n".to_owned(),
            content.clone(),
            "400",
        ),
        ("Content-Length: +5\r\n".to_owned(), content.clone(), "400"),
        ("Content-Length: -1\r\n".to_owned(), content.clone(), "400"),
        (
            "Content-Length: 99999999999999999999\r\n".to_owned(),
            content.clone(),
            "400",
        ),
        ("Content-Length : 5\r\n".to_owned(), content.clone(), "400"),
        ("X: y\r\n folded\r\n".to_owned(), content.clone(), "400"),
        ("X: a\0b\r\n".to_owned(), content.clone(), "400"),
        (
            "Transfer-Encoding: xchunked\r\n".to_owned(),
            chunks.clone(),
            "400",
        ),
        (
            "Transfer-Encoding: chunked, identity\r\n".to_owned(),
            chunks.clone(),
            "400",
        ),
        (chunked.to_owned(), "zz\r\n".to_owned(), "400"),
        (
            chunked.to_owned(),
            "fffffffffffffffff\r\n".to_owned(),
            "400",
        ),
        ("Host: b\r\n".to_owned(), String::new(), "400"),
        ("X: y\r\n".repeat(101), String::new(), "431"),
        (
            format!("X: {}\r\n", "y".repeat(200_000)),
            String::new(),
            "431",
        ),
    ]
}

/// RFC 9112 §3.2, §5 and §6: where a request ends, and whom it is for, is never guessed.
#[tokio::test]
async fn a_request_is_one_request() {
    let built = server("http-smuggling");
    for (headers, content, expected) in ambiguous() {
        let request = format!(
            "POST /http-bind HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n{content}"
        );
        let answer = answers(&built, request.as_bytes()).await;
        assert_eq!(statuses(&answer), [expected], "{headers:.80}{answer}");
        assert_eq!(answer.contains(HTTP_BIND), expected == "200", "{answer}");
    }
    let nobody = answers(&built, b"GET /healthz HTTP/1.1\r\n\r\n").await;
    assert_eq!(statuses(&nobody), ["400"], "{nobody}");
    let old = answers(&built, b"GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200 "), "{old}");
}
