//! The stream of an external component (XEP-0114), with a hostile peer at the other side: at the server's, and at the
//! component's.

use waxwing_stream::Seed;
use waxwing_stream::component::{Acceptor, Connector, ConnectorOutput, Output, Secret};
use waxwing_wire::{Limits, Reader};

use crate::negotiation::pieces;

const HOST: &str = "irc.example.org";

fn secret() -> Secret {
    Secret::new("pencil").unwrap_or_else(|error| panic!("{error}"))
}

/// Whether one of both sides was let in.
pub fn component_stream(bytes: &[u8]) -> bool {
    let accepted = accepts(bytes);
    connects(bytes) || accepted
}

/// What a server makes of it: nobody is let in without the handshake, and what is said is XML.
fn accepts(bytes: &[u8]) -> bool {
    let mut acceptor = Acceptor::new(Seed::new([1; 32]));
    let mut reader = Reader::new(Limits::BEFORE_LOGIN);
    let mut said = Reader::new(Limits::SERVER);
    let (mut accepted, mut known, mut closed) = (false, false, false);
    for piece in pieces(bytes) {
        reader.push(piece);
        loop {
            while let Some(output) = acceptor.poll() {
                assert!(!closed, "{output:?} after the end");
                match output {
                    Output::Send(bytes) => hear(&mut said, &bytes),
                    Output::NeedSecret { host } => {
                        acceptor.provide_secret((host == HOST).then(secret));
                    }
                    Output::Authenticated { host } => {
                        assert_eq!(host, HOST, "somebody else's secret");
                        known = true;
                        acceptor.admit();
                    }
                    Output::Refused { .. } => assert!(!known),
                    Output::Accepted => {
                        assert!(known, "let in without a handshake");
                        accepted = true;
                    }
                    Output::Close(_) => closed = true,
                }
            }
            if accepted || closed {
                return accepted;
            }
            match reader.next() {
                Ok(Some(event)) => acceptor.handle_event(event),
                Ok(None) => break,
                Err(error) => acceptor.handle_error(error),
            }
        }
    }
    accepted
}

/// What a component makes of it.
fn connects(bytes: &[u8]) -> bool {
    let mut connector = Connector::new(HOST, secret());
    let mut reader = Reader::new(Limits::CLIENT);
    let mut said = Reader::new(Limits::SERVER);
    for piece in pieces(bytes) {
        reader.push(piece);
        loop {
            while let Some(output) = connector.poll() {
                match output {
                    ConnectorOutput::Send(bytes) => hear(&mut said, &bytes),
                    ConnectorOutput::Ready => return true,
                    ConnectorOutput::Close(error) => {
                        assert!(!error.to_string().contains("pencil"), "the secret is shown");
                        return false;
                    }
                }
            }
            match reader.next() {
                Ok(Some(event)) => connector.handle_event(event),
                Ok(None) => break,
                Err(error) => connector.handle_error(error),
            }
        }
    }
    false
}

fn hear(reader: &mut Reader, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert!(!text.contains("pencil"), "the secret is said");
    reader.push(bytes);
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => panic!("{error}: {text}"),
        }
    }
    assert_eq!(reader.buffered(), 0, "half an element: {text}");
}
