//! A client that brings and fetches files.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use waxwing_dial::Stream;
use waxwing_stanza::Payload;
use waxwing_stanza::payload::Secret;
use waxwing_stanza::xep::xep_0363_upload::Slot;
use waxwing_tests::Built;

use crate::rig::{next, say, seed, soon};
use crate::ws;

/// A slot, as a client uses it.
pub(crate) struct Given {
    /// The path in the address.
    pub(crate) path: String,
    /// What allows it.
    pub(crate) token: String,
}

/// An answer by HTTP.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) content: Vec<u8>,
}

impl Answer {
    fn read(bytes: &[u8]) -> Answer {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or(bytes.len());
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        Answer {
            status: status.unwrap_or_default(),
            content: bytes.get(end + 4..).unwrap_or_default().to_vec(),
            head,
        }
    }

    /// The value of a header, by its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut pairs = lines.filter_map(|line| line.split_once(": "));
        let found = pairs.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }
}

/// Asks for a slot, and gets one. The name stands in XML.
pub(crate) async fn slot(stream: &mut Stream, name: &str, size: u64, kind: Option<&str>) -> Given {
    let id = format!(
        "slot-{}",
        u64::from_be_bytes(seed()[..8].try_into().unwrap())
    );
    let kind = kind.map_or(String::new(), |kind| format!("content-type='{kind}'"));
    say(
        stream,
        &format!(
            "<iq type='get' id='{id}' to='waxwing.example'>\
             <request xmlns='urn:xmpp:http:upload:0' filename='{name}' size='{size}' {kind}/></iq>"
        ),
    )
    .await;
    let answer = loop {
        let answer = next(stream, "iq").await;
        if answer.id().as_deref() == Some(&id) {
            break answer;
        }
    };
    let slot = Slot::find_in(&answer).unwrap().unwrap();
    assert_eq!(slot.put.url, slot.get.url);
    let path = slot.put.url.strip_prefix("https://waxwing.example:5281");
    let Secret(value) = &slot.put.headers[0].value;
    Given {
        path: path.unwrap().to_owned(),
        token: value.strip_prefix("Bearer ").unwrap().to_owned(),
    }
}

/// The beginning of a request that brings a file.
pub(crate) fn put_head(path: &str, headers: &str) -> String {
    format!(
        "PUT {path} HTTP/1.1\r\nHost: waxwing.example:5281\r\nConnection: close\r\n{headers}\r\n"
    )
}

/// What is answered to these bytes, over TLS. Who is refused early may be cut off while it still writes.
pub(crate) async fn answer_of(built: &Built, request: &[u8]) -> Answer {
    let mut stream = ws::tls(built).await;
    let _cut_off = soon(stream.write_all(request)).await;
    let _cut_off = soon(stream.flush()).await;
    let mut answer = Vec::new();
    let _cut_off = soon(stream.read_to_end(&mut answer)).await;
    Answer::read(&answer)
}

/// Brings a file with these headers beside those that are needed.
pub(crate) async fn put(built: &Built, given: &Given, headers: &str, content: &[u8]) -> Answer {
    let head = put_head(
        &given.path,
        &format!(
            "Content-Length: {}\r\nAuthorization: Bearer {}\r\n{headers}",
            content.len(),
            given.token
        ),
    );
    answer_of(built, &[head.as_bytes(), content].concat()).await
}

/// A request with a content.
pub(crate) async fn ask(
    built: &Built,
    method: &str,
    path: &str,
    headers: &str,
    content: &[u8],
) -> Answer {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: waxwing.example:5281\r\nConnection: close\r\n{headers}\r\n"
    );
    answer_of(built, &[head.as_bytes(), content].concat()).await
}

/// A request without.
pub(crate) async fn fetch(built: &Built, method: &str, path: &str, headers: &str) -> Answer {
    ask(built, method, path, headers, b"").await
}

/// Bytes of a large file that are made, or looked at, together.
const PIECE_BYTES: usize = 1 << 16;

/// A piece of a large file: not the same as another.
fn piece(number: u64) -> Vec<u8> {
    let word = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
    word.iter().copied().cycle().take(PIECE_BYTES).collect()
}

/// Brings a file of so many bytes, a multiple of a piece, without TLS; the status.
pub(crate) async fn put_large(built: &Built, given: &Given, bytes: u64) -> u16 {
    let mut stream = TcpStream::connect(built.http).await.unwrap();
    let headers = format!(
        "Content-Length: {bytes}\r\nAuthorization: Bearer {}\r\n",
        given.token
    );
    let head = put_head(&given.path, &headers);
    stream.write_all(head.as_bytes()).await.unwrap();
    for number in 0..bytes / PIECE_BYTES as u64 {
        soon(stream.write_all(&piece(number))).await.unwrap();
    }
    let mut answer = Vec::new();
    soon(stream.read_to_end(&mut answer)).await.unwrap();
    Answer::read(&answer).status
}

/// Fetches it, and looks at every byte.
pub(crate) async fn get_large(built: &Built, given: &Given, bytes: u64) {
    let mut stream = TcpStream::connect(built.http).await.unwrap();
    let head = format!(
        "GET {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        given.path
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut end = [0; 4];
    while end != *b"\r\n\r\n" {
        end.rotate_left(1);
        end[3] = soon(stream.read_u8()).await.unwrap();
    }
    let mut read = vec![0; PIECE_BYTES];
    for number in 0..bytes / PIECE_BYTES as u64 {
        soon(stream.read_exact(&mut read)).await.unwrap();
        assert!(read == piece(number), "piece {number} is another");
    }
    assert_eq!(soon(stream.read(&mut read)).await.unwrap(), 0);
}
