//! A stream over WebSocket: each element in a message of its own, [RFC 7395](https://www.rfc-editor.org/rfc/rfc7395).

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use waxwing_stream::Framing;
use waxwing_wire::{FrameReader, Limits};

use super::Transport;
use crate::error::DialError;
use crate::stream::INCOMING;

/// The subprotocol (RFC 7395 §3.1).
const SUBPROTOCOL: HeaderValue = HeaderValue::from_static("xmpp");
/// Buffers of a connection, which keeps them.
const BUFFER_BYTES: usize = 4 * 1024;

/// A WebSocket, and what of it waits.
pub(crate) struct Frames {
    socket: WebSocketStream<Transport>,
    pub(super) reader: FrameReader,
    /// Messages on their way out.
    out: VecDeque<Utf8Bytes>,
    /// Written ones that may be held back still.
    unflushed: bool,
}

impl Frames {
    /// Asks a server of HTTP to speak XMPP at this address from here on.
    ///
    /// # Errors
    /// [`DialError::WebSocket`] if it does not; [`DialError::Broken`].
    pub(crate) async fn open(transport: Transport, url: &Uri) -> Result<Frames, DialError> {
        let mut request = url
            .clone()
            .into_client_request()
            .map_err(|_| DialError::Domain)?;
        request
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(INCOMING.stanza_bytes_max))
            .max_frame_size(Some(INCOMING.stanza_bytes_max));
        let opened = client_async_with_config(request, transport, Some(config)).await;
        let (socket, _response) = opened.map_err(|error| match error {
            Error::Io(error) => DialError::Broken(error.kind()),
            Error::Http(response) => DialError::WebSocket(Some(response.status().as_u16())),
            _ => DialError::WebSocket(None),
        })?;
        Ok(Frames {
            socket,
            reader: FrameReader::new(Limits::BEFORE_LOGIN),
            out: VecDeque::new(),
            unflushed: false,
        })
    }

    pub(super) fn queue(&mut self, element: &[u8]) {
        let whole = Framing::Elements.element(Bytes::copy_from_slice(element));
        // What is no text was no stanza.
        self.out.extend(Utf8Bytes::try_from(whole));
    }

    pub(super) fn is_written(&self) -> bool {
        self.out.is_empty()
    }

    pub(super) fn give_up_writing(&mut self) {
        self.out.clear();
        self.unflushed = false;
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), io::ErrorKind>> {
        while !self.out.is_empty() {
            match self.socket.poll_ready_unpin(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(kind(&error))),
                Poll::Pending => return Poll::Pending,
            }
            if let Some(text) = self.out.pop_front() {
                self.unflushed = true;
                let sent = self.socket.start_send_unpin(Message::Text(text));
                if let Err(error) = sent {
                    return Poll::Ready(Err(kind(&error)));
                }
            }
        }
        if self.unflushed {
            match self.socket.poll_flush_unpin(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(kind(&error))),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), io::ErrorKind>> {
        match self.socket.poll_next_unpin(cx) {
            Poll::Ready(Some(Ok(Message::Text(text)))) => {
                self.reader.push(text.into());
                Poll::Ready(Ok(()))
            }
            // RFC 7395 §3.2: nothing but text.
            Poll::Ready(Some(Ok(Message::Binary(_)))) => {
                Poll::Ready(Err(io::ErrorKind::InvalidData))
            }
            // Pings are answered with the next thing that is written, or read.
            Poll::Ready(Some(Ok(_))) => Poll::Ready(Ok(())),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(kind(&error))),
            Poll::Ready(None) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof)),
            Poll::Pending => Poll::Pending,
        }
    }

    pub(super) async fn shut_down(&mut self) {
        // What is lost by now does not matter.
        let _ended = self.socket.close(None).await;
    }
}

fn kind(error: &Error) -> io::ErrorKind {
    match error {
        Error::Io(error) => error.kind(),
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::UnexpectedEof,
        _ => io::ErrorKind::InvalidData,
    }
}
