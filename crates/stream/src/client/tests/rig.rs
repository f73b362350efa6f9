//! A server that types XML, and an owner that does what is wanted at once.

use waxwing_wire::{Limits, Reader, ns};

use crate::client::*;
use crate::sasl::{Mechanism, Password};

pub(super) const HEADER: &str = "<?xml version='1.0'?><stream:stream from='example.org' id='1' version='1.0' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
pub(super) const BIND: &str = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
pub(super) const SUCCESS: &str = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";

pub(super) fn settings() -> Settings {
    let password = Password::prepare("pencil").unwrap();
    Settings {
        mechanisms: Mechanism::ALL.to_vec(),
        iterations: 1..=10,
        ..Settings::new("alice@example.org".parse().unwrap(), password)
    }
}

pub(super) fn binding() -> TlsBinding {
    TlsBinding {
        tls_exporter: Some([7; 32]),
        server_end_point: Some(vec![8; 32]),
        sni: None,
        version: Some(0x0304),
    }
}

pub(super) fn exporter() -> TlsBinding {
    let mut binding = TlsBinding::default();
    binding.tls_exporter = Some([7; 32]);
    binding
}

pub(super) fn mechanisms(names: &[&str]) -> String {
    let list: String = names
        .iter()
        .map(|name| format!("<mechanism>{name}</mechanism>"))
        .collect();
    features(&format!(
        "<mechanisms xmlns='{}'>{list}</mechanisms>",
        ns::SASL
    ))
}

pub(super) fn bindings(names: &[&str]) -> String {
    let list: String = names
        .iter()
        .map(|name| format!("<channel-binding type='{name}'/>"))
        .collect();
    format!("<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>{list}</sasl-channel-binding>")
}

pub(super) fn features(inside: &str) -> String {
    format!("<stream:features>{inside}</stream:features>")
}

pub(super) struct Rig {
    pub(super) negotiation: Negotiation,
    pub(super) reader: Reader,
    pub(super) sent: String,
    pub(super) bound: Option<(FullJid, Option<Enabled>)>,
    pub(super) elements: usize,
    pub(super) closed: Option<Option<NegotiationError>>,
    pub(super) tokens: Vec<FastToken>,
    pub(super) refused: Vec<crate::sasl::Failure>,
    pub(super) offers: Vec<KnownOffer>,
    pub(super) inline: Vec<String>,
    pub(super) authenticated: bool,
    pub(super) resumed: Option<u32>,
    pub(super) resume_failed: bool,
}

impl Rig {
    pub(super) fn new(settings: Settings, tls: Tls) -> Rig {
        let mut rig = Rig {
            negotiation: Negotiation::new(settings, tls, Seed::new([4; 32])),
            reader: Reader::new(Limits::CLIENT),
            sent: String::new(),
            bound: None,
            elements: 0,
            closed: None,
            tokens: Vec::new(),
            refused: Vec::new(),
            offers: Vec::new(),
            inline: Vec::new(),
            authenticated: false,
            resumed: None,
            resume_failed: false,
        };
        rig.drain();
        rig
    }

    /// In TLS, at the server's first features.
    pub(super) fn in_tls() -> Rig {
        let mut rig = Rig::new(settings(), Tls::Started(binding()));
        rig.types(HEADER);
        rig
    }

    /// Logged in by PLAIN, at the server's last features.
    pub(super) fn logged_in() -> Rig {
        let mut rig = Rig::in_tls();
        rig.types(&mechanisms(&["PLAIN"]));
        rig.types(SUCCESS);
        rig.types(HEADER);
        rig
    }

    /// The server types; says what the client answers.
    pub(super) fn types(&mut self, xml: &str) -> String {
        self.sent.clear();
        self.reader.push(xml.as_bytes());
        loop {
            match self.reader.next() {
                Ok(Some(event)) => self.negotiation.handle_event(event),
                Ok(None) => break,
                Err(error) => {
                    self.negotiation.handle_error(error);
                    self.drain();
                    break;
                }
            }
            self.drain();
        }
        self.sent.clone()
    }

    pub(super) fn drain(&mut self) {
        while let Some(output) = self.negotiation.poll() {
            assert!(self.closed.is_none(), "after the end: {output:?}");
            match output {
                Output::Send(bytes) => self.sent.push_str(std::str::from_utf8(&bytes).unwrap()),
                Output::StartTls | Output::RestartReader => {
                    let dropped = self.reader.restart();
                    self.negotiation.handle_restart(dropped);
                }
                Output::Stretch(stretch) => self.negotiation.handle_stretched(stretch.run()),
                Output::Bound { jid, enabled } => self.bound = Some((jid, enabled)),
                Output::Element(_) => self.elements += 1,
                Output::Close(error) => self.closed = Some(error),
                Output::Authenticated => self.authenticated = true,
                Output::ResumeFailed(_) => self.resume_failed = true,
                Output::Resumed { h } => self.resumed = Some(h),
                Output::Token(token) => self.tokens.push(token),
                Output::TokenRefused(reason) => self.refused.push(reason),
                Output::Offer(offer) => self.offers.push(offer),
                Output::Inline(element) => self.inline.push(element.name().to_owned()),
            }
        }
    }

    pub(super) fn error(&self) -> Option<&NegotiationError> {
        self.closed.as_ref()?.as_ref()
    }

    /// What the client blamed the server for.
    #[track_caller]
    pub(super) fn complaint(&self) -> StreamCondition {
        match self.error() {
            Some(NegotiationError::Protocol(error)) => error.condition.clone(),
            other => panic!("{other:?}"),
        }
    }
}
