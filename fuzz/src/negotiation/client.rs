use waxwing_stanza::BareJid;
use waxwing_stanza::xep::xep_0388_sasl2::UserAgent;
use waxwing_stream::Seed;
use waxwing_stream::client::{
    FastToken, KnownOffer, Negotiation, NegotiationError, Output, Sasl2, Settings, Tls,
};
use waxwing_stream::sasl::Mechanism;
use waxwing_wire::{Event, Limits, Reader, Stanza, ns};

use super::honest::PROOFS;
use super::{ACCOUNT, Ear, PASSWORD, Profile, binding, lines, message, password, pieces};

/// A client's stream with a server that may say anything, in pieces: a zero byte stands where it waits
/// for the client.
///
/// The client takes nobody for its server who has not proved to know the password too; before TLS it
/// says nothing but that it wants TLS; the password is never to be seen; what the client says is XML,
/// and nothing after the end. Says whether the client logged in.
///
/// # Panics
/// It is not so.
pub fn client_stream(bytes: &[u8]) -> bool {
    let mut client = Client::new(Tls::Required, &scram(), Profile::Sasl2);
    for piece in pieces(bytes) {
        client.read(piece);
    }
    client.is_logged_in()
}

/// The same with a server that may send any SASL messages, one a line; the first line names the
/// mechanism, the last is its success.
///
/// # Panics
/// As [`client_stream`].
pub fn scram_client(bytes: &[u8]) -> bool {
    let Some((mechanism, messages)) = lines(bytes) else {
        return false;
    };
    if mechanism == Mechanism::Plain {
        return false;
    }
    let messages: Vec<String> = messages.collect();
    let mut client = Client::new(Tls::Started(binding()), &[mechanism], Profile::Sasl);
    client.read(&super::honest::offer());
    for (number, text) in messages.iter().enumerate() {
        let name = if number + 1 == messages.len() {
            "success"
        } else {
            "challenge"
        };
        let element = format!("<{name} xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{text}</{name}>");
        client.read(element.as_bytes());
    }
    client.is_logged_in()
}

fn scram() -> Vec<Mechanism> {
    let mut mechanisms = Mechanism::ALL.to_vec();
    mechanisms.retain(|mechanism| *mechanism != Mechanism::Plain);
    mechanisms
}

/// The client's side.
pub(super) struct Client {
    negotiation: Negotiation,
    reader: Reader,
    ear: Ear,
    /// SASL messages of the server.
    messages: Vec<Vec<u8>>,
    in_tls: bool,
    logged_in: bool,
    /// What it got for the next time.
    pub(super) kept: (Option<FastToken>, Option<KnownOffer>),
    ended: Option<Option<NegotiationError>>,
    /// What was said and not taken.
    pub(super) said: Vec<u8>,
    honest_only: bool,
}

impl Client {
    pub(super) fn new(tls: Tls, mechanisms: &[Mechanism], profile: Profile) -> Client {
        Client::with(tls, mechanisms, profile, None, true)
    }

    /// One whose server is known to be honest.
    pub(super) fn trusting(tls: Tls, mechanisms: &[Mechanism], profile: Profile) -> Client {
        Client::with(tls, mechanisms, profile, None, false)
    }

    /// The same, with what it kept of a log-in before.
    pub(super) fn again(tls: Tls, kept: (FastToken, KnownOffer)) -> Client {
        Client::with(tls, &scram(), Profile::Sasl2, Some(kept), false)
    }

    fn with(
        tls: Tls,
        mechanisms: &[Mechanism],
        profile: Profile,
        kept: Option<(FastToken, KnownOffer)>,
        honest_only: bool,
    ) -> Client {
        let account = BareJid::new(ACCOUNT).unwrap_or_else(|error| panic!("{error}"));
        let (token, known_offer) = kept.unzip();
        let agent = UserAgent {
            id: Some("d4565fa7-4d72-4749-b3d3-740edbf87770".to_owned()),
            software: None,
            device: None,
        };
        let sasl2 = Sasl2 {
            token,
            known_offer,
            ..Sasl2::new(agent)
        };
        let settings = Settings {
            mechanisms: mechanisms.to_vec(),
            iterations: 1..=100,
            sasl2: Some(sasl2).filter(|_| profile == Profile::Sasl2),
            ..Settings::new(account, password())
        };
        let in_tls = tls != Tls::Required;
        let mut client = Client {
            negotiation: Negotiation::new(settings, tls, Seed::new([2; 32])),
            reader: Reader::new(Limits::CLIENT),
            ear: Ear::new(),
            messages: Vec::new(),
            in_tls,
            logged_in: false,
            kept: (None, None),
            ended: None,
            said: Vec::new(),
            honest_only,
        };
        client.work();
        client
    }

    pub(super) fn is_logged_in(&self) -> bool {
        self.logged_in
    }

    /// SASL messages that came.
    pub(super) fn heard(&self) -> &[Vec<u8>] {
        &self.messages
    }

    pub(super) fn read(&mut self, bytes: &[u8]) {
        self.reader.push(bytes);
        loop {
            match self.reader.next() {
                Ok(None) => break,
                Ok(Some(event)) => {
                    if let Event::Stanza(stanza) = &event
                        && matches!(stanza.name(), "challenge" | "continue" | "success")
                    {
                        self.messages.extend(message(stanza));
                    }
                    self.negotiation.handle_event(event);
                }
                Err(error) => self.negotiation.handle_error(error),
            }
            self.work();
            if self.negotiation.is_closed() {
                break;
            }
        }
    }

    fn work(&mut self) {
        while let Some(output) = self.negotiation.poll() {
            assert_eq!(self.ended, None, "{output:?}");
            match output {
                Output::Send(bytes) => {
                    for event in self.ear.hear(&bytes) {
                        if let Event::Stanza(stanza) = event {
                            self.judge(&stanza);
                        }
                    }
                    self.said.extend_from_slice(&bytes);
                }
                Output::StartTls => {
                    self.restart();
                    self.in_tls = true;
                    self.negotiation.tls_started(binding());
                }
                Output::RestartReader => self.restart(),
                Output::Stretch(stretch) => {
                    assert!(stretch.iterations() <= 100);
                    self.negotiation.handle_stretched(stretch.run());
                }
                Output::Authenticated => self.authenticated(),
                Output::Resumed { .. } | Output::ResumeFailed(_) => {
                    panic!("there was nothing to resume")
                }
                Output::Token(token) => {
                    assert!(self.logged_in);
                    self.kept.0 = Some(token);
                }
                Output::Offer(offer) => self.kept.1 = Some(offer),
                Output::TokenRefused(_) => panic!("there was no token, or a good one"),
                Output::Bound { .. } | Output::Element(_) | Output::Inline(_) => {
                    assert!(self.logged_in);
                }
                Output::Close(error) => self.ended = Some(error),
            }
        }
    }

    fn restart(&mut self) {
        let dropped = self.reader.restart();
        self.ear.restart();
        self.negotiation.handle_restart(dropped);
    }

    fn judge(&self, stanza: &Stanza) {
        let is_error = stanza.ns() == ns::STREAMS && stanza.name() == "error";
        assert!(
            self.in_tls || is_error || stanza.name() == "starttls",
            "in the clear: {stanza:?}"
        );
        let data = message(stanza).unwrap_or_default();
        for said in [stanza.bytes().to_vec(), data] {
            let shown = said
                .windows(PASSWORD.len())
                .any(|bytes| bytes == PASSWORD.as_bytes());
            assert!(!shown || !self.honest_only, "the password: {stanza:?}");
        }
    }

    fn authenticated(&mut self) {
        assert!(!self.logged_in, "logged in twice");
        self.logged_in = true;
        let last = self.messages.last();
        let proven = || last.is_some_and(|last| PROOFS.servers.contains(last));
        assert!(!self.honest_only || proven(), "{last:?}");
    }
}
