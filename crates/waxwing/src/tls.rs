//! TLS as a core without I/O, on rustls's unbuffered interface: bytes in, bytes out.
//!
//! The buffers that records are read from and written to belong to the worker thread and are
//! shared by its connections; an idle connection keeps what rustls needs and nothing else.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use waxwing_server::TlsBinding;

use crate::exporter;

/// Most plaintext in one TLS record (RFC 8446 §5.1).
const RECORD_PLAINTEXT_BYTES_MAX: usize = 16_384;
/// Room for one record's header, padding and tag.
const RECORD_OVERHEAD_BYTES: usize = 256;
/// Most bytes of handshake messages that wait for their rest: rustls itself bounds them by 64 KiB.
const INCOMING_BYTES_MAX: usize = 128 * 1024;

/// Why TLS ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TlsError {
    /// The peer broke the protocol, or has nothing in common with us.
    #[error("TLS failed: {0}")]
    Protocol(String),
    /// A record that never ends.
    #[error("TLS failed: more than {INCOMING_BYTES_MAX} bytes without a complete message")]
    TooLarge,
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        TlsError::Protocol(error.to_string())
    }
}

/// What a call of [`Tls::receive`] led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The handshake has ended with this call.
    pub established: bool,
    /// The peer has closed its side.
    pub closed: bool,
}

/// One server-side TLS connection.
pub(crate) struct Tls {
    connection: UnbufferedServerConnection,
    /// The beginning of a record whose rest has not arrived.
    incoming: Vec<u8>,
    established: bool,
    /// RFC 9266 binding data, kept until the log-in has taken it.
    exporter: Option<[u8; 32]>,
    /// What a client means that asks for no name, until a certificate was chosen.
    meant: Option<Box<str>>,
    server_name: Option<String>,
}

impl Tls {
    /// Begins the server's side of a handshake.
    pub(crate) fn new(config: Arc<ServerConfig>) -> Result<Tls, TlsError> {
        let connection = UnbufferedServerConnection::new(config)?;
        Ok(Tls {
            connection,
            incoming: Vec::new(),
            established: false,
            exporter: None,
            meant: None,
            server_name: None,
        })
    }

    /// The same with what counts where the client asks for no name (SNI): the domain of its stream, in A-labels
    /// (RFC 6120 §13.7.1).
    #[must_use]
    pub(crate) fn meant_for(mut self, domain: &str) -> Tls {
        self.meant = Some(domain.into());
        self
    }

    /// Takes bytes from the peer; what it sent goes to `plain`, what has to be sent to it to `out`.
    ///
    /// # Errors
    /// TLS is over; an alert that says so may be in `out`.
    pub(crate) fn receive(
        &mut self,
        bytes: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<Progress, TlsError> {
        let mut progress = Progress::default();
        if self.incoming.is_empty() {
            let used = self.process(bytes, plain, out, &mut progress)?;
            self.incoming
                .extend_from_slice(bytes.get(used..).unwrap_or_default());
        } else {
            let mut incoming = std::mem::take(&mut self.incoming);
            incoming.extend_from_slice(bytes);
            let used = self.process(&mut incoming, plain, out, &mut progress)?;
            if used < incoming.len() {
                incoming.drain(..used);
                self.incoming = incoming;
            }
        }
        if self.incoming.len() > INCOMING_BYTES_MAX {
            return Err(TlsError::TooLarge);
        }
        Ok(progress)
    }

    /// Works through `input`; returns how much of it was used.
    fn process(
        &mut self,
        input: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
        progress: &mut Progress,
    ) -> Result<usize, TlsError> {
        let mut used = 0;
        loop {
            let rest = input.get_mut(used..).unwrap_or_default();
            let (status, caught) = exporter::capture(self.meant.as_deref(), || {
                self.connection.process_tls_records(rest)
            });
            let UnbufferedStatus { mut discard, state } = status;
            let mut done = false;
            let outcome = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
                    match traffic.next_record() {
                        Some(Ok(record)) => {
                            discard += record.discard;
                            plain.extend_from_slice(record.payload);
                        }
                        Some(Err(error)) => break Err(error.into()),
                        None => break Ok(()),
                    }
                },
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    encode(out, |room| data.encode(room));
                    Ok(())
                }
                // What was encoded is in `out`, which is written before anything else.
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    Ok(())
                }
                Ok(ConnectionState::PeerClosed) => {
                    progress.closed = true;
                    Ok(())
                }
                Ok(ConnectionState::Closed) => {
                    progress.closed = true;
                    done = true;
                    Ok(())
                }
                Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_)) => {
                    done = true;
                    Ok(())
                }
                Ok(_) => Err(TlsError::Protocol("early data is not accepted".to_owned())),
                Err(error) => Err(error.into()),
            };
            if let Some(secret) = caught.secret {
                self.exporter = exporter::tls_exporter(&self.connection, &secret);
            }
            if caught.server_name.is_some() {
                self.meant = None;
                self.server_name = caught.server_name;
            }
            if let Err(error) = outcome {
                self.alert(out);
                return Err(error);
            }
            used += discard;
            if done {
                progress.established = !self.established && !self.connection.is_handshaking();
                self.established |= progress.established;
                return Ok(used);
            }
        }
    }

    /// After an error rustls has an alert to send, behind what waited to be sent before: with TLS 1.3 the alert is
    /// encrypted by what the messages before it have agreed on.
    fn alert(&mut self, out: &mut Vec<u8>) {
        let mut none: [u8; 0] = [];
        while let Ok(ConnectionState::EncodeTlsData(mut data)) =
            self.connection.process_tls_records(&mut none).state
        {
            encode(out, |room| data.encode(room));
        }
    }

    /// Whether application data may be sent.
    pub(crate) fn is_established(&self) -> bool {
        self.established
    }

    /// What is kept of a record whose rest has not arrived.
    #[cfg(test)]
    pub(crate) fn incoming(&self) -> &Vec<u8> {
        &self.incoming
    }

    /// Encrypts `plain` behind what is in `out`.
    ///
    /// # Errors
    /// TLS is over.
    pub(crate) fn send(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), TlsError> {
        for chunk in plain.chunks(RECORD_PLAINTEXT_BYTES_MAX) {
            self.write(out, chunk.len() + RECORD_OVERHEAD_BYTES, |traffic, room| {
                traffic.encrypt(chunk, room)
            })?;
        }
        Ok(())
    }

    /// Says that nothing more will be sent.
    pub(crate) fn close(&mut self, out: &mut Vec<u8>) {
        // Before the handshake's end there is nothing to close.
        let _closed = self.write(out, RECORD_OVERHEAD_BYTES, |traffic, room| {
            traffic.queue_close_notify(room)
        });
    }

    fn write(
        &mut self,
        out: &mut Vec<u8>,
        room: usize,
        write: impl Fn(
            &mut rustls::unbuffered::WriteTraffic<'_, rustls::server::ServerConnectionData>,
            &mut [u8],
        ) -> Result<usize, EncryptError>,
    ) -> Result<(), TlsError> {
        loop {
            let mut none: [u8; 0] = [];
            match self.connection.process_tls_records(&mut none).state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    let start = out.len();
                    let mut room = room;
                    loop {
                        out.resize(start + room, 0);
                        match write(&mut traffic, out.get_mut(start..).unwrap_or_default()) {
                            Ok(written) => {
                                out.truncate(start + written);
                                return Ok(());
                            }
                            Err(EncryptError::InsufficientSize(more)) => room = more.required_size,
                            Err(EncryptError::EncryptExhausted) => {
                                out.truncate(start);
                                return Err(TlsError::Protocol("the keys are used up".to_owned()));
                            }
                        }
                    }
                }
                // A key update or a ticket goes first.
                ConnectionState::EncodeTlsData(mut data) => encode(out, |room| data.encode(room)),
                ConnectionState::TransmitTlsData(data) => data.done(),
                _ => return Err(TlsError::Protocol("it is closed".to_owned())),
            }
        }
    }

    /// What log-in can bind itself to; the exporter's value is forgotten here.
    pub(crate) fn take_binding(&mut self, server_end_point: Option<Vec<u8>>) -> TlsBinding {
        TlsBinding {
            tls_exporter: self.exporter.take(),
            server_end_point,
            sni: self.server_name.take(),
            version: self.connection.protocol_version().map(u16::from),
        }
    }

    /// The name that the certificate was chosen by, until the binding is taken.
    pub(crate) fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }
}

/// Appends what `encode` writes, with as much room as it wants.
fn encode(out: &mut Vec<u8>, mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>) {
    let start = out.len();
    let mut room = RECORD_OVERHEAD_BYTES;
    loop {
        out.resize(start + room, 0);
        match encode(out.get_mut(start..).unwrap_or_default()) {
            Ok(written) => return out.truncate(start + written),
            Err(EncodeError::InsufficientSize(more)) => room = more.required_size,
            Err(EncodeError::AlreadyEncoded) => return out.truncate(start),
        }
    }
}
