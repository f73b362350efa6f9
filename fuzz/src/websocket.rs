use bytes::Bytes;
use waxwing_oracle::Token;
use waxwing_wire::{Event, FrameReader, Limits, WireError, ns};

use crate::negotiation::pieces;
use crate::{expat, ours};

/// What a WebSocket carries: messages, ended by zeros, that begin a stream again if they are empty.
///
/// Each message that we accept is, for expat, one whole document, which reads the same; what expat
/// takes for one, we accept, or refuse by the rules of the transport. A stanza says itself what its
/// default namespace is, so that it means the same in a stream with another. It does not matter
/// whether messages wait for each other. Says whether all were accepted.
///
/// # Panics
/// They do not, or it does.
pub fn websocket(bytes: &[u8]) -> bool {
    let messages: Vec<&[u8]> = pieces(bytes).collect();
    for part in messages.split(|message| message.is_empty()) {
        if !one_stream(part) {
            return false;
        }
    }
    true
}

fn one_stream(messages: &[&[u8]]) -> bool {
    let mut waiting = FrameReader::new(Limits::CLIENT);
    for message in messages {
        waiting.push(Bytes::copy_from_slice(message));
    }
    let mut reader = FrameReader::new(Limits::CLIENT);
    let mut closed = false;
    for message in messages {
        reader.push(Bytes::copy_from_slice(message));
        let event = reader.next();
        assert_eq!(event, waiting.next(), "it matters what waits");
        assert_eq!(reader.buffered(), 0);
        match event {
            Ok(Some(event)) => {
                assert!(!closed, "goes on after its end");
                closed = event == Event::Close;
                accepted(message, &event);
            }
            Ok(None) => assert!(closed, "a message without meaning"),
            Err(error) => {
                refused(message, error);
                assert_eq!(waiting.buffered(), 0, "keeps what it will not read");
                assert_eq!(reader.next(), Err(error));
                return false;
            }
        }
    }
    true
}

fn accepted(message: &[u8], event: &Event) {
    let read = match expat::parse("", message, Some("")) {
        Ok(tokens) => tokens,
        Err(refusal) => panic!("expat refuses: {refusal}"),
    };
    let framing = |name: &str| match read.first() {
        Some(Token::Start(root, _)) => *root == (ns::FRAMING.to_owned(), name.to_owned()),
        _ => false,
    };
    match event {
        Event::Header(_) => assert!(framing("open")),
        Event::Close => assert!(framing("close")),
        // Only over TCP is there something between elements, and only servers skip.
        Event::Whitespace | Event::Skipped(_) => panic!("{event:?} is no message"),
        Event::Stanza(stanza) => {
            assert_eq!(read, ours::tokens(&stanza.element()));
            let inside = expat::parse("<x xmlns='another'>", stanza.bytes(), Some("</x>"));
            match inside {
                Ok(tokens) => assert_eq!(tokens.get(1..tokens.len() - 1), Some(&read[..])),
                Err(refusal) => panic!("expat refuses it in another stream: {refusal}"),
            }
        }
    }
}

/// What is refused as ill-formed is no document, but for what RFC 7395 §3.3.3 has not: white space
/// around the element, and a declaration before it.
fn refused(message: &[u8], error: WireError) {
    let alone = message.starts_with(b"<") && !message.starts_with(b"<?") && message.ends_with(b">");
    if let (WireError::IllFormed(fault), true) = (error, alone) {
        let accepted = expat::parse("", message, Some("")).is_ok();
        assert!(!accepted, "only expat accepts: we say {fault}");
    }
}
