//! How a client reached the server.

use std::net::IpAddr;

use waxwing_stream::Framing;
use waxwing_stream::sasl::TlsBinding;

/// How a client reached us.
#[derive(Clone, Debug)]
pub struct Link {
    /// The client's address.
    pub peer: IpAddr,
    /// Which way it came.
    pub transport: Transport,
    /// What protects the stream.
    pub security: Security,
    /// How the transport carries it.
    pub framing: Framing,
}

/// Which way a client came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP, with TLS by STARTTLS.
    StartTls,
    /// TCP, with TLS from the first byte.
    Tls,
    /// TCP without TLS, on this machine.
    Plain,
    /// RFC 7395.
    WebSocket,
    /// XEP-0206.
    Bosh,
    /// No client: an external component (XEP-0114), over TCP with or without TLS.
    Component,
}

impl Transport {
    pub(crate) const ALL: [Transport; 6] = [
        Transport::StartTls,
        Transport::Tls,
        Transport::Plain,
        Transport::WebSocket,
        Transport::Bosh,
        Transport::Component,
    ];

    /// Its name in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Transport::StartTls => "starttls",
            Transport::Tls => "tls",
            Transport::Plain => "plain",
            Transport::WebSocket => "websocket",
            Transport::Bosh => "bosh",
            Transport::Component => "component",
        }
    }
}

/// What protects a stream.
#[derive(Clone, Debug)]
pub enum Security {
    /// Nothing yet: STARTTLS is required.
    StartTls,
    /// TLS from the first byte (XEP-0368).
    Tls(TlsBinding),
    /// Nothing, on an address of this machine that the configuration marks so.
    PlainLoopback,
}
