//! A client's session and the socket that it has at the moment.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use waxwing_stream::client::{NegotiationError, Tls};
use waxwing_testkit::{Peer, PeerError, Wants};
use waxwing_wire::Element;

/// Bytes read at a time.
const READ_BYTES: usize = 16 * 1024;
const PAUSE: Duration = Duration::from_micros(300);

#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) peer: Peer,
    socket: Option<TcpStream>,
    /// What the socket has not taken yet.
    unwritten: Vec<u8>,
    leaving: bool,
    complaints: Vec<String>,
}

impl Caller {
    pub(crate) fn new(peer: Peer) -> Caller {
        Caller {
            peer,
            socket: None,
            unwritten: Vec::new(),
            leaving: false,
            complaints: Vec::new(),
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// The connection is gone, without a word.
    pub(crate) fn cut(&mut self) {
        self.socket = None;
        self.unwritten.clear();
        self.peer.disconnected();
    }

    /// Ends the stream in order, and does not come back.
    pub(crate) fn leave(&mut self) {
        self.leaving = true;
        if self.socket.is_some() {
            self.unwritten.extend_from_slice(b"</stream:stream>");
        }
    }

    pub(crate) fn take_complaint(&mut self) -> Vec<String> {
        std::mem::take(&mut self.complaints)
    }

    /// Connects where it may and is not connected, and carries what waits, both ways; whether there was anything.
    pub(crate) fn work(&mut self, server: Option<SocketAddr>) -> bool {
        if self.socket.is_none() && !self.leaving {
            let Some(socket) = server.and_then(|server| TcpStream::connect(server).ok()) else {
                return false;
            };
            if socket.set_nonblocking(true).is_err() {
                return false;
            }
            self.socket = Some(socket);
            self.peer.connect(Tls::PlainAllowed);
        }
        let read = self.read();
        let wrote = self.write();
        read || wrote
    }

    /// Works until a stanza comes that is wanted; `None` if none does.
    pub(crate) fn hear(
        &mut self,
        server: SocketAddr,
        patience: Duration,
        mut wanted: impl FnMut(&Element) -> bool,
    ) -> Option<Element> {
        let began = Instant::now();
        while began.elapsed() < patience {
            if !self.work(Some(server)) {
                thread::sleep(PAUSE);
            }
            while let Some(stanza) = self.peer.poll() {
                if wanted(&stanza) {
                    return Some(stanza);
                }
            }
        }
        None
    }

    fn read(&mut self) -> bool {
        let Some(socket) = &mut self.socket else {
            return false;
        };
        let mut bytes = vec![0; READ_BYTES];
        match socket.read(&mut bytes) {
            Ok(0) => {
                self.cut();
                true
            }
            Ok(length) => {
                self.peer.receive(&bytes[..length]);
                self.note_error();
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(_) => {
                self.cut();
                true
            }
        }
    }

    fn note_error(&mut self) {
        match self.peer.take_error() {
            // The server's end of a stream that we end.
            None => {}
            Some(PeerError::Refused(NegotiationError::Closed)) if self.leaving => {}
            Some(error) => self
                .complaints
                .push(format!("{}: {error}", self.peer.account())),
        }
    }

    fn write(&mut self) -> bool {
        for bytes in self.peer.take_output() {
            self.unwritten.extend_from_slice(&bytes);
        }
        let Some(socket) = &mut self.socket else {
            return false;
        };
        let mut wrote = false;
        while !self.unwritten.is_empty() {
            match socket.write(&self.unwritten) {
                Ok(length) => {
                    self.unwritten.drain(..length);
                    wrote = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.cut();
                    return true;
                }
            }
        }
        if self.unwritten.is_empty() && self.peer.wants() == Some(Wants::Close) {
            self.cut();
        }
        wrote
    }
}
