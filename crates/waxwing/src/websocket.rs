//! XMPP over WebSocket: [RFC 7395](https://www.rfc-editor.org/rfc/rfc7395). A hand-written future moves
//! messages between the socket and the server's connection.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio::time::{Instant, Sleep};
use waxwing_server::{Action, Connection, Framing, Link, Transport};

use crate::site::{Peer, Site};

/// The subprotocol (RFC 7395 §3.1).
const SUBPROTOCOL: &str = "xmpp";
/// Bytes of one message: those of one stanza after log-in.
const MESSAGE_BYTES_MAX: usize = waxwing_wire::Limits::CLIENT.stanza_bytes_max;
/// Bytes that the library keeps for each direction of a connection; its own default costs 128 KiB.
const BUFFER_BYTES: usize = 4 * 1024;
/// Silence after which a client is pinged. Proxies cut at 60 seconds (nginx, `proxy_read_timeout`).
const SILENCE_MAX: Duration = Duration::from_secs(50);
/// Longest time for the answer to a ping.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// Longest time in which a client takes nothing of what is written to it.
const WRITE_STALL_MAX: Duration = Duration::from_secs(120);
/// Longest time for the closing handshake (RFC 6455 §7.1.1).
const CLOSING_TIME_MAX: Duration = Duration::from_secs(5);

/// Takes over a request for a WebSocket.
pub(crate) async fn upgrade(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !site.allows_origin(&headers) {
        return (StatusCode::FORBIDDEN, "this origin is not allowed\n").into_response();
    }
    let upgrade = upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX);
    if upgrade.selected_protocol().is_none() {
        return (StatusCode::BAD_REQUEST, "the subprotocol must be xmpp\n").into_response();
    }
    let client = site.client(peer, &headers);
    let Some(place) = site.serving.server.admit(client.address) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many connections\n").into_response();
    };
    let alive = site.serving.alive.clone();
    upgrade.on_upgrade(move |socket| async move {
        let connection = site.serving.server.accept(Link {
            peer: client.address,
            transport: Transport::WebSocket,
            security: client.security(),
            framing: Framing::Elements,
        });
        Talk::new(socket, connection).await;
        drop((place, alive));
    })
}

/// Since when a connection is at something that must not last.
enum Pace {
    /// Nothing: the client was heard of then.
    Heard(Instant),
    /// The client was silent, and was pinged then.
    Pinged(Instant),
    /// The client takes nothing.
    Stalled(Instant),
    /// The stream is over, and the socket is being closed.
    Leaving(Instant),
}

impl Pace {
    fn ends(&self) -> Instant {
        match *self {
            Pace::Heard(at) => at + SILENCE_MAX,
            Pace::Pinged(at) => at + ANSWER_TIME_MAX,
            Pace::Stalled(at) => at + WRITE_STALL_MAX,
            Pace::Leaving(at) => at + CLOSING_TIME_MAX,
        }
    }
}

/// The future of one client.
struct Talk {
    socket: WebSocket,
    connection: Connection,
    queued: VecDeque<Message>,
    /// Whether something was given to the socket and not flushed yet.
    unflushed: bool,
    pace: Pace,
    timer: Pin<Box<Sleep>>,
}

impl Talk {
    fn new(socket: WebSocket, connection: Connection) -> Talk {
        let now = Instant::now();
        Talk {
            socket,
            connection,
            queued: VecDeque::new(),
            unflushed: false,
            pace: Pace::Heard(now),
            timer: Box::pin(tokio::time::sleep_until(now + SILENCE_MAX)),
        }
    }

    fn is_leaving(&self) -> bool {
        matches!(self.pace, Pace::Leaving(_))
    }

    /// Ends the stream, if it has not ended, and says why to the WebSocket.
    fn leave(&mut self, code: u16) {
        self.connection.closed();
        self.queued.push_back(Message::Close(Some(CloseFrame {
            code,
            reason: Utf8Bytes::default(),
        })));
        self.pace = Pace::Leaving(Instant::now());
    }

    /// Whether a time-out ends the client. A timer that runs is kept: deadlines come and go with every
    /// stanza.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            let own = self.pace.ends();
            let deadline = self.connection.deadline_micros();
            let due = deadline.filter(|_| !self.is_leaving()).map_or(own, |at| {
                let wait = at.saturating_sub(crate::outside::steady_micros());
                own.min(Instant::now() + Duration::from_micros(wait))
            });
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
                _ if now < own => self.connection.handle_deadline(),
                Pace::Heard(_) => {
                    self.queued.push_back(Message::Ping(Bytes::new()));
                    self.pace = Pace::Pinged(now);
                }
                Pace::Pinged(_) | Pace::Stalled(_) | Pace::Leaving(_) => return true,
            }
        }
    }

    /// Writes what waits; `Ready` when all is out.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
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
        if std::mem::take(&mut self.unflushed) {
            self.connection.written();
        }
        if let Pace::Stalled(_) = self.pace {
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
                self.leave(close_code::NORMAL);
                true
            }
            Poll::Pending => false,
        }
    }

    /// Reads a message; `false` when the socket is at its end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if !self.is_leaving() && !self.connection.wants_input() {
            return Poll::Pending;
        }
        let message = ready!(Pin::new(&mut self.socket).poll_next(cx));
        let Some(Ok(message)) = message else {
            return Poll::Ready(false);
        };
        if self.is_leaving() {
            return Poll::Ready(true);
        }
        if !matches!(self.pace, Pace::Stalled(_)) {
            self.pace = Pace::Heard(Instant::now());
        }
        match message {
            Message::Text(text) => self.connection.receive(text.as_bytes()),
            // RFC 7395 §3.2: text alone.
            Message::Binary(_) => self.leave(close_code::UNSUPPORTED),
            // The library answers; a session without `<close/>` may be resumed (RFC 7395 §3.6).
            Message::Close(_) => {
                self.connection.closed();
                self.pace = Pace::Leaving(Instant::now());
            }
            Message::Ping(_) | Message::Pong(_) => {}
        }
        Poll::Ready(true)
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
                Poll::Ready(Err(_)) => {}
                Poll::Pending => {
                    if matches!(self.pace, Pace::Heard(_) | Pace::Pinged(_)) {
                        self.pace = Pace::Stalled(Instant::now());
                        continue;
                    }
                }
            }
            if !ready!(self.poll_read(cx)) {
                return Poll::Ready(());
            }
        }
    }
}
