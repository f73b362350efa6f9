//! A component that types XML, one that is a [`Connector`], and an owner that answers at once.

use waxwing_wire::{Limits, Reader};

use super::*;
use crate::{Seed, StreamCondition, StreamError};

const HOST: &str = "plays.example.org";

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

/// What an acceptor says, and what came of it.
struct Rig {
    acceptor: Acceptor,
    reader: Reader,
    sent: String,
    accepted: bool,
    refused: usize,
    closed: Option<Option<StreamError>>,
    /// Whether the host is connected already.
    taken: bool,
}

impl Rig {
    fn new() -> Rig {
        Rig {
            acceptor: Acceptor::new(Seed::new([3; 32])),
            reader: Reader::new(Limits::BEFORE_LOGIN),
            sent: String::new(),
            accepted: false,
            refused: 0,
            closed: None,
            taken: false,
        }
    }

    fn say(&mut self, bytes: &str) {
        self.reader.push(bytes.as_bytes());
        loop {
            self.drain();
            match self.reader.next() {
                Ok(Some(event)) => self.acceptor.handle_event(event),
                Ok(None) => return,
                Err(error) => {
                    self.acceptor.handle_error(error);
                    return self.drain();
                }
            }
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.acceptor.poll() {
            match output {
                Output::Send(bytes) => self.sent.push_str(std::str::from_utf8(&bytes).unwrap()),
                Output::NeedSecret { host } => {
                    assert!(self.acceptor.awaits_answer());
                    let known = (host == HOST).then(|| secret("pencil"));
                    self.acceptor.provide_secret(known);
                }
                Output::Authenticated { host } => {
                    assert_eq!(host, HOST);
                    match self.taken {
                        true => self.acceptor.close(StreamCondition::Conflict.into()),
                        false => self.acceptor.admit(),
                    }
                }
                Output::Refused { .. } => self.refused += 1,
                Output::Accepted => self.accepted = true,
                Output::Close(error) => self.closed = Some(error),
            }
        }
    }

    fn take(&mut self) -> String {
        std::mem::take(&mut self.sent)
    }

    /// The id in the header that was sent.
    fn id(&mut self) -> String {
        let sent = self.take();
        let (_, rest) = sent.split_once(" id='").unwrap();
        rest.split_once('\'').unwrap().0.to_owned()
    }

    fn condition(&self) -> Option<StreamCondition> {
        let error = self.closed.clone().flatten();
        error.map(|error| error.condition)
    }
}

fn open(to: &str) -> String {
    format!(
        "<stream:stream xmlns='{}' xmlns:stream='{}' to='{to}'>",
        ns::COMPONENT,
        ns::STREAMS
    )
}

#[test]
fn a_component_that_knows_the_secret_is_let_in() {
    let mut rig = Rig::new();
    rig.say(&open(HOST));
    let id = rig.id();
    let digest = secret("pencil").digest(&id);
    rig.say(&format!("<handshake>{digest}</handshake>"));
    assert_eq!(rig.take(), "<handshake/>");
    assert!(rig.accepted && rig.closed.is_none());
}

/// The name is prepared, so that there is one spelling for each.
#[test]
fn the_header_answers_in_the_components_name() {
    let mut rig = Rig::new();
    rig.say(&open("Plays.Example.ORG"));
    let sent = rig.take();
    assert!(sent.contains("from='plays.example.org'"), "{sent}");
    assert!(sent.contains("xmlns='jabber:component:accept'"), "{sent}");
    assert!(!sent.contains("version='1.0' "), "{sent}");
}

#[test]
fn who_is_not_known_is_told_so_after_a_header() {
    for (header, condition) in [
        (open("other.example.org"), StreamCondition::HostUnknown),
        (open("a b"), StreamCondition::HostUnknown),
        (open("").replace(" to=''", ""), StreamCondition::HostUnknown),
        (
            open(HOST).replace(ns::COMPONENT, "jabber:component:connect"),
            StreamCondition::InvalidNamespace,
        ),
        (
            open(HOST).replace(ns::COMPONENT, ns::CLIENT),
            StreamCondition::InvalidNamespace,
        ),
    ] {
        let mut rig = Rig::new();
        rig.say(&header);
        assert_eq!(rig.condition(), Some(condition), "{header}");
        let sent = rig.take();
        assert!(
            sent.starts_with("<?xml version='1.0'?><stream:stream "),
            "{sent}"
        );
        assert!(sent.ends_with("</stream:error></stream:stream>"), "{sent}");
        assert_eq!(sent.matches("<stream:stream").count(), 1, "{sent}");
    }
}

#[test]
fn a_wrong_secret_ends_the_stream() {
    for said in ["", "aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e", "pencil"] {
        let mut rig = Rig::new();
        rig.say(&open(HOST));
        rig.say(&format!("<handshake>{said}</handshake>"));
        assert_eq!(rig.condition(), Some(StreamCondition::NotAuthorized));
        assert!(!rig.accepted);
        assert_eq!(rig.refused, 1);
    }
    // That of another stream is of no use, nor is one in capitals (§3: lower case).
    let mut rig = Rig::new();
    rig.say(&open(HOST));
    let digest = secret("pencil").digest(&rig.id()).to_uppercase();
    rig.say(&format!("<handshake>{digest}</handshake>"));
    assert_eq!(rig.condition(), Some(StreamCondition::NotAuthorized));
}

#[test]
fn nothing_else_is_heard_before() {
    for (said, condition) in [
        ("<message to='a@b'/>", StreamCondition::NotAuthorized),
        (
            "<handshake xmlns='urn:example'>x</handshake>",
            StreamCondition::NotAuthorized,
        ),
        (&*open(HOST), StreamCondition::BadFormat),
        ("</message>", StreamCondition::NotWellFormed),
    ] {
        let mut rig = Rig::new();
        rig.say(&open(HOST));
        rig.say(said);
        assert_eq!(rig.condition(), Some(condition), "{said}");
        assert!(!rig.accepted);
    }
    let mut rig = Rig::new();
    rig.say(&open(HOST));
    rig.say("</stream:stream>");
    assert_eq!(rig.closed, Some(None));
    assert!(rig.take().ends_with("</stream:stream>"));
}

#[test]
fn an_answer_that_nobody_asked_for_changes_nothing() {
    let mut acceptor = Acceptor::new(Seed::new([3; 32]));
    acceptor.admit();
    acceptor.provide_secret(Some(secret("pencil")));
    assert!(acceptor.poll().is_none());
}

#[test]
fn one_that_is_here_already_keeps_out_another() {
    let mut rig = Rig::new();
    rig.taken = true;
    rig.say(&open(HOST));
    let digest = secret("pencil").digest(&rig.id());
    rig.say(&format!("<handshake>{digest}</handshake>"));
    assert_eq!(rig.condition(), Some(StreamCondition::Conflict));
    assert!(!rig.accepted && rig.refused == 0);
}

/// Both sides, bytes cut anywhere.
#[test]
fn both_sides_agree() {
    for piece in [1, 7, 4_096] {
        for (word, admitted) in [("pencil", true), ("pen", false)] {
            let mut rig = Rig::new();
            let mut connector = Connector::new(HOST, secret(word));
            let mut reader = Reader::new(Limits::CLIENT);
            let (mut ready, mut closed) = (false, None);
            // Three rounds: header, handshake, answer.
            for _ in 0..3 {
                while let Some(output) = connector.poll() {
                    match output {
                        ConnectorOutput::Send(bytes) => {
                            let text = std::str::from_utf8(&bytes).unwrap();
                            for part in text.as_bytes().chunks(piece) {
                                rig.say(std::str::from_utf8(part).unwrap());
                            }
                        }
                        ConnectorOutput::Ready => ready = true,
                        ConnectorOutput::Close(error) => closed = Some(error),
                    }
                }
                reader.push(rig.take().as_bytes());
                while let Some(event) = reader.next().unwrap() {
                    connector.handle_event(event);
                }
            }
            assert_eq!(
                (ready, rig.accepted),
                (admitted, admitted),
                "{word} {piece}"
            );
            let refused = matches!(&closed, Some(ConnectorError::Refused(error))
                if error.condition == StreamCondition::NotAuthorized);
            assert_eq!(refused, !admitted, "{closed:?}");
        }
    }
}

#[test]
fn what_is_no_server_for_components_is_told_apart() {
    let header = |text: &str| format!("<stream:stream xmlns:stream='{}' {text}>", ns::STREAMS);
    for (said, expected) in [
        (
            header("xmlns='jabber:client' id='1'"),
            ConnectorError::Namespace,
        ),
        (
            header("xmlns='jabber:component:accept'"),
            ConnectorError::NoId,
        ),
        (
            header("xmlns='jabber:component:accept' id='1'") + "<message/>",
            ConnectorError::Unexpected,
        ),
        (
            header("xmlns='jabber:component:accept' id='1'") + "</stream:stream>",
            ConnectorError::Ended,
        ),
    ] {
        let mut connector = Connector::new(HOST, secret("pencil"));
        let mut reader = Reader::new(Limits::CLIENT);
        reader.push(said.as_bytes());
        while let Some(event) = reader.next().unwrap() {
            connector.handle_event(event);
        }
        let mut closed = None;
        while let Some(output) = connector.poll() {
            if let ConnectorOutput::Close(error) = output {
                closed = Some(error);
            }
        }
        assert_eq!(closed, Some(expected), "{said}");
    }
}
