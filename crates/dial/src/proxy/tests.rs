use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use super::*;

/// A proxy whose answers were written down, in pieces as they arrive.
struct Script {
    pieces: VecDeque<Vec<u8>>,
    written: Vec<u8>,
}

impl Script {
    fn new(pieces: &[&[u8]]) -> Script {
        let pieces = pieces.iter().filter(|piece| !piece.is_empty());
        Script {
            pieces: pieces.map(|piece| piece.to_vec()).collect(),
            written: Vec::new(),
        }
    }

    /// What was not read.
    fn rest(self) -> Vec<u8> {
        self.pieces.into_iter().flatten().collect()
    }
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(mut piece) = self.pieces.pop_front() {
            let taken = piece.len().min(buffer.remaining());
            buffer.put_slice(&piece[..taken]);
            piece.drain(..taken);
            if !piece.is_empty() {
                self.pieces.push_front(piece);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

fn socks5(credentials: Option<Credentials>) -> Proxy {
    let address = NOWHERE;
    Proxy::Socks5 {
        address,
        credentials,
    }
}

fn http(credentials: Option<Credentials>) -> Proxy {
    let address = NOWHERE;
    Proxy::Http {
        address,
        credentials,
    }
}

fn login() -> Option<Credentials> {
    Some(Credentials::new("alice", "open sesame").unwrap())
}

fn name() -> Host {
    Host::Name("example.org".to_owned())
}

async fn run(proxy: &Proxy, host: &Host, pieces: &[&[u8]]) -> (Result<(), ProxyError>, Script) {
    let mut script = Script::new(pieces);
    let outcome = proxy.connect(&mut script, host, 5222).await;
    (outcome, script)
}

/// Asserts the outcome of an answer split at every byte, and that exactly `left` is left unread; and
/// that an answer which ends early is an error.
async fn at_every_split(
    proxy: &Proxy,
    answer: &[u8],
    left: &[u8],
    outcome: Result<(), ProxyError>,
) {
    let whole = [answer, left].concat();
    for at in 0..=whole.len() {
        let (found, script) = run(proxy, &name(), &[&whole[..at], &whole[at..]]).await;
        assert_eq!(found, outcome, "split at {at}");
        if outcome.is_ok() {
            assert_eq!(script.rest(), left, "split at {at}");
        }
    }
    let bytes: Vec<&[u8]> = whole.chunks(1).collect();
    assert_eq!(run(proxy, &name(), &bytes).await.0, outcome);
    if outcome.is_ok() {
        for at in 0..answer.len() {
            let (found, _) = run(proxy, &name(), &[&answer[..at]]).await;
            assert_eq!(found, Err(ProxyError::Gone), "cut at {at}");
        }
    }
}

#[tokio::test]
async fn socks5_passes_the_name_on() {
    let answer = b"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x04\x38";
    at_every_split(&socks5(None), answer, b"<stream", Ok(())).await;
    let (_, script) = run(&socks5(None), &name(), &[answer]).await;
    let expected = b"\x05\x01\x00\x05\x01\x00\x03\x0bexample.org\x14\x66";
    assert_eq!(script.written, expected);
    // Bound addresses of the other kinds.
    let v6 = [b"\x05\x00\x05\x00\x00\x04".as_slice(), &[0; 18]].concat();
    at_every_split(&socks5(None), &v6, b"x", Ok(())).await;
    let named = b"\x05\x00\x05\x00\x00\x03\x03abc\x00\x00";
    at_every_split(&socks5(None), named, b"x", Ok(())).await;
    let longest = [b"\x05\x00\x05\x00\x00\x03\xff".as_slice(), &[b'a'; 257]].concat();
    at_every_split(&socks5(None), &longest, b"x", Ok(())).await;
}

#[tokio::test]
async fn socks5_takes_addresses() {
    let answer = b"\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";
    for (host, written) in [
        ("192.0.2.1", b"\x01\xc0\x00\x02\x01".to_vec()),
        ("::1", [vec![4], vec![0; 15], vec![1]].concat()),
    ] {
        let host = Host::Ip(host.parse().unwrap());
        let (outcome, script) = run(&socks5(None), &host, &[answer]).await;
        assert_eq!(outcome, Ok(()));
        assert!(script.written[6..].starts_with(&written));
    }
}

#[tokio::test]
async fn socks5_logs_in() {
    let answer = b"\x05\x02\x01\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";
    at_every_split(&socks5(login()), answer, b"", Ok(())).await;
    let (_, script) = run(&socks5(login()), &name(), &[answer]).await;
    assert!(
        script
            .written
            .starts_with(b"\x05\x01\x02\x01\x05alice\x0bopen sesame\x05\x01\x00")
    );
    let refused = b"\x05\x02\x01\x01";
    at_every_split(
        &socks5(login()),
        refused,
        b"",
        Err(ProxyError::LoginRefused),
    )
    .await;
}

#[tokio::test]
async fn socks5_errors_have_their_names() {
    use ProxyError::{Failed, Forbidden, LoginRefused, NoMethod, NoProxy, Unreachable};
    for (answer, error) in [
        (b"\x05\xff".as_slice(), LoginRefused),
        (b"\x04\x00", NoProxy),
        // A method that was not offered.
        (b"\x05\x02", NoProxy),
        (b"\x05\x00\x04\x00\x00\x01", NoProxy),
        (b"\x05\x00\x05\x01\x00\x01", Failed),
        (b"\x05\x00\x05\x02\x00\x01", Forbidden),
        (b"\x05\x00\x05\x03\x00\x01", Unreachable),
        (b"\x05\x00\x05\x04\x00\x01", Unreachable),
        (b"\x05\x00\x05\x05\x00\x01", Unreachable),
        (b"\x05\x00\x05\x06\x00\x01", Unreachable),
        (b"\x05\x00\x05\x07\x00\x01", Failed),
        (b"\x05\x00\x05\x08\x00\x01", Failed),
        (b"\x05\x00\x05\x09\x00\x01", NoProxy),
        (b"\x05\x00\x05\x00\x01\x01", NoProxy),
        (b"\x05\x00\x05\x00\x00\x02", NoProxy),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", NoProxy),
    ] {
        at_every_split(&socks5(None), answer, b"", Err(error)).await;
    }
    at_every_split(&socks5(login()), b"\x05\xff", b"", Err(NoMethod)).await;
    // A log-in that was asked for is not forgone.
    at_every_split(&socks5(login()), b"\x05\x00", b"", Err(NoProxy)).await;
    let long = Host::Name("a".repeat(256));
    let (outcome, script) = run(&socks5(None), &long, &[]).await;
    assert_eq!(outcome, Err(ProxyError::NameTooLong));
    assert!(script.written.is_empty());
}

#[tokio::test]
async fn http_asks_for_the_name() {
    let answer = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";
    at_every_split(&http(None), answer, b"\x16\x03\x03", Ok(())).await;
    let (_, script) = run(&http(None), &name(), &[answer]).await;
    let expected = "CONNECT example.org:5222 HTTP/1.1\r\nHost: example.org:5222\r\n\r\n";
    assert_eq!(String::from_utf8(script.written).unwrap(), expected);
    let address = Host::Ip("::1".parse().unwrap());
    let (_, script) = run(&http(login()), &address, &[b"HTTP/1.0 200\r\n\r\n"]).await;
    let expected = "CONNECT [::1]:5222 HTTP/1.1\r\nHost: [::1]:5222\r\n\
                    Proxy-Authorization: Basic YWxpY2U6b3BlbiBzZXNhbWU=\r\n\r\n";
    assert_eq!(String::from_utf8(script.written).unwrap(), expected);
}

#[tokio::test]
async fn http_errors_have_their_names() {
    use ProxyError::{Failed, Forbidden, LoginRefused, NoProxy, Unreachable};
    for (line, error) in [
        ("HTTP/1.1 407 Proxy Authentication Required", LoginRefused),
        ("HTTP/1.1 403 Forbidden", Forbidden),
        ("HTTP/1.1 500 Oops", Failed),
        ("HTTP/1.1 502 Bad Gateway", Unreachable),
        ("HTTP/1.1 504 Gateway Timeout", Unreachable),
        ("HTTP/1.1 100 Continue", NoProxy),
        ("HTTP/1.1 301 Moved", NoProxy),
        ("HTTP/1.1 2000", NoProxy),
        ("HTTP/1.1 20", NoProxy),
        ("HTTP/1.1 +20", NoProxy),
        ("HTTP/1.1  200", NoProxy),
        ("HTTP/1.2 200 OK", NoProxy),
        ("HTTP/2 200", NoProxy),
        ("http/1.1 200 OK", NoProxy),
        ("SSH-2.0-OpenSSH", NoProxy),
    ] {
        let answer = format!("{line}\r\n\r\n");
        at_every_split(&http(None), answer.as_bytes(), b"", Err(error)).await;
    }
}

#[tokio::test]
async fn an_answer_without_end_ends() {
    let endless = [b"HTTP/1.1 200 OK\r\n".as_slice(), &[b'a'; 20_000]].concat();
    let (outcome, script) = run(&http(None), &name(), &[&endless]).await;
    assert_eq!(outcome, Err(ProxyError::NoProxy));
    assert_eq!(script.rest().len(), endless.len() - 8 * 1024);
}

#[tokio::test]
async fn any_bytes_are_survived() {
    let answers: [(Proxy, &[u8]); 3] = [
        (
            socks5(None),
            b"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x04\x38",
        ),
        (
            socks5(login()),
            b"\x05\x02\x01\x00\x05\x00\x00\x03\x02ab\x00\x00",
        ),
        (http(None), b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"),
    ];
    for (proxy, answer) in answers {
        for at in 0..answer.len() {
            for byte in 0..=u8::MAX {
                let mut bent = answer.to_vec();
                bent[at] = byte;
                let (outcome, _) = run(&proxy, &name(), &[&bent]).await;
                // The bytes that mean something are refused in any other value.
                if at == 0 && byte != answer[0] {
                    assert_eq!(outcome, Err(ProxyError::NoProxy));
                }
            }
        }
    }
}

#[test]
fn credentials_fit_every_proxy_and_are_not_shown() {
    for (user, password, error) in [
        ("", "x", CredentialsError::Empty),
        ("x", "", CredentialsError::Empty),
        ("a:b", "x", CredentialsError::Prohibited),
        ("a\r\nX: y", "x", CredentialsError::Prohibited),
        ("a", "x\n", CredentialsError::Prohibited),
        (&"a".repeat(256), "x", CredentialsError::TooLong),
        ("a", &"x".repeat(256), CredentialsError::TooLong),
    ] {
        assert_eq!(Credentials::new(user, password), Err(error));
    }
    assert!(Credentials::new(&"a".repeat(255), &"x:".repeat(127)).is_ok());
    let shown = format!("{:?}", socks5(login()));
    assert!(
        !shown.contains("alice") && !shown.contains("sesame"),
        "{shown}"
    );
}
