//! A client that keeps its session over broken connections, as a good client does: it acknowledges
//! what it got, resumes, and sends again what was not acknowledged.

use std::collections::VecDeque;

use bytes::Bytes;
use waxwing_stanza::xep::xep_0198_sm::{Enabled, Failed, Resume};
use waxwing_stanza::{BareJid, FullJid};
use waxwing_stream::client::{NegotiationError, Settings, Tls};
use waxwing_stream::sasl::{Mechanism, Password, PasswordError, TlsBinding};
use waxwing_stream::sm::{Nonza, Sm, SmLimits};
use waxwing_wire::{Element, Stanza, WireError, ns};

use crate::dice::{Dice, Seed};
use crate::stream::{ClientStream, Said, Until, Wants};

/// A number that the owner of a peer gives to a stanza, to follow it.
pub type Tag = u64;

/// A client with one session. Its connection is the owner's: [`Peer::connect`] when there is one,
/// [`Peer::disconnected`] when it is gone, and after any call [`Peer::take_output`] and
/// [`Peer::wants`].
#[derive(Debug)]
pub struct Peer {
    settings: Settings,
    dice: Dice,
    greeting: Vec<Bytes>,
    stream: Option<ClientStream>,
    session: Option<Session>,
    /// Stanzas for which there is no session yet.
    waiting: VecDeque<(Tag, Bytes)>,
    received: VecDeque<Element>,
    settled: Vec<Tag>,
    error: Option<PeerError>,
    counts: Counts,
}

#[derive(Debug)]
struct Session {
    jid: FullJid,
    sm: Sm<Option<Tag>>,
    /// Id to resume it by.
    previd: Option<String>,
    online: bool,
}

/// What a peer went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// New sessions.
    pub bound: u64,
    /// Sessions resumed.
    pub resumed: u64,
    /// Sessions that could not be resumed, where the server knew what it had handled.
    pub failed_with_count: u64,
    /// Sessions that could not be resumed, where it did not know.
    pub failed_without_count: u64,
    /// Stanzas sent once more.
    pub resent: u64,
}

/// What a good server never makes of a good client.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PeerError {
    /// The server refused or ended the stream.
    #[error(transparent)]
    Refused(#[from] NegotiationError),
    /// What the server wrote is no XMPP.
    #[error("what the server wrote is no XMPP: {0}")]
    Garbled(#[from] WireError),
    /// The server broke the stream.
    #[error("the server broke the stream: {0}")]
    Broken(String),
}

impl Peer {
    /// A client of `account` that uses `resource`.
    ///
    /// # Errors
    /// If the password is none.
    pub fn new(
        account: BareJid,
        resource: &str,
        password: &str,
        seed: Seed,
    ) -> Result<Peer, PasswordError> {
        let mut settings = Settings::new(account, Password::prepare(password)?);
        settings.resource = Some(resource.to_owned());
        settings.mechanisms =
            vec![Mechanism::from_name("SCRAM-SHA-256").unwrap_or(settings.mechanisms[0])];
        settings.iterations = 1..=*settings.iterations.end();
        Ok(Peer {
            settings,
            dice: Dice::new(seed),
            greeting: Vec::new(),
            stream: None,
            session: None,
            waiting: VecDeque::new(),
            received: VecDeque::new(),
            settled: Vec::new(),
            error: None,
            counts: Counts::default(),
        })
    }

    /// Sends these at the beginning of every new session, such as presence.
    #[must_use]
    pub fn with_greeting(mut self, stanzas: impl IntoIterator<Item = &'static str>) -> Peer {
        self.greeting.extend(stanzas.into_iter().map(Bytes::from));
        self
    }

    /// Sends these from now on at the beginning of every new session.
    pub fn set_greeting(&mut self, stanzas: impl IntoIterator<Item = Bytes>) {
        self.greeting = stanzas.into_iter().collect();
    }

    /// The client's process ends: the session and what came are forgotten, and the next connection begins another one.
    /// What the server has not acknowledged is sent again, as by a client that keeps it on disk.
    pub fn forget(&mut self) {
        self.requeue();
        self.stream = None;
        self.received.clear();
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &BareJid {
        &self.settings.account
    }

    /// The session's address, if there is one.
    #[must_use]
    pub fn jid(&self) -> Option<&FullJid> {
        self.session.as_ref().map(|session| &session.jid)
    }

    /// Begins a stream in a new connection. Resumes the session if there was one.
    pub fn connect(&mut self, tls: Tls) {
        let resume = self.session.as_ref().and_then(|session| {
            let previd = session.previd.clone()?;
            Some(Resume {
                previd,
                h: session.sm.handled_count(),
            })
        });
        let settings = Settings {
            resume,
            ..self.settings.clone()
        };
        let mut seed = [0; 32];
        self.dice.fill(&mut seed);
        self.stream = Some(ClientStream::new(settings, tls, seed, Until::Bound));
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        self.stream = None;
        if let Some(session) = &mut self.session {
            session.online = false;
        }
    }

    /// Whether a connection is in use.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.stream.is_some()
    }

    /// Whether the session has a stream now.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.online)
    }

    /// Sends a stanza now or as soon as there is a session, and again until it is acknowledged.
    pub fn send(&mut self, tag: Tag, stanza: impl Into<Bytes>) {
        self.waiting.push_back((tag, stanza.into()));
        self.send_waiting();
    }

    /// Bytes from the server.
    pub fn receive(&mut self, bytes: &[u8]) {
        if let Some(stream) = &mut self.stream {
            stream.receive(bytes);
        }
        self.work();
    }

    /// TLS is up.
    pub fn tls_started(&mut self, binding: TlsBinding) {
        if let Some(stream) = &mut self.stream {
            stream.tls_started(binding);
        }
        self.work();
    }

    /// What is to be written now.
    pub fn take_output(&mut self) -> Vec<Bytes> {
        self.stream
            .as_mut()
            .map(ClientStream::take_output)
            .unwrap_or_default()
    }

    /// What is to be done after writing.
    #[must_use]
    pub fn wants(&self) -> Option<Wants> {
        self.stream.as_ref().and_then(ClientStream::wants)
    }

    /// The next stanza that came.
    pub fn poll(&mut self) -> Option<Element> {
        self.received.pop_front()
    }

    /// Tags of stanzas that the server acknowledged since the last call.
    pub fn take_settled(&mut self) -> Vec<Tag> {
        std::mem::take(&mut self.settled)
    }

    /// Stanzas that the server has not acknowledged.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        let sent = self.session.iter().flat_map(|session| session.sm.unacked());
        self.waiting.len() + sent.filter(|stanza| stanza.tag.is_some()).count()
    }

    /// Why the last stream was refused or broken; once.
    pub fn take_error(&mut self) -> Option<PeerError> {
        self.error.take()
    }

    /// What it went through.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn work(&mut self) {
        while let Some(said) = self.stream.as_mut().and_then(ClientStream::poll) {
            match said {
                Said::Bound(jid, enabled) => self.bound(jid, enabled),
                Said::Resumed(h) => self.resumed(h),
                Said::ResumeFailed(failed) => self.resume_failed(&failed),
                Said::Element(stanza) => self.handle(&stanza),
                Said::Refused(error) => self.error = Some(error.into()),
                Said::Garbled(error) => self.error = Some(error.into()),
                Said::End => self.error = Some(PeerError::Refused(NegotiationError::Closed)),
                Said::Header(_)
                | Said::Encrypted
                | Said::Authenticated
                | Said::Token(_)
                | Said::TokenRefused(_) => {}
            }
        }
    }

    fn bound(&mut self, jid: FullJid, enabled: Option<Enabled>) {
        let previd = enabled
            .filter(|enabled| enabled.resume)
            .and_then(|enabled| enabled.id);
        self.counts.bound += 1;
        self.requeue();
        self.session = Some(Session {
            jid,
            sm: Sm::new(SmLimits::CLIENT),
            previd,
            online: true,
        });
        for stanza in self.greeting.clone() {
            self.transmit(None, stanza);
        }
        self.send_waiting();
    }

    /// What an ended session leaves goes to the next one, before everything else.
    fn requeue(&mut self) {
        let left = self
            .session
            .take()
            .into_iter()
            .flat_map(|session| session.sm.into_unacked());
        let left: Vec<_> = left
            .filter_map(|stanza| Some((stanza.tag?, stanza.bytes)))
            .collect();
        self.counts.resent += left.len() as u64;
        for stanza in left.into_iter().rev() {
            self.waiting.push_front(stanza);
        }
    }

    fn resumed(&mut self, h: u32) {
        self.counts.resumed += 1;
        let Some(session) = &mut self.session else {
            return;
        };
        match session.sm.resume(h) {
            Ok(acked) => self.settled.extend(acked.filter_map(|stanza| stanza.tag)),
            Err(error) => self.error = Some(PeerError::Broken(error.to_string())),
        }
        session.online = true;
        let again: Vec<Bytes> = session
            .sm
            .unacked()
            .map(|stanza| stanza.bytes.clone())
            .collect();
        self.counts.resent += again.len() as u64;
        for bytes in again {
            self.write(bytes);
        }
        self.send_waiting();
        self.flush_sm();
    }

    fn resume_failed(&mut self, failed: &Failed) {
        let Some(session) = &mut self.session else {
            return;
        };
        match failed.h {
            Some(h) => {
                self.counts.failed_with_count += 1;
                match session.sm.handle_answer(h) {
                    Ok(acked) => self.settled.extend(acked.filter_map(|stanza| stanza.tag)),
                    Err(error) => self.error = Some(PeerError::Broken(error.to_string())),
                }
            }
            None => self.counts.failed_without_count += 1,
        }
    }

    fn handle(&mut self, stanza: &Stanza) {
        let Some(session) = &mut self.session else {
            // Sent to the resource between binding and `<enabled/>`, and not counted.
            if stanza.ns() == ns::CLIENT {
                self.received.push_back(stanza.element());
            }
            return;
        };
        if stanza.ns() == ns::CLIENT {
            session.sm.handle_stanza();
            session.sm.handled(1);
            self.received.push_back(stanza.element());
        } else {
            match Nonza::read(stanza) {
                Ok(Some(Nonza::Ask)) => session.sm.handle_ask(),
                Ok(Some(Nonza::Answer { h })) => match session.sm.handle_answer(h) {
                    Ok(acked) => self.settled.extend(acked.filter_map(|stanza| stanza.tag)),
                    Err(error) => self.error = Some(PeerError::Broken(error.to_string())),
                },
                _ if stanza.ns() == ns::STREAMS => {
                    let error = waxwing_stream::StreamError::read(&stanza.element());
                    self.error = Some(NegotiationError::Server(error).into());
                }
                _ => self.error = Some(PeerError::Broken(format!("unexpected {}", stanza.name()))),
            }
        }
        self.flush_sm();
    }

    fn send_waiting(&mut self) {
        while self.is_online() && !self.waiting.is_empty() {
            if let Some((tag, stanza)) = self.waiting.pop_front() {
                self.transmit(Some(tag), stanza);
            }
        }
        self.flush_sm();
    }

    fn transmit(&mut self, tag: Option<Tag>, stanza: Bytes) {
        if let Some(session) = &mut self.session
            && session.sm.send(stanza.clone(), tag).is_err()
        {
            self.error = Some(PeerError::Broken(
                "the server acknowledges nothing".to_owned(),
            ));
        }
        self.write(stanza);
    }

    fn flush_sm(&mut self) {
        let Some(session) = self.session.as_mut().filter(|session| session.online) else {
            return;
        };
        session.sm.handle_idle();
        let nonzas: Vec<Bytes> = std::iter::from_fn(|| session.sm.poll()).collect();
        for bytes in nonzas {
            self.write(bytes);
        }
    }

    fn write(&mut self, bytes: Bytes) {
        if let Some(stream) = &mut self.stream {
            stream.send(bytes);
        }
    }
}
