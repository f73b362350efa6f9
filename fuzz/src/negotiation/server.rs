use std::sync::{Arc, LazyLock};

use waxwing_stanza::{BareJid, Condition};
use waxwing_stream::sasl::{
    Account, Credentials, FakeSalts, KnownTokens, Mechanism, Password, TokenKey, Tokens,
};
use waxwing_stream::server::{Bound2, Domain, Domains, Negotiation, Output, Sasl2, Settings, Tls};
use waxwing_stream::sm::Failed;
use waxwing_stream::{Seed, StreamError};
use waxwing_wire::{Event, Limits, Reader, Stanza};

use super::honest::{KEPT, PROOFS};
use super::{
    ACCOUNT, Ear, ITERATIONS, NOW_SECS, Profile, binding, credentials, lines, message, pieces,
};

/// A server's stream with a client that may say anything, in pieces: a zero byte stands where it waits
/// for the server.
///
/// Whoever gets in has proved to know the password, with messages that only an honest client sends;
/// nobody is bound who is not logged in; what the server says is XML, and nothing after the end. Says
/// whether the client was logged in.
///
/// # Panics
/// It is not so.
pub fn server_stream(bytes: &[u8]) -> bool {
    let mut server = Server::new(Tls::Required);
    for piece in pieces(bytes) {
        server.read(piece);
    }
    server.is_logged_in()
}

/// The same with a client that may send any SASL messages, one a line; the first line names the
/// mechanism.
///
/// # Panics
/// As [`server_stream`].
pub fn scram_server(bytes: &[u8]) -> bool {
    let Some((mechanism, messages)) = lines(bytes) else {
        return false;
    };
    let mut server = Server::new(Tls::Started(binding()));
    server.read(super::honest::HEADER);
    for (number, text) in messages.enumerate() {
        let element = match number {
            0 => format!(
                "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{}'>{text}</auth>",
                mechanism.name()
            ),
            _ => format!("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{text}</response>"),
        };
        server.read(element.as_bytes());
    }
    server.is_logged_in()
}

static CREDENTIALS: LazyLock<Credentials> = LazyLock::new(credentials);

/// The server's side.
pub(super) struct Server {
    negotiation: Negotiation,
    reader: Reader,
    ear: Ear,
    /// SASL messages of the client.
    messages: Vec<Vec<u8>>,
    logged_in: Option<BareJid>,
    ended: Option<Option<StreamError>>,
    /// What was said and not taken.
    pub(super) said: Vec<u8>,
    /// What the store has of the account's tokens.
    pub(super) tokens: Tokens,
    honest_only: bool,
}

impl Server {
    pub(super) fn new(tls: Tls) -> Server {
        let (_, tokens) = &*KEPT;
        Server {
            tokens: tokens.clone(),
            ..Server::with(tls, Profile::Sasl2)
        }
    }

    fn with(tls: Tls, profile: Profile) -> Server {
        let domains = Domains::new("example.org")
            .with("gone.example", Domain::Gone)
            .with("moved.example", Domain::Elsewhere("there.example".into()));
        let sasl2 = Sasl2 {
            upgrade_iterations: ITERATIONS,
            ..Sasl2::new(TokenKey::new([3; 32]))
        };
        let mut settings = Settings::new(domains, FakeSalts::new([1; 32], ITERATIONS));
        settings.sasl2 = Some(sasl2).filter(|_| profile == Profile::Sasl2);
        Server {
            negotiation: Negotiation::new(Arc::new(settings), tls, Seed::new([1; 32])),
            reader: Reader::new(Limits::BEFORE_LOGIN),
            ear: Ear::new(),
            messages: Vec::new(),
            logged_in: None,
            ended: None,
            said: Vec::new(),
            tokens: Tokens::default(),
            honest_only: true,
        }
    }

    /// One whose client is known to be honest.
    pub(super) fn trusting(tls: Tls, profile: Profile) -> Server {
        Server {
            honest_only: false,
            ..Server::with(tls, profile)
        }
    }

    pub(super) fn is_logged_in(&self) -> bool {
        self.logged_in.is_some()
    }

    /// SASL messages that came.
    pub(super) fn heard(&self) -> &[Vec<u8>] {
        &self.messages
    }

    pub(super) fn read(&mut self, bytes: &[u8]) {
        self.reader.push(bytes);
        loop {
            let event = self.reader.next();
            match event {
                Ok(None) => break,
                Ok(Some(event)) => {
                    if let Event::Stanza(stanza) = &event {
                        self.note(stanza);
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

    fn note(&mut self, stanza: &Stanza) {
        if matches!(stanza.name(), "auth" | "authenticate" | "response") {
            self.messages.extend(message(stanza));
        }
    }

    fn work(&mut self) {
        while let Some(output) = self.negotiation.poll() {
            assert_eq!(self.ended, None, "{output:?}");
            match output {
                Output::Send(bytes) => {
                    self.ear.hear(&bytes);
                    self.said.extend_from_slice(&bytes);
                }
                Output::StartTls => {
                    self.restart();
                    self.negotiation.tls_started(binding());
                }
                Output::RestartReader => self.restart(),
                Output::NeedCredentials { account, .. } => {
                    self.negotiation
                        .provide_credentials(match account.as_str() {
                            ACCOUNT => Account::Active(CREDENTIALS.clone()),
                            "disabled@example.org" => Account::Disabled(CREDENTIALS.clone()),
                            _ => Account::Missing,
                        });
                }
                Output::Stretch(stretch) => self.negotiation.handle_stretched(stretch.run()),
                Output::Authenticated { jid, mechanism } => self.authenticated(jid, mechanism),
                Output::LoginFailed { .. } => assert!(!self.is_logged_in()),
                Output::NeedBind { jid, .. } => {
                    assert_eq!(Some(&jid.bare()), self.logged_in.as_ref());
                    let taken = jid.resource() == "taken";
                    let bound = if taken {
                        Err(Condition::Conflict.into())
                    } else {
                        Ok(jid)
                    };
                    self.negotiation.provide_bind(bound);
                }
                Output::NeedTokens { device, .. } => {
                    let known = device.account == ACCOUNT;
                    let tokens = Some(self.tokens.clone()).filter(|_| known);
                    let tokens = KnownTokens::Active(tokens.unwrap_or_default());
                    self.negotiation.provide_tokens(tokens, NOW_SECS);
                }
                Output::StoreTokens { before, after, .. } => {
                    assert_eq!(before, self.tokens);
                    self.tokens = after;
                    self.negotiation.tokens_stored(true);
                }
                Output::StoreKeys { .. } => panic!("the account has all keys"),
                Output::NeedResume(_) => {
                    assert!(self.is_logged_in());
                    let failed = Failed {
                        h: None,
                        condition: Some(Condition::ItemNotFound),
                    };
                    self.negotiation.provide_resume(Err(failed));
                }
                Output::NeedBind2(request) => {
                    assert_eq!(Some(&request.jid.bare()), self.logged_in.as_ref());
                    let results = Vec::new();
                    let jid = request.jid;
                    self.negotiation
                        .provide_bind2(Some(Bound2 { jid, results }));
                }
                Output::Resumed(_) => panic!("there was nothing to resume"),
                Output::Bound(jid) => assert_eq!(Some(&jid.bare()), self.logged_in.as_ref()),
                Output::Element(_) => assert!(self.is_logged_in()),
                Output::Close(error) => self.ended = Some(error),
            }
        }
    }

    fn restart(&mut self) {
        let dropped = self.reader.restart();
        self.ear.restart();
        self.negotiation.handle_restart(dropped);
    }

    fn authenticated(&mut self, jid: BareJid, mechanism: Mechanism) {
        assert_eq!(jid, ACCOUNT);
        assert!(self.logged_in.replace(jid).is_none(), "logged in twice");
        let last = self.messages.last();
        let proven = match mechanism {
            Mechanism::Plain => last.is_some_and(|message| is_password(message)),
            // What it proves is the token, not how the name is written.
            mechanism if Mechanism::TOKENS.contains(&mechanism) && self.honest_only => {
                let proof = last.and_then(|message| proof_of_token(message));
                proof.is_some()
                    && PROOFS
                        .clients
                        .iter()
                        .any(|own| proof_of_token(own) == proof)
            }
            _ if self.honest_only => last.is_some_and(|message| PROOFS.clients.contains(message)),
            _ => true,
        };
        assert!(proven, "logged in by {}: {last:?}", mechanism.name());
    }
}

/// What follows the name.
fn proof_of_token(message: &[u8]) -> Option<&[u8]> {
    let at = message.iter().position(|byte| *byte == 0)?;
    message.get(at + 1..)
}

fn is_password(message: &[u8]) -> bool {
    let word = message.split(|byte| *byte == 0).nth(2);
    let word = word.and_then(|word| std::str::from_utf8(word).ok());
    word.and_then(|word| Password::prepare(word).ok())
        .is_some_and(|password| CREDENTIALS.accepts(&password))
}
