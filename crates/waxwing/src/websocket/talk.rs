//! One WebSocket: a hand-written future that moves messages between the socket and the server's connection.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, Stream};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use waxwing_server::{Action, Connection, Server};
use waxwing_wire::{Fault, Limit, Limits, StreamFault, WireError};

use crate::outside::until;

/// Bytes of one message: those of one stanza after log-in.
const MESSAGE_BYTES_MAX: usize = Limits::CLIENT.stanza_bytes_max;
/// Bytes that the library keeps for each direction of a connection; its own default costs 128 KiB.
const BUFFER_BYTES: usize = 4 * 1024;
/// Silence after which a client is pinged. Proxies cut at 60 seconds (nginx, `proxy_read_timeout`).
const SILENCE_MAX: Duration = Duration::from_secs(50);
/// Longest time for the answer to a ping.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// Pings that are taken from a client that does not take the answers: they would pile up.
const PINGS_UNANSWERED_MAX: usize = 16;
/// Longest time for the closing handshake (RFC 6455 §7.1.1).
const CLOSING_TIME_MAX: Duration = Duration::from_secs(5);

/// What a message that cannot be read ends the stream with, and the WebSocket (RFC 6455 §7.4.1). `None` where nobody is
/// there to be told.
fn blame(error: &Error) -> Option<(WireError, CloseCode)> {
    match error {
        Error::Capacity(_) => Some((Limit::StanzaBytes.into(), CloseCode::Size)),
        Error::Utf8(_) => Some((Fault::Utf8.into(), CloseCode::Invalid)),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some((StreamFault::Framing.into(), CloseCode::Protocol)),
        _ => None,
    }
}

/// Since when a connection is at something that must not last.
enum Pace {
    /// Nothing: the client was heard of then.
    Heard(Instant),
    /// The client was silent, and was pinged then.
    Pinged(Instant),
    /// The client has not taken everything. Whether it takes anything is watched by its socket.
    Writing,
    /// The stream is over, and the socket is being closed.
    Leaving(Instant),
}

impl Pace {
    fn ends(&self) -> Option<Instant> {
        match *self {
            Pace::Heard(at) => Some(at + SILENCE_MAX),
            Pace::Pinged(at) => Some(at + ANSWER_TIME_MAX),
            Pace::Writing => None,
            Pace::Leaving(at) => Some(at + CLOSING_TIME_MAX),
        }
    }
}

/// What can still be read of a client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Messages,
    /// No messages: one could not be read, or the last one was.
    Nothing,
    /// Bytes that nobody looks at, our side being closed. Who closes with bytes unread destroys what it has said last
    /// (RFC 1122 §4.2.2.13).
    Rest,
}

/// The future of one client.
pub(super) struct Talk {
    socket: WebSocketStream<TokioIo<Upgraded>>,
    server: Server,
    connection: Connection,
    queued: VecDeque<Message>,
    /// Whether something was given to the socket and not flushed yet.
    unflushed: bool,
    /// Pings since everything was written.
    pings: usize,
    reading: Reading,
    /// What the WebSocket ends with, when the stream does.
    code: CloseCode,
    pace: Pace,
    timer: Pin<Box<Sleep>>,
}

impl Talk {
    pub(super) async fn new(upgraded: Upgraded, server: Server, connection: Connection) -> Talk {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let socket = TokioIo::new(upgraded);
        let now = Instant::now();
        Talk {
            socket: WebSocketStream::from_raw_socket(socket, Role::Server, Some(config)).await,
            server,
            connection,
            queued: VecDeque::new(),
            unflushed: false,
            pings: 0,
            reading: Reading::Messages,
            code: CloseCode::Normal,
            pace: Pace::Heard(now),
            timer: Box::pin(tokio::time::sleep_until(now + SILENCE_MAX)),
        }
    }

    fn is_leaving(&self) -> bool {
        matches!(self.pace, Pace::Leaving(_))
    }

    /// The stream has ended: so does the WebSocket.
    fn leave(&mut self) {
        self.connection.closed();
        let code = match self.code {
            CloseCode::Normal if self.server.stopping() => CloseCode::Away,
            code => code,
        };
        self.queued.push_back(Message::Close(Some(CloseFrame {
            code,
            reason: Utf8Bytes::default(),
        })));
        self.pace = Pace::Leaving(Instant::now());
    }

    /// What the client has sent is no message: its stream ends with an error, then the WebSocket with a code.
    fn fail(&mut self, error: WireError, code: CloseCode) {
        self.code = code;
        self.reading = Reading::Nothing;
        self.connection.fail_to_receive(error);
    }

    /// Whether a time-out ends the client. A timer that runs is kept: deadlines come and go with every
    /// stanza.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            let now = Instant::now();
            let own = self.pace.ends();
            let deadline = self.connection.deadline_micros();
            let stream = deadline.filter(|_| !self.is_leaving());
            let stream = stream.map(|at| now + until(at));
            let due = [own, stream].into_iter().flatten().min();
            let due = due.unwrap_or(now + SILENCE_MAX);
            if due < self.timer.deadline() {
                self.timer.as_mut().reset(due);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return false;
            }
            let now = Instant::now();
            self.timer.as_mut().reset(now + SILENCE_MAX);
            if now < due {
                continue;
            }
            match self.pace {
                _ if own.is_none_or(|own| now < own) => self.connection.handle_deadline(),
                Pace::Heard(_) => {
                    self.queued.push_back(Message::Ping(Bytes::new()));
                    self.pace = Pace::Pinged(now);
                }
                Pace::Pinged(_) | Pace::Writing | Pace::Leaving(_) => return true,
            }
        }
    }

    /// Writes what waits; `Ready` when all is out.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.queued.is_empty() {
            ready!(Pin::new(&mut self.socket).poll_ready(cx))?;
            if let Some(message) = self.queued.pop_front() {
                self.unflushed = true;
                Pin::new(&mut self.socket).start_send(message)?;
            }
        }
        self.queued.shrink_to(0);
        // Answers to pings are in there too, unseen.
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        self.pings = 0;
        if std::mem::take(&mut self.unflushed) {
            self.connection.written();
        }
        if let Pace::Writing = self.pace {
            self.pace = Pace::Heard(Instant::now());
        }
        Poll::Ready(Ok(()))
    }

    /// Lets the connection work, all output being written; says whether there is more to write.
    fn poll_connection(&mut self, cx: &mut Context<'_>) -> bool {
        match self.connection.poll(cx) {
            Poll::Ready(Action::Send) => {
                let mut output = Vec::new();
                self.connection.take_output(&mut output);
                // Elements are UTF-8: the gate has looked at those that clients sent.
                let texts = output
                    .into_iter()
                    .filter_map(|bytes| Utf8Bytes::try_from(bytes).ok());
                self.queued.extend(texts.map(Message::Text));
                true
            }
            // What begins as this does has its TLS, or none: there is no other way to end.
            Poll::Ready(Action::Close | Action::StartTls) => {
                self.leave();
                true
            }
            Poll::Pending => false,
        }
    }

    /// Reads what comes next; `false` when nothing is left to do.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        match self.reading {
            Reading::Messages => self.poll_message(cx),
            Reading::Nothing if self.is_leaving() => self.poll_shutdown(cx),
            Reading::Nothing => Poll::Pending,
            Reading::Rest => self.poll_rest(cx),
        }
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let takes = self.connection.wants_input() && self.pings < PINGS_UNANSWERED_MAX;
        if !self.is_leaving() && !takes {
            return Poll::Pending;
        }
        match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
            // The closing handshake is over.
            None if self.is_leaving() => self.reading = Reading::Nothing,
            None => return Poll::Ready(false),
            Some(Ok(_)) if self.is_leaving() => {}
            Some(Ok(message)) => self.take(message),
            Some(Err(error)) => {
                let Some((fault, code)) = blame(&error) else {
                    return Poll::Ready(false);
                };
                self.fail(fault, code);
            }
        }
        Poll::Ready(true)
    }

    fn take(&mut self, message: Message) {
        if !matches!(self.pace, Pace::Writing) {
            self.pace = Pace::Heard(Instant::now());
        }
        match message {
            Message::Text(text) => self.connection.receive(text.as_bytes()),
            // RFC 7395 §3.2: text alone.
            Message::Binary(_) => self.fail(StreamFault::Framing.into(), CloseCode::Unsupported),
            // The library answers; a session without `<close/>` may be resumed (RFC 7395 §3.6).
            Message::Close(_) => {
                self.connection.closed();
                self.queued.clear();
                self.pace = Pace::Leaving(Instant::now());
            }
            Message::Ping(_) => self.pings += 1,
            Message::Pong(_) | Message::Frame(_) => {}
        }
    }

    /// Closes our side of the socket, everything being written.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if !self.queued.is_empty() || self.unflushed {
            return Poll::Pending;
        }
        let closed = ready!(Pin::new(self.socket.get_mut()).poll_shutdown(cx));
        self.reading = Reading::Rest;
        Poll::Ready(closed.is_ok())
    }

    /// Reads what a client still sends, up to its end.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut space = [0; BUFFER_BYTES];
        let mut buffer = ReadBuf::new(&mut space);
        let read = ready!(Pin::new(self.socket.get_mut()).poll_read(cx, &mut buffer));
        Poll::Ready(read.is_ok() && !buffer.filled().is_empty())
    }
}

impl Future for Talk {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.poll_timer(cx) {
                return Poll::Ready(());
            }
            match self.poll_write(cx) {
                Poll::Ready(Ok(())) => {
                    if !self.is_leaving() && self.poll_connection(cx) {
                        continue;
                    }
                }
                Poll::Ready(Err(_)) if !self.is_leaving() => return Poll::Ready(()),
                // The client has said goodbye already: it is told no more.
                Poll::Ready(Err(_)) => {
                    self.queued.clear();
                    self.unflushed = false;
                }
                Poll::Pending if !self.is_leaving() => self.pace = Pace::Writing,
                Poll::Pending => {}
            }
            if !ready!(self.poll_read(cx)) {
                return Poll::Ready(());
            }
        }
    }
}
