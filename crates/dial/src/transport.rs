//! A connection with a reader of XMPP: bytes that wait to be written on one side, events on the other.

mod frames;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use waxwing_stream::Framing;
use waxwing_wire::{Event, Limits, Reader, WireError};

pub(crate) use frames::Frames;

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

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().reading().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().writing().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().writing().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().writing().poll_shutdown(cx)
    }
}

/// A stream that is one document, and what of it waits.
pub(crate) struct Document {
    transport: Transport,
    reader: Reader,
    /// Bytes on their way out.
    out: BytesMut,
    /// Written bytes that TLS may hold back still.
    unflushed: bool,
}

impl Document {
    pub(crate) fn new(transport: Transport) -> Document {
        Document {
            transport,
            reader: Reader::new(Limits::BEFORE_LOGIN),
            out: BytesMut::new(),
            unflushed: false,
        }
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

/// How a stream is carried.
pub(crate) enum Carrier {
    Document(Document),
    Frames(Box<Frames>),
}

/// Why no further event comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Broken(io::ErrorKind),
    Wire(WireError),
}

/// A carrier of events. Everything may be cancelled and called again: nothing is lost.
pub(crate) struct Link {
    carrier: Carrier,
    /// Reading met the end.
    end: Option<io::ErrorKind>,
}

impl Link {
    pub(crate) fn new(carrier: Carrier) -> Link {
        Link { carrier, end: None }
    }

    /// How the stream is framed.
    pub(crate) fn framing(&self) -> Framing {
        match self.carrier {
            Carrier::Document(_) => Framing::Document,
            Carrier::Frames(_) => Framing::Elements,
        }
    }

    /// Appends one element, or what stands for the stream's beginning or end, to what is written by
    /// [`flush`](Link::flush) or [`event`](Link::event).
    pub(crate) fn queue(&mut self, bytes: &[u8]) {
        match &mut self.carrier {
            Carrier::Document(document) => document.out.extend_from_slice(bytes),
            Carrier::Frames(frames) => frames.queue(bytes),
        }
    }

    pub(crate) fn is_written(&self) -> bool {
        match &self.carrier {
            Carrier::Document(document) => document.out.is_empty(),
            Carrier::Frames(frames) => frames.is_written(),
        }
    }

    /// A new stream begins; says whether anything that was read is dropped.
    pub(crate) fn restart(&mut self) -> bool {
        match &mut self.carrier {
            Carrier::Document(document) => document.reader.restart(),
            Carrier::Frames(frames) => frames.reader.restart(),
        }
    }

    pub(crate) fn set_limits(&mut self, limits: Limits) {
        match &mut self.carrier {
            Carrier::Document(document) => document.reader.set_limits(limits),
            Carrier::Frames(frames) => frames.reader.set_limits(limits),
        }
    }

    /// The socket, for TLS; whatever waits here is dropped.
    pub(crate) fn into_plain(self) -> Option<TcpStream> {
        match self.carrier {
            Carrier::Document(Document {
                transport: Transport::Plain(socket),
                ..
            }) => Some(socket),
            _ => None,
        }
    }

    fn buffered(&self) -> usize {
        match &self.carrier {
            Carrier::Document(document) => document.reader.buffered(),
            Carrier::Frames(frames) => frames.reader.buffered(),
        }
    }

    fn next(&mut self) -> Result<Option<Event>, WireError> {
        match &mut self.carrier {
            Carrier::Document(document) => document.reader.next(),
            Carrier::Frames(frames) => frames.reader.next(),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), io::ErrorKind>> {
        match &mut self.carrier {
            Carrier::Document(document) => document.poll_write(cx),
            Carrier::Frames(frames) => frames.poll_write(cx),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), io::ErrorKind>> {
        match &mut self.carrier {
            Carrier::Document(document) => document.poll_read(cx),
            Carrier::Frames(frames) => frames.poll_read(cx),
        }
    }

    /// What waits will not be written.
    fn give_up_writing(&mut self) {
        match &mut self.carrier {
            Carrier::Document(document) => document.out.clear(),
            Carrier::Frames(frames) => frames.give_up_writing(),
        }
    }

    /// Writes what waits, reading on meanwhile.
    pub(crate) async fn flush(&mut self) -> Result<(), io::ErrorKind> {
        poll_fn(|cx| {
            if let Poll::Ready(written) = self.poll_write(cx) {
                if written.is_err() {
                    self.give_up_writing();
                }
                return Poll::Ready(written);
            }
            while self.end.is_none() && self.buffered() < READ_AHEAD_BYTES_MAX {
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
            match self.next() {
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
                    self.give_up_writing();
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
        match &mut self.carrier {
            // What is lost by now does not matter.
            Carrier::Document(document) => {
                let _ended = poll_fn(|cx| document.transport.writing().poll_shutdown(cx)).await;
            }
            Carrier::Frames(frames) => frames.shut_down().await,
        }
    }
}
