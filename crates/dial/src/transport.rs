//! A connection with a reader of XMPP: bytes that wait to be written on one side, events on the other.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use waxwing_wire::{Event, Limits, Reader, WireError};

/// Bytes read at a time; no buffer is kept between reads.
const READ_BYTES: usize = 8 * 1024;
/// Bytes that are read ahead while something has to be written first: both sides would wait for ever
/// if each wrote only.
const READ_AHEAD_BYTES_MAX: usize = 1024 * 1024;

/// What bytes pass through.
pub(crate) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    fn reading(&mut self) -> Pin<&mut (dyn AsyncRead + Send + Unpin)> {
        Pin::new(match self {
            Transport::Plain(socket) => socket,
            Transport::Tls(stream) => stream.as_mut(),
        })
    }

    fn writing(&mut self) -> Pin<&mut (dyn AsyncWrite + Send + Unpin)> {
        Pin::new(match self {
            Transport::Plain(socket) => socket,
            Transport::Tls(stream) => stream.as_mut(),
        })
    }
}

/// Why no further event comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Broken(io::ErrorKind),
    Wire(WireError),
}

/// A transport with its reader. Everything may be cancelled and called again: nothing is lost.
pub(crate) struct Link {
    transport: Transport,
    reader: Reader,
    /// Bytes on their way out.
    out: BytesMut,
    /// Written bytes that TLS may hold back still.
    unflushed: bool,
    /// Reading met the end.
    end: Option<io::ErrorKind>,
}

impl Link {
    pub(crate) fn new(transport: Transport) -> Link {
        Link {
            transport,
            reader: Reader::new(Limits::BEFORE_LOGIN),
            out: BytesMut::new(),
            unflushed: false,
            end: None,
        }
    }

    /// Appends to what is written by [`flush`](Link::flush) or [`event`](Link::event).
    pub(crate) fn queue(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(crate) fn is_written(&self) -> bool {
        self.out.is_empty()
    }

    pub(crate) fn reader(&mut self) -> &mut Reader {
        &mut self.reader
    }

    /// The socket in the clear, to be wrapped, and what follows it: a link without one.
    pub(crate) fn into_plain(self) -> Option<TcpStream> {
        match self.transport {
            Transport::Plain(socket) => Some(socket),
            Transport::Tls(_) => None,
        }
    }

    /// Writes what waits, reading on meanwhile.
    pub(crate) async fn flush(&mut self) -> Result<(), io::ErrorKind> {
        poll_fn(|cx| {
            if let Poll::Ready(written) = self.poll_write(cx) {
                if written.is_err() {
                    self.out.clear();
                }
                return Poll::Ready(written);
            }
            while self.end.is_none() && self.reader.buffered() < READ_AHEAD_BYTES_MAX {
                match self.poll_read(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(kind)) => self.end = Some(kind),
                    Poll::Pending => break,
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The next event; writes what waits meanwhile.
    pub(crate) async fn event(&mut self) -> Result<Event, Fault> {
        loop {
            match self.reader.next() {
                Ok(Some(event)) => return Ok(event),
                Ok(None) => {}
                Err(error) => return Err(Fault::Wire(error)),
            }
            if let Some(kind) = self.end {
                return Err(Fault::Broken(kind));
            }
            let read = poll_fn(|cx| {
                // What cannot be written shows in what is read, last words included.
                if let Poll::Ready(Err(_)) = self.poll_write(cx) {
                    self.out.clear();
                }
                self.poll_read(cx)
            });
            if let Err(kind) = read.await {
                self.end = Some(kind);
            }
        }
    }

    /// Ends our side. What the system says about it changes nothing any more.
    pub(crate) async fn shut_down(&mut self) {
        let _ended = match &mut self.transport {
            Transport::Plain(socket) => socket.shutdown().await,
            Transport::Tls(stream) => stream.shutdown().await,
        };
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), io::ErrorKind>> {
        while !self.out.is_empty() {
            match self.transport.writing().poll_write(cx, &self.out) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero)),
                Poll::Ready(Ok(written)) => {
                    self.out.advance(written);
                    self.unflushed = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.kind())),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.unflushed {
            match self.transport.writing().poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.kind())),
                Poll::Pending => return Poll::Pending,
            }
            self.out = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Hands the reader what came; the end of the connection is an error.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), io::ErrorKind>> {
        let mut bytes = [0; READ_BYTES];
        let mut buffer = ReadBuf::new(&mut bytes);
        match self.transport.reading().poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                Poll::Ready(Err(io::ErrorKind::UnexpectedEof))
            }
            Poll::Ready(Ok(())) => {
                self.reader.push(buffer.filled());
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.kind())),
            Poll::Pending => Poll::Pending,
        }
    }
}
