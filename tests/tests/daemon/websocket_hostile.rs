//! What a WebSocket client must not do, and what it gets for that.

use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::rig::{ALICE, BOB, available, body, next, say, server, soon};
use crate::ws::{self, CLOSE, OPEN};

/// RFC 7395 §3.1.
#[tokio::test]
async fn the_subprotocol_is_required() {
    let built = server("websocket-subprotocol");
    for headers in [&[][..], &[("sec-websocket-protocol", "chat, xmpp2")]] {
        let Err(error) = ws::connect(&built, headers).await else {
            panic!("connected by {headers:?}")
        };
        assert!(error.to_string().contains("400"), "{error}");
    }
    let several = [("sec-websocket-protocol", "chat, xmpp")];
    assert!(ws::connect(&built, &several).await.is_ok());
    let plain =
        "GET /xmpp-websocket HTTP/1.1\r\nHost: waxwing.example\r\nConnection: close\r\n\r\n";
    let answer = ws::ask(&built, true, plain).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

/// Each frame is exactly one element (RFC 7395 §3.3.3), within limits.
#[tokio::test]
async fn what_is_no_element_ends_the_stream() {
    let built = server("websocket-frames");
    let long = format!("<iq xmlns='jabber:client' id='{}'/>", "x".repeat(17 * 1024));
    let deep = format!("{}{}", "<a xmlns='b'>".repeat(65), "</a>".repeat(65));
    for (frame, condition) in [
        ("", "bad-format"),
        (" ", "bad-format"),
        (" <iq xmlns='jabber:client'/>", "bad-format"),
        ("<iq xmlns='jabber:client'/> ", "not-well-formed"),
        (
            "<iq xmlns='jabber:client'/><iq xmlns='jabber:client'/>",
            "not-well-formed",
        ),
        ("<iq xmlns='jabber:client'>", "not-well-formed"),
        ("<stream:features/>", "not-well-formed"),
        ("<?xml version='1.0'?><a/>", "restricted-xml"),
        ("<!DOCTYPE a><a/>", "restricted-xml"),
        ("<!-- --><a/>", "restricted-xml"),
        ("<iq id='1'/>", "unsupported-stanza-type"),
        (
            "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' to='waxwing.example' version='1.0'/>",
            "unsupported-stanza-type",
        ),
        (OPEN, "bad-format"),
        (&long, "policy-violation"),
        (&deep, "policy-violation"),
    ] {
        let (mut ws, _) = ws::open(&built).await;
        ws.say(frame).await;
        assert_eq!(
            ws.end().await,
            (Some(condition.to_owned()), Some(1000)),
            "{frame:.60}"
        );
    }
}

#[tokio::test]
async fn a_stream_begins_with_open() {
    let built = server("websocket-open");
    let other =
        "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='other.example' version='1.0'/>";
    let old = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='waxwing.example'/>";
    for (frame, condition) in [
        ("<iq xmlns='jabber:client'/>", Some("bad-format")),
        (other, Some("host-unknown")),
        (old, Some("unsupported-version")),
        (CLOSE, None),
    ] {
        let mut ws = ws::new(&built).await;
        ws.say(frame).await;
        let condition = condition.map(str::to_owned);
        assert_eq!(ws.end().await, (condition, Some(1000)), "{frame}");
    }
}

/// RFC 7395 §3.2.
#[tokio::test]
async fn binary_is_refused() {
    let built = server("websocket-binary");
    let mut ws = ws::bound(&built, ALICE).await;
    soon(ws.0.send(Message::binary(OPEN))).await.unwrap();
    assert_eq!(ws.end().await, (Some("bad-format".to_owned()), Some(1003)));
}

/// RFC 6455 §8.1: what is no UTF-8 ends the WebSocket, whole or in pieces.
#[tokio::test]
async fn text_is_utf_8() {
    let built = server("websocket-utf8");
    let bad = b"<presence xmlns='jabber:client' id='\xc3\x28'/>";
    let overlong = b"<presence xmlns='jabber:client' id='\xc0\xaf'/>";
    let cut = b"<presence xmlns='jabber:client' id='\xe2\x82";
    for bytes in [&bad[..], &overlong[..], &cut[..]] {
        let mut ws = ws::bound(&built, ALICE).await;
        let frame = Frame::message(bytes.to_vec(), OpCode::Data(Data::Text), true);
        soon(ws.0.send(Message::Frame(frame))).await.unwrap();
        let said = (Some("not-well-formed".to_owned()), Some(1007));
        assert_eq!(ws.end().await, said);
    }
    // A character may be cut between two frames, if all of it comes.
    let mut ws = ws::new(&built).await;
    let open = OPEN.replace(" to=", " id='\u{20ac}' to=").into_bytes();
    let cut = open.iter().position(|byte| *byte == 0x82).unwrap();
    let (head, tail) = open.split_at(cut);
    for (part, kind, last) in [(head, Data::Text, false), (tail, Data::Continue, true)] {
        let frame = Frame::message(part.to_vec(), OpCode::Data(kind), last);
        soon(ws.0.send(Message::Frame(frame))).await.unwrap();
    }
    assert_eq!(ws.next().await.name(), "open");
}

/// A message beyond what a stanza may have is not read to its end; the server goes on for others.
#[tokio::test]
async fn a_message_has_the_size_of_a_stanza() {
    let built = server("websocket-size");
    let mut bob = available(&built, BOB).await;
    let mut alice = ws::bound(&built, ALICE).await;
    let around = "<message xmlns='jabber:client' to='bob@waxwing.example'><body></body></message>";
    let fitting = 256 * 1024 - around.len();
    let message =
        |length: usize| around.replace("></body>", &format!(">{}</body>", "x".repeat(length)));
    alice.say(&message(fitting)).await;
    assert_eq!(body(&next(&mut bob, "message").await).len(), fitting);
    alice.say(&message(fitting + 1)).await;
    let said = (Some("policy-violation".to_owned()), Some(1009));
    assert_eq!(alice.end().await, said);
    say(
        &mut bob,
        "<message to='bob@waxwing.example'><body>still here</body></message>",
    )
    .await;
    assert_eq!(body(&next(&mut bob, "message").await), "still here");
}
