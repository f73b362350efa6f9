//! Frames of a WebSocket: those that break the rules of RFC 6455, and all the ways to cut a message.

use futures_util::SinkExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::rig::{ALICE, BOB, available, body, next, server, soon};
use crate::ws::{self, CLOSE};

/// A frame without content, whose mask changes nothing.
fn empty(first: u8) -> Vec<u8> {
    vec![first, 0x80, 0, 0, 0, 0]
}

/// A ping with so much content.
fn ping(length: u8) -> Vec<u8> {
    let mut frame = match length {
        ..=125 => vec![0x89, 0x80 | length],
        _ => vec![0x89, 0xfe, 0, length],
    };
    frame.extend_from_slice(&[0; 4]);
    frame.resize(frame.len() + usize::from(length), b'x');
    frame
}

/// RFC 6455 §5 and §7.4.1; RFC 7395 §3.5: the stream has its error, then the WebSocket has its code.
#[tokio::test]
async fn what_breaks_the_rules_of_frames_ends_the_stream() {
    let built = server("websocket-rules");
    let far = [&[0x81, 0xff][..], &[0xff; 8], &[0; 4]].concat();
    for (what, bytes, condition, code) in [
        ("a reserved opcode", empty(0x83), "bad-format", 1002),
        ("a reserved control opcode", empty(0x8b), "bad-format", 1002),
        ("no mask", vec![0x81, 0], "bad-format", 1002),
        ("the bit of compression", empty(0xc1), "bad-format", 1002),
        ("another reserved bit", empty(0xa1), "bad-format", 1002),
        ("a ping in pieces", empty(0x09), "bad-format", 1002),
        ("a long ping", ping(126), "bad-format", 1002),
        ("the rest of nothing", empty(0x80), "bad-format", 1002),
        (
            "a message inside of another",
            [empty(0x01), empty(0x81)].concat(),
            "bad-format",
            1002,
        ),
        (
            "half a closing code",
            vec![0x88, 0x81, 0, 0, 0, 0, 3],
            "bad-format",
            1002,
        ),
        ("the longest length", far, "policy-violation", 1009),
    ] {
        let said = (Some(condition.to_owned()), Some(code));
        let (mut opened, _) = ws::open(&built).await;
        opened.raw(&bytes).await;
        assert_eq!(opened.end().await, said, "{what}");
        // Before the stream is open too: it is opened for the error.
        let mut unopened = ws::new(&built).await;
        unopened.raw(&bytes).await;
        assert_eq!(unopened.next().await.name(), "open", "{what}");
        assert_eq!(unopened.end().await, said, "{what}");
    }
}

/// What came before is worked on, whatever comes after it.
#[tokio::test]
async fn a_message_before_a_broken_frame_arrives() {
    let built = server("websocket-before");
    let mut bob = available(&built, BOB).await;
    let mut alice = ws::bound(&built, ALICE).await;
    for number in 0..20 {
        let message = format!(
            "<message xmlns='jabber:client' to='bob@waxwing.example'><body>{number}</body></message>"
        );
        soon(alice.0.feed(Message::text(message))).await.unwrap();
    }
    soon(alice.0.flush()).await.unwrap();
    alice.raw(&empty(0x83)).await;
    let said = (Some("bad-format".to_owned()), Some(1002));
    assert_eq!(alice.end().await, said);
    for number in 0..20 {
        assert_eq!(body(&next(&mut bob, "message").await), number.to_string());
    }
}

/// RFC 6455 §5.4, with characters cut in the middle.
#[tokio::test]
async fn a_message_may_be_cut_anywhere() {
    let built = server("websocket-cuts");
    let mut bob = available(&built, BOB).await;
    let mut alice = ws::bound(&built, ALICE).await;
    let text = "\u{e9}\u{20ac}\u{1f426}";
    let message = format!(
        "<message xmlns='jabber:client' to='bob@waxwing.example'><body>{text}</body></message>"
    );
    let bytes = message.as_bytes();
    let piece = |part: &[u8], kind, last| {
        Message::Frame(Frame::message(part.to_vec(), OpCode::Data(kind), last))
    };
    for cut in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        soon(alice.0.feed(piece(head, Data::Text, false)))
            .await
            .unwrap();
        soon(alice.0.send(piece(tail, Data::Continue, true)))
            .await
            .unwrap();
        assert_eq!(body(&next(&mut bob, "message").await), text, "{cut}");
    }
    for (at, byte) in bytes.iter().enumerate() {
        let kind = if at == 0 { Data::Text } else { Data::Continue };
        let last = at + 1 == bytes.len();
        soon(alice.0.feed(piece(&[*byte], kind, last)))
            .await
            .unwrap();
    }
    soon(alice.0.flush()).await.unwrap();
    assert_eq!(body(&next(&mut bob, "message").await), text);
}

/// RFC 6455 §9: an extension that the server does not have is not agreed on; another version is refused with the one
/// that it has (§4.2.2).
#[tokio::test]
async fn what_is_offered_and_not_had_is_not_agreed_on() {
    let built = server("websocket-offers");
    for (version, status) in [("13", "HTTP/1.1 101 "), ("12", "HTTP/1.1 426 ")] {
        let request = format!(
            "GET /xmpp-websocket HTTP/1.1\r\nHost: waxwing.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: {version}\r\n\
             Sec-WebSocket-Protocol: xmpp\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        );
        let mut stream = ws::tls(&built).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head.push(char::from(soon(stream.read_u8()).await.unwrap()));
        }
        assert!(head.starts_with(status), "{head}");
        let head = head.to_ascii_lowercase();
        assert!(!head.contains("sec-websocket-extensions"), "{head}");
        let told = head.contains("sec-websocket-version: 13\r\n");
        assert_eq!(told, version != "13", "{head}");
        if version == "13" {
            // The example of RFC 6455 §1.3.
            assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"));
        }
    }
}

/// RFC 6455 §7.1.1: who never answers a closing frame is not waited for.
#[tokio::test]
async fn who_never_says_goodbye_is_cut_off() {
    let built = server("websocket-goodbye");
    let (mut ws, _) = ws::open(&built).await;
    ws.say(CLOSE).await;
    let mut said = Vec::new();
    // Its frames are not looked at, so that nothing answers them.
    let _reset = soon(ws.0.get_mut().read_to_end(&mut said)).await;
    assert!(said.ends_with(&[0x88, 2, 0x03, 0xe8]), "{said:?}");
}

/// Who only stops to write has gone; what it has said counts.
#[tokio::test]
async fn half_a_connection_is_none() {
    let built = server("websocket-half");
    let mut bob = available(&built, BOB).await;
    let mut alice = ws::bound(&built, ALICE).await;
    alice
        .say("<message xmlns='jabber:client' to='bob@waxwing.example'><body>gone</body></message>")
        .await;
    soon(alice.0.get_mut().shutdown()).await.unwrap();
    assert_eq!(body(&next(&mut bob, "message").await), "gone");
    assert_eq!(alice.end().await, (None, None));
}

/// Answers to pings do not pile up where nobody takes them.
#[tokio::test]
async fn a_flood_of_pings_is_not_kept() {
    const PINGS: usize = 500_000;
    let built = server("websocket-pings");
    let mut ws = ws::bound(&built, ALICE).await;
    let before = crate::hostile::memory_peak(&built);
    let many = ping(125).repeat(1_000);
    for _ in 0..PINGS / 1_000 {
        let writing = ws.0.get_mut().write_all(&many);
        // The server takes no more of them: what it has not read costs it nothing.
        if tokio::time::timeout(std::time::Duration::from_secs(3), writing)
            .await
            .is_err()
        {
            break;
        }
    }
    let grown = crate::hostile::memory_peak(&built).saturating_sub(before);
    assert!(grown < 16 * 1_024, "{grown} KiB");
    // It is there for others.
    available(&built, BOB).await;
}
