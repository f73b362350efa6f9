//! Negotiation of a stream over a connection.

use bytes::Bytes;
use tokio::time::timeout;
use waxwing_stream::Seed;
use waxwing_stream::client::{Negotiation, NegotiationError, Output, Settings, Tls};
use waxwing_stream::sasl::Stretch;
use waxwing_stream::sm::{Sm, SmLimits};

use crate::error::{DialError, Stage};
use crate::place::Host;
use crate::seconds::{Seconds, seconds};
use crate::session::{Former, Session};
use crate::stream::{INCOMING, Learned, Managed, Stream};
use crate::tls::{Alpn, Trust};
use crate::transport::{Carrier, Document, Fault, Link, Transport};
use waxwing_wire::Stanza;

/// How long last words may take where time has run out already.
const LAST_WORDS_SECS_MAX: u64 = 1;

/// What a negotiation needs besides its connection.
pub(crate) struct Login<'a> {
    pub(crate) trust: &'a Trust,
    pub(crate) domain: &'a Host,
    pub(crate) seconds: Seconds,
    pub(crate) former: &'a mut Former,
}

struct Running<'a> {
    login: Login<'a>,
    negotiation: Negotiation,
    /// Gone only while TLS begins.
    link: Option<Link>,
    /// Stanzas that came before the end of negotiation.
    early: Vec<Stanza>,
    learned: Learned,
}

impl Login<'_> {
    /// Takes a new stream to its bound resource.
    pub(crate) async fn run(
        self,
        mut settings: Settings,
        carrier: Carrier,
        tls: Tls,
        seed: Seed,
    ) -> Result<Stream, DialError> {
        settings.resume = self.former.session.as_ref().map(Session::request);
        let limit = seconds(self.seconds.stream_secs_max);
        let link = Link::new(carrier);
        let mut running = Running {
            login: self,
            negotiation: Negotiation::framed(settings, tls, seed, link.framing()),
            link: Some(link),
            early: Vec::new(),
            learned: Learned::default(),
        };
        match timeout(limit, running.drive()).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => {
                let words = running.give_up();
                let _said = timeout(seconds(LAST_WORDS_SECS_MAX), words).await;
                Err(DialError::Timeout(Stage::Stream))
            }
        }
    }
}

impl Running<'_> {
    fn link(&mut self) -> Result<&mut Link, DialError> {
        // Without a link only where TLS failed, which has ended everything.
        self.link.as_mut().ok_or(DialError::Tls)
    }

    async fn drive(&mut self) -> Result<Stream, DialError> {
        loop {
            while let Some(output) = self.negotiation.poll() {
                if let Some(stream) = self.handle(output).await? {
                    return Ok(stream);
                }
            }
            match self.link()?.event().await {
                Ok(event) => self.negotiation.handle_event(event),
                Err(Fault::Wire(error)) => self.negotiation.handle_error(error),
                Err(Fault::Broken(kind)) => return Err(DialError::Broken(kind)),
            }
        }
    }

    async fn handle(&mut self, output: Output) -> Result<Option<Stream>, DialError> {
        match output {
            Output::Send(bytes) => self.link()?.queue(&bytes),
            Output::StartTls => self.start_tls().await?,
            Output::RestartReader => {
                let dropped = self.link()?.restart();
                self.negotiation.handle_restart(dropped);
            }
            Output::Stretch(stretch) => self.stretch(stretch).await?,
            Output::Authenticated => self.link()?.set_limits(INCOMING),
            Output::ResumeFailed(failed) => {
                if let Some(session) = self.login.former.session.take() {
                    self.login.former.lost = session.end(&failed);
                }
            }
            Output::Resumed { h } => return self.resumed(h).map(Some),
            Output::Bound { jid, enabled } => {
                let sm = enabled.map(|enabled| Managed {
                    sm: Sm::new(SmLimits::CLIENT),
                    id: enabled.id.filter(|_| enabled.resume),
                });
                let lost = std::mem::take(&mut self.login.former.lost);
                let stream = self.finish(jid, sm, &[])?;
                return Ok(Some(stream.with_lost(lost)));
            }
            Output::Element(stanza) => self.early.push(stanza),
            Output::Token(token) => self.learned.token = Some(token),
            Output::TokenRefused(reason) => self.learned.token_refused = Some(reason),
            Output::Offer(offer) => self.learned.offer = Some(offer),
            Output::Inline(element) => self.learned.bound.push(element),
            Output::Close(error) => {
                let _said = self.link()?.flush().await;
                return Err(error.unwrap_or(NegotiationError::Closed).into());
            }
        }
        Ok(None)
    }

    async fn start_tls(&mut self) -> Result<(), DialError> {
        let limit = seconds(self.login.seconds.tls_secs_max);
        let link = self.link()?;
        link.flush().await.map_err(DialError::Broken)?;
        // Nothing read in the clear survives: neither in the reader nor, as it is new then, elsewhere.
        let dropped = link.restart();
        self.negotiation.handle_restart(dropped);
        if dropped {
            return Ok(());
        }
        let socket = self.link.take().and_then(Link::into_plain);
        let socket = socket.ok_or(DialError::Tls)?;
        let Login { trust, domain, .. } = self.login;
        let handshake = trust.handshake(domain, Alpn::None, socket);
        let (stream, binding) = timeout(limit, handshake)
            .await
            .map_err(|_elapsed| DialError::Timeout(Stage::Tls))??;
        let transport = Transport::Tls(Box::new(stream));
        self.link = Some(Link::new(Carrier::Document(Document::new(transport))));
        self.negotiation.tls_started(binding);
        Ok(())
    }

    /// Some ten thousand rounds of a hash are not for a thread that serves others.
    async fn stretch(&mut self, stretch: Stretch) -> Result<(), DialError> {
        let stretched = tokio::task::spawn_blocking(move || stretch.run());
        let stretched = stretched
            .await
            .map_err(|_stopped| DialError::Timeout(Stage::Stream))?;
        self.negotiation.handle_stretched(stretched);
        Ok(())
    }

    fn resumed(&mut self, h: u32) -> Result<Stream, DialError> {
        let session = self.login.former.session.as_mut();
        let settled = session.map(|session| session.sm.resume(h).map(drop));
        if let Some(Err(error)) = settled {
            let reason = match error {
                waxwing_stream::sm::ResumeError::Stream(error) => error,
                waxwing_stream::sm::ResumeError::Unsettled(_) => {
                    waxwing_stream::StreamCondition::InternalServerError.into()
                }
            };
            return Err(NegotiationError::Protocol(reason).into());
        }
        // The server resumes what was asked for only.
        let session = self.login.former.session.take();
        let Session { jid, id, sm } = session.ok_or(NegotiationError::Closed)?;
        let again: Vec<Bytes> = sm.unacked().map(|unacked| unacked.bytes.clone()).collect();
        let sm = Managed { sm, id: Some(id) };
        self.finish(jid, Some(sm), &again)
            .map(Stream::of_former_session)
    }

    fn finish(
        &mut self,
        jid: waxwing_stanza::FullJid,
        sm: Option<Managed>,
        again: &[Bytes],
    ) -> Result<Stream, DialError> {
        let mut link = self.link.take().ok_or(DialError::Tls)?;
        for bytes in again {
            link.queue(bytes);
        }
        let early = std::mem::take(&mut self.early);
        let stream = Stream::new(link, jid, sm, early, self.login.seconds);
        Ok(stream.with_learned(std::mem::take(&mut self.learned)))
    }

    async fn give_up(&mut self) {
        self.negotiation.handle_timeout();
        let Some(link) = &mut self.link else { return };
        while let Some(output) = self.negotiation.poll() {
            if let Output::Send(bytes) = output {
                link.queue(&bytes);
            }
        }
        let _said = link.flush().await;
        link.shut_down().await;
    }
}
