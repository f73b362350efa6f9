//! A client's stream with a bound resource.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::io;

use bytes::Bytes;
use tokio::time::timeout;
use waxwing_stanza::FullJid;
use waxwing_stream::client::{FastToken, KnownOffer};
use waxwing_stream::sasl::Failure;
use waxwing_stream::sm::{Nonza, Sm};
use waxwing_stream::{StreamCondition, StreamError};
use waxwing_wire::{Element, Event, Limits, Stanza, ns};

use crate::seconds::{Seconds, seconds};
use crate::session::Session;
use crate::transport::{Fault, Link};

/// What a server may send: four times what ours takes from a client, for rosters of many pages.
pub(crate) const INCOMING: Limits = Limits {
    stanza_bytes_max: 1024 * 1024,
    elements_max: 64 * 1024,
    ..Limits::CLIENT.with_room()
};

/// Stream management of a session that has some.
pub(crate) struct Managed {
    pub(crate) sm: Sm<()>,
    /// By which the session can be resumed, where it can.
    pub(crate) id: Option<String>,
}

/// A client's stream with a bound resource: stanzas in, stanzas out. Acknowledgements (XEP-0198) are
/// asked for and given by itself.
pub struct Stream {
    link: Link,
    jid: FullJid,
    sm: Option<Managed>,
    resumed: bool,
    lost: Vec<Bytes>,
    learned: Learned,
    /// Stanzas that came before stream management began, which are not counted.
    early: VecDeque<Stanza>,
    /// The stanza given out last is counted as handled when the next one is asked for.
    given: bool,
    end: Option<End>,
    seconds: Seconds,
}

/// What a log-in by SASL2 was told besides its address.
#[derive(Debug, Default)]
pub struct Learned {
    /// A token for the next log-ins, instead of the one before.
    pub token: Option<FastToken>,
    /// Why the token was not taken: the password was, in its place.
    pub token_refused: Option<Failure>,
    /// What the server offers, if that is not what was known.
    pub offer: Option<KnownOffer>,
    /// What was said with the resource: about the archive, and what was asked for.
    pub bound: Vec<Element>,
}

/// Why a stream gives nothing any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The server ended the stream, with a reason or without.
    #[error("the server closed the stream{}", reason(.0.as_deref()))]
    Server(Option<Box<StreamError>>),
    /// The server broke the rules, and was told so.
    #[error("the server broke the rules of the stream: {0}")]
    Protocol(Box<StreamError>),
    /// The connection broke; the session may be resumed.
    #[error("the connection broke: {}", crate::error::describe(*.0))]
    Broken(io::ErrorKind),
}

fn reason(error: Option<&StreamError>) -> String {
    error.map_or_else(String::new, |error| format!(": {error}"))
}

/// Why a stanza was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It is not one well-formed message, presence or iq of a client's stream: sending it would cut
    /// the stream.
    #[error("it is no stanza of a client's stream")]
    NotAStanza,
    /// The server acknowledges nothing; the stream is to be given up.
    #[error("too many stanzas wait for their acknowledgement")]
    Full,
    /// The stream is at its end; [`next`](Stream::next) may know more about why. With stream
    /// management the stanza is kept with the session.
    #[error(transparent)]
    Ended(#[from] End),
}

/// How a stream was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closed {
    /// Both sides have ended their streams.
    Clean,
    /// The server did not answer in time, or the connection broke.
    Cut,
}

impl Stream {
    pub(crate) fn new(
        link: Link,
        jid: FullJid,
        sm: Option<Managed>,
        early: Vec<Stanza>,
        seconds: Seconds,
    ) -> Stream {
        Stream {
            link,
            jid,
            sm,
            resumed: false,
            lost: Vec::new(),
            learned: Learned::default(),
            early: early.into(),
            given: false,
            end: None,
            seconds,
        }
    }

    pub(crate) fn of_former_session(mut self) -> Stream {
        self.resumed = true;
        self
    }

    pub(crate) fn with_learned(mut self, learned: Learned) -> Stream {
        self.learned = learned;
        self
    }

    pub(crate) fn with_lost(mut self, lost: Vec<Bytes>) -> Stream {
        self.lost = lost;
        self
    }

    /// The bound resource.
    #[must_use]
    pub fn jid(&self) -> &FullJid {
        &self.jid
    }

    /// Whether the session is a former one.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// What the log-in was told besides, for the caller to keep or to use, once.
    #[must_use]
    pub fn take_learned(&mut self) -> Learned {
        std::mem::take(&mut self.learned)
    }

    /// Stanzas of a former session that could not be resumed, and that the server may never have
    /// got: the caller decides whether to send them again.
    #[must_use]
    pub fn take_lost(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.lost)
    }

    /// Stanzas sent that the server has not acknowledged; zero without stream management.
    #[must_use]
    pub fn unacked_count(&self) -> usize {
        self.sm
            .as_ref()
            .map_or(0, |managed| managed.sm.unacked().len())
    }

    /// Whether one more stanza of that many bytes can be sent now. Where it cannot, too many wait for their acknowledgement:
    /// [`next_or_acked`](Stream::next_or_acked) tells when some have it.
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        let managed = self.sm.as_ref();
        managed.is_none_or(|managed| managed.sm.has_room(bytes))
    }

    /// Sends one stanza. It is on its way as soon as this was polled once: when it is cancelled,
    /// [`next`](Stream::next) writes the rest.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(&mut self, stanza: Bytes) -> Result<(), SendError> {
        self.queue(stanza)?;
        // That is the end, but the server's last words, which say why, may wait to be read.
        let written = self.link.flush().await;
        written.map_err(|kind| End::Broken(kind).into())
    }

    /// Queues one stanza, which [`next`](Stream::next) or the next [`send`](Stream::send) writes with whatever else is queued
    /// by then.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn queue(&mut self, stanza: Bytes) -> Result<(), SendError> {
        let parsed = Stanza::parse(stanza.clone(), ns::CLIENT, &INCOMING);
        if !parsed.is_ok_and(|parsed| is_stanza(&parsed)) {
            return Err(SendError::NotAStanza);
        }
        if let Some(end) = &self.end {
            return Err(end.clone().into());
        }
        if let Some(Managed { sm, .. }) = &mut self.sm {
            sm.send(stanza.clone(), ()).map_err(|_| SendError::Full)?;
        }
        self.link.queue(&stanza);
        self.queue_nonzas();
        Ok(())
    }

    /// The next stanza: a message, presence or iq. The one before it is acknowledged from now on, so it
    /// has to be dealt with before. May be cancelled.
    ///
    /// # Errors
    /// [`End`], and from then on always the same.
    pub async fn next(&mut self) -> Result<Stanza, End> {
        loop {
            if let Some(stanza) = self.next_or_acked().await? {
                return Ok(stanza);
            }
        }
    }

    /// As [`next`](Stream::next); `None` when the server has acknowledged what was sent, so that there may be
    /// [room](Stream::has_room) for more.
    ///
    /// # Errors
    /// [`End`], and from then on always the same.
    pub async fn next_or_acked(&mut self) -> Result<Option<Stanza>, End> {
        self.settle();
        if let Some(stanza) = self.early.pop_front() {
            return Ok(Some(stanza));
        }
        loop {
            if let Some(end) = &self.end {
                return Err(end.clone());
            }
            self.queue_nonzas();
            match self.link.event().await {
                Ok(Event::Stanza(stanza)) => {
                    let unacked = self.unacked_count();
                    let given = self.handle(stanza).await?;
                    if given.is_some() || self.unacked_count() < unacked {
                        return Ok(given);
                    }
                }
                Ok(Event::Whitespace | Event::Skipped(_)) => {}
                Ok(Event::Header(_)) => {
                    return Err(self.complain(StreamCondition::BadFormat.into()).await);
                }
                Ok(Event::Close) => {
                    let end = self.ended(End::Server(None));
                    self.say(vec![self.link.framing().close()]).await;
                    return Err(end);
                }
                Err(Fault::Wire(error)) => return Err(self.complain(error.into()).await),
                Err(Fault::Broken(kind)) => return Err(self.ended(End::Broken(kind))),
            }
        }
    }

    /// Ends the stream and the session: our end tag, then the server's. Stanzas that come meanwhile
    /// are dropped and not acknowledged.
    pub async fn close(mut self) -> Closed {
        self.settle();
        if self.end.is_some() {
            self.link.shut_down().await;
            return match self.end {
                Some(End::Server(_)) => Closed::Clean,
                _ => Closed::Cut,
            };
        }
        if let Some(Managed { sm, .. }) = &mut self.sm {
            sm.answer_now();
        }
        self.queue_nonzas();
        let close = self.link.framing().close();
        self.link.queue(&close);
        let limit = seconds(self.seconds.close_secs_max);
        let ended = timeout(limit, async {
            loop {
                match self.link.event().await {
                    Ok(Event::Close) => return Closed::Clean,
                    Ok(_) => {}
                    Err(_) => return Closed::Cut,
                }
            }
        });
        let closed = ended.await.unwrap_or(Closed::Cut);
        let _in_time = timeout(limit, self.link.shut_down()).await;
        closed
    }

    /// Drops the connection and keeps the session, if the server promised to keep it too. Every stanza
    /// that [`next`](Stream::next) gave counts as handled.
    #[must_use]
    pub fn into_session(mut self) -> Option<Session> {
        self.settle();
        let Managed { sm, id } = self.sm?;
        let jid = self.jid;
        id.map(|id| Session { jid, id, sm })
    }

    fn settle(&mut self) {
        if let (true, Some(Managed { sm, .. })) = (self.given, &mut self.sm) {
            sm.handled(1);
        }
        self.given = false;
    }

    fn queue_nonzas(&mut self) {
        let Some(Managed { sm, .. }) = &mut self.sm else {
            return;
        };
        if self.link.is_written() {
            sm.handle_idle();
        }
        while let Some(bytes) = sm.poll() {
            self.link.queue(&bytes);
        }
    }

    /// Takes what is not for the caller.
    async fn handle(&mut self, stanza: Stanza) -> Result<Option<Stanza>, End> {
        if (stanza.ns(), stanza.name()) == (ns::STREAMS, "error") {
            let error = StreamError::read(&stanza.element());
            let end = self.ended(End::Server(Some(Box::new(error))));
            self.say(vec![self.link.framing().close()]).await;
            return Err(end);
        }
        let managed = self.sm.as_mut();
        if is_stanza(&stanza) {
            if let Some(Managed { sm, .. }) = managed {
                sm.handle_stanza();
                self.given = true;
            }
            return Ok(Some(stanza));
        }
        let (Ok(nonza), Some(Managed { sm, .. })) = (Nonza::read(&stanza), managed) else {
            // Something that this client did not ask for and need not understand.
            return Ok(None);
        };
        match nonza {
            Some(Nonza::Ask) => sm.handle_ask(),
            Some(Nonza::Answer { h }) => {
                let settled = sm.handle_answer(h).map(drop);
                if let Err(error) = settled {
                    return Err(self.complain(error).await);
                }
            }
            _ => {}
        }
        Ok(None)
    }

    async fn complain(&mut self, error: StreamError) -> End {
        let words = self.link.framing().error(&error);
        let end = self.ended(End::Protocol(Box::new(error)));
        self.say(words).await;
        end
    }

    /// Last words, if they can be said. Whoever is cancelled meanwhile has noted the end before.
    async fn say(&mut self, words: Vec<Bytes>) {
        for bytes in words {
            self.link.queue(&bytes);
        }
        let limit = seconds(self.seconds.close_secs_max);
        let _said = timeout(limit, self.link.flush()).await;
    }

    fn ended(&mut self, end: End) -> End {
        self.end.get_or_insert(end).clone()
    }
}

fn is_stanza(stanza: &Stanza) -> bool {
    stanza.ns() == ns::CLIENT && matches!(stanza.name(), "message" | "presence" | "iq")
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("unacked", &self.unacked_count())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
