//! One client's socket: a hand-written future that moves bytes between the socket, TLS and the
//! server's connection. While a client is idle it holds no buffer.

use std::cell::RefCell;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Sender, WeakSender};
use tokio::time::Sleep;
use waxwing_server::admission::Place;
use waxwing_server::{Action, Connection, Framing, Limit, Link, Security, Server, Transport};
use waxwing_stanza::jid::domain_to_ascii;

use crate::certificates::Certificates;
use crate::outside::until;
use crate::tls::Tls;
use crate::write_limit::Limited;

/// Longest time for a TLS handshake.
const HANDSHAKE_SECS_MAX: u64 = 30;
/// Bytes read at a time.
const READ_BYTES: usize = 32 * 1024;
/// Bytes gathered for one write.
const WRITE_BYTES: usize = 256 * 1024;

/// Buffers that the connections of a worker thread share.
struct Scratch {
    input: Vec<u8>,
    plain: Vec<u8>,
    queued: Vec<Bytes>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch { input: vec![0; READ_BYTES], plain: Vec::new(), queued: Vec::new() });
}

/// How a listener protects its clients.
#[derive(Clone)]
pub(crate) enum Protection {
    /// STARTTLS.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// None, on this machine only.
    PlainLoopback,
    /// None, for external components on this machine.
    ComponentLoopback,
    /// TLS from the first byte, for external components.
    ComponentTls,
}

impl Protection {
    /// Name in logs.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Protection::StartTls => "STARTTLS",
            Protection::Tls | Protection::ComponentTls => "TLS",
            Protection::PlainLoopback | Protection::ComponentLoopback => "none",
        }
    }
}

/// TLS settings of all listeners, with the certificates to bind log-ins to.
pub(crate) struct TlsSettings {
    /// For STARTTLS.
    pub start: Arc<ServerConfig>,
    /// For TLS from the first byte.
    pub direct: Arc<ServerConfig>,
    /// For HTTP.
    pub https: Arc<ServerConfig>,
    /// For both on one port.
    pub any: Arc<ServerConfig>,
    /// Certificates by name.
    pub certificates: Arc<Certificates>,
}

/// The future of one client.
pub(crate) struct Client {
    socket: Limited<TcpStream>,
    /// Held, not awaited beside: a future around this one would hold it twice.
    _place: Place,
    peer: IpAddr,
    server: Server,
    settings: Option<Arc<TlsSettings>>,
    tls: Option<Box<Tls>>,
    is_component: bool,
    /// `None` until a direct TLS handshake has ended.
    connection: Option<Connection>,
    /// Upgraded with the connection: who has none yet is not waited for when the server stops.
    alive: WeakSender<()>,
    held: Option<Sender<()>>,
    /// Bytes on their way to the socket, from `sent` on.
    out: Vec<u8>,
    sent: usize,
    closing: bool,
    /// Runs out at this time of the clock that nobody sets; 0 for a handshake's, which nothing shortens.
    timer: Option<(u64, Pin<Box<Sleep>>)>,
}

enum Turn {
    Progress,
    Waiting,
    Over,
}

impl Client {
    /// Takes over an accepted socket.
    pub(crate) fn new(
        server: Server,
        place: Place,
        socket: TcpStream,
        peer: IpAddr,
        protection: Protection,
        settings: Option<Arc<TlsSettings>>,
        alive: WeakSender<()>,
    ) -> Option<Client> {
        let mut client = Client {
            socket: Limited::new(socket, server.clone()),
            _place: place,
            peer,
            server,
            settings,
            tls: None,
            is_component: matches!(
                protection,
                Protection::ComponentLoopback | Protection::ComponentTls
            ),
            connection: None,
            alive,
            held: None,
            out: Vec::new(),
            sent: 0,
            closing: false,
            timer: None,
        };
        match protection {
            Protection::StartTls => client.connect(Security::StartTls),
            Protection::PlainLoopback | Protection::ComponentLoopback => {
                client.connect(Security::PlainLoopback);
            }
            Protection::Tls | Protection::ComponentTls => {
                let config = client.settings.as_ref()?.direct.clone();
                client.tls = Some(Box::new(Tls::new(config).ok()?));
                let most = Duration::from_secs(HANDSHAKE_SECS_MAX);
                client.timer = Some((0, Box::pin(tokio::time::sleep(most))));
            }
        }
        Some(client)
    }

    fn connect(&mut self, security: Security) {
        self.held = self.alive.upgrade();
        self.connection = Some(self.server.accept(Link {
            peer: self.peer,
            transport: match security {
                _ if self.is_component => Transport::Component,
                Security::StartTls => Transport::StartTls,
                Security::Tls(_) => Transport::Tls,
                Security::PlainLoopback => Transport::Plain,
            },
            security,
            framing: Framing::Document,
        }));
    }

    /// Writes what waits; `Ready` when all is out.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        while self.sent < self.out.len() {
            let rest = self.out.get(self.sent..).unwrap_or_default();
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        if !self.out.is_empty() {
            self.out = Vec::new();
            self.sent = 0;
            if let Some(connection) = &mut self.connection {
                connection.written();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Lets the connection work, all output being written.
    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Turn {
        let Some(connection) = &mut self.connection else {
            return Turn::Waiting;
        };
        match connection.poll(cx) {
            Poll::Ready(Action::Send) => SCRATCH.with_borrow_mut(|scratch| {
                connection.take_output(&mut scratch.queued);
                let taken = put(
                    &mut self.tls,
                    &mut scratch.plain,
                    &scratch.queued,
                    &mut self.out,
                );
                scratch.queued.clear();
                if !taken {
                    return Turn::Over;
                }
                if connection.is_over() {
                    // The end of TLS goes with the end of the stream.
                    close(&mut self.tls, &mut self.out);
                    self.closing = true;
                }
                Turn::Progress
            }),
            Poll::Ready(Action::StartTls) if self.tls.is_none() => self.start_tls(),
            // The handshake is under way.
            Poll::Ready(Action::StartTls) | Poll::Pending => Turn::Waiting,
            Poll::Ready(Action::Close) => {
                close(&mut self.tls, &mut self.out);
                self.closing = true;
                Turn::Progress
            }
        }
    }

    fn start_tls(&mut self) -> Turn {
        let tls = self.settings.as_ref().and_then(|settings| {
            let tls = Tls::new(settings.start.clone()).ok()?;
            let domain = self.connection.as_ref()?.domain()?;
            Some(tls.meant_for(&domain_to_ascii(domain)))
        });
        match tls {
            Some(tls) => {
                self.tls = Some(Box::new(tls));
                Turn::Progress
            }
            None => Turn::Over,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        if self
            .connection
            .as_ref()
            .is_some_and(|connection| !connection.wants_input() && !self.handshaking())
        {
            return Poll::Pending;
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(&mut scratch.input);
            if ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer)).is_err() {
                return Poll::Ready(Turn::Over);
            }
            let bytes = buffer.filled_mut();
            if bytes.is_empty() {
                return Poll::Ready(Turn::Over);
            }
            let Some(tls) = &mut self.tls else {
                if let Some(connection) = &mut self.connection {
                    connection.receive(bytes);
                }
                return Poll::Ready(Turn::Progress);
            };
            scratch.plain.clear();
            let progress = match tls.receive(bytes, &mut scratch.plain, &mut self.out) {
                Ok(progress) => progress,
                Err(error) => {
                    tracing::debug!(%error, "a client's TLS failed");
                    self.closing = true;
                    return Poll::Ready(Turn::Progress);
                }
            };
            if progress.established {
                self.established();
            }
            if let (Some(connection), false) = (&mut self.connection, scratch.plain.is_empty()) {
                connection.receive(&scratch.plain);
            }
            if progress.closed {
                return Poll::Ready(Turn::Over);
            }
            Poll::Ready(Turn::Progress)
        })
    }

    fn handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| !tls.is_established())
    }

    fn established(&mut self) {
        let (Some(tls), Some(settings)) = (&mut self.tls, &self.settings) else {
            return;
        };
        self.timer = None;
        let end_point = settings.certificates.end_point(tls.server_name());
        let binding = tls.take_binding(end_point);
        match &mut self.connection {
            Some(connection) => connection.tls_started(binding),
            None => self.connect(Security::Tls(binding)),
        }
    }

    /// Whether a time-out ends the client; the connection's own end it with a stream error.
    ///
    /// Deadlines come and go with every stanza that waits for its acknowledgement: a timer that runs is kept, unless it
    /// would be too late, and asks again when it has run out.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            let deadline = self
                .connection
                .as_ref()
                .and_then(Connection::deadline_micros);
            if let Some(at) = deadline
                && self.timer.as_ref().is_none_or(|(set, _)| at < *set)
            {
                self.timer = Some((at, Box::pin(tokio::time::sleep(until(at)))));
            }
            let Some((_, timer)) = &mut self.timer else {
                return false;
            };
            if timer.as_mut().poll(cx).is_pending() {
                return false;
            }
            self.timer = None;
            match &mut self.connection {
                Some(connection) => connection.handle_deadline(),
                None => {
                    self.server.note_limit(Limit::HandshakeTime);
                    return true;
                }
            }
        }
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.poll_timer(cx) {
                return Poll::Ready(());
            }
            match self.poll_flush(cx) {
                Poll::Ready(Ok(())) if self.closing => return Poll::Ready(()),
                Poll::Ready(Ok(())) => match self.poll_connection(cx) {
                    Turn::Progress => continue,
                    Turn::Waiting => {}
                    Turn::Over => return Poll::Ready(()),
                },
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending if self.closing => return Poll::Pending,
                Poll::Pending => {}
            }
            match ready!(self.poll_read(cx)) {
                Turn::Progress | Turn::Waiting => {}
                Turn::Over => return Poll::Ready(()),
            }
        }
    }
}

fn close(tls: &mut Option<Box<Tls>>, out: &mut Vec<u8>) {
    if let Some(tls) = tls {
        tls.close(out);
    }
}

/// Encrypts or copies what is queued; small elements are gathered into one record.
fn put(
    tls: &mut Option<Box<Tls>>,
    plain: &mut Vec<u8>,
    queued: &[Bytes],
    out: &mut Vec<u8>,
) -> bool {
    let Some(tls) = tls else {
        for bytes in queued {
            out.extend_from_slice(bytes);
        }
        return true;
    };
    plain.clear();
    for bytes in queued {
        plain.extend_from_slice(bytes);
        if plain.len() >= WRITE_BYTES {
            if tls.send(plain, out).is_err() {
                return false;
            }
            plain.clear();
        }
    }
    tls.send(plain, out).is_ok()
}

impl Future for Client {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let over = self.poll_turn(cx);
        if over.is_ready()
            && let Some(connection) = &mut self.connection
        {
            connection.closed();
        }
        over
    }
}
