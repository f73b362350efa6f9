//! Why no connection came about, by blame.

use std::io;

use waxwing_stream::client::NegotiationError;
use waxwing_stream::sasl::Failure;

use crate::names::NameError;

/// Who has to change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The server, or who answers in its place, breaks a protocol or refuses.
    Peer,
    /// Both sides keep the rules and have nothing in common.
    Incompatible,
    /// Our caller wants what cannot be: a wrong password, plaintext past this machine.
    Caller,
    /// Names, networks, proxies, time.
    Environment,
}

/// What was under way when time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Connecting.
    Connect,
    /// The proxy's answer.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// The answer of HTTP.
    WebSocket,
    /// Negotiation of the stream.
    Stream,
}

/// Why no stream came about. What is shown says nothing that the caller did not give: no addresses, no
/// names from certificates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// The domain cannot be a name on the network.
    #[error("the domain cannot be looked up or verified")]
    Domain,
    /// Without TLS only this machine is talked to, and never by a proxy.
    #[error("without TLS only addresses of this machine are connected to")]
    PlainNotLoopback,
    /// The name could not be looked up.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The domain says that it has no such service (the SRV target `.`).
    #[error("the domain says that it has no XMPP service for clients")]
    NoService,
    /// Nobody could be connected to; what the last attempt met.
    #[error("no connection: {}", describe(*.0))]
    Connect(io::ErrorKind),
    /// The proxy did not connect us.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The server showed a certificate that is not trusted for the domain.
    #[error("the server's certificate is refused: {0}")]
    Certificate(#[from] CertificateProblem),
    /// The TLS handshake failed otherwise.
    #[error("the TLS handshake failed")]
    Tls,
    /// Who answers for HTTP does not take up a WebSocket of XMPP; its status, if that is why.
    #[error("no WebSocket for XMPP was opened{}", status(*.0))]
    WebSocket(Option<u16>),
    /// The connection broke.
    #[error("the connection broke: {}", describe(*.0))]
    Broken(io::ErrorKind),
    /// It took too long.
    #[error("it took too long: {}", .0.name())]
    Timeout(Stage),
    /// The stream was not negotiated.
    #[error(transparent)]
    Stream(#[from] NegotiationError),
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CertificateProblem {
    /// No trusted authority vouches for it.
    #[error("it is not from an authority that is trusted")]
    UnknownAuthority,
    /// It is for other names than the domain.
    #[error("it is for another domain")]
    OtherName,
    /// It is not good any more.
    #[error("it has expired")]
    Expired,
    /// It is not good yet.
    #[error("it is not valid yet")]
    NotYetValid,
    /// It was withdrawn.
    #[error("it was revoked")]
    Revoked,
    /// Anything else.
    #[error("it is not valid for this use")]
    Invalid,
}

/// Why a proxy did not connect us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ProxyError {
    /// It does not speak the protocol.
    #[error("what answers is no such proxy")]
    NoProxy,
    /// It wants a log-in of a kind that we do not have.
    #[error("the proxy offers no way to log in that may be used")]
    NoMethod,
    /// It refuses our user name and password, or wants some.
    #[error("the proxy refused the log-in")]
    LoginRefused,
    /// Its rules forbid the connection.
    #[error("the proxy does not allow the connection")]
    Forbidden,
    /// It cannot reach the server.
    #[error("the proxy cannot reach the server")]
    Unreachable,
    /// It failed.
    #[error("the proxy failed")]
    Failed,
    /// The name is too long for its protocol.
    #[error("the proxy's protocol has no room for the server's name")]
    NameTooLong,
    /// It is not there, or went away.
    #[error("the proxy is not there")]
    Gone,
}

impl DialError {
    /// Who has to change something.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            DialError::Domain | DialError::PlainNotLoopback => Blame::Caller,
            DialError::Name(_)
            | DialError::Connect(_)
            | DialError::Proxy(_)
            | DialError::Broken(_)
            | DialError::Timeout(_) => Blame::Environment,
            DialError::NoService | DialError::Certificate(_) => Blame::Peer,
            DialError::Tls | DialError::WebSocket(_) => Blame::Incompatible,
            DialError::Stream(error) => match error {
                NegotiationError::LoginRefused {
                    reason: Failure::TemporaryAuthFailure,
                    ..
                } => Blame::Peer,
                NegotiationError::NoName
                | NegotiationError::LoginRefused { .. }
                | NegotiationError::RegistrationRefused(_) => Blame::Caller,
                NegotiationError::NoMechanism
                | NegotiationError::TlsMissing
                | NegotiationError::TlsInsisted => Blame::Incompatible,
                NegotiationError::Timeout => Blame::Environment,
                _ => Blame::Peer,
            },
        }
    }

    /// Whether another host of the same domain might do better.
    pub(crate) fn is_of_the_host(&self) -> bool {
        match self {
            DialError::Stream(error) => matches!(
                error,
                NegotiationError::Server(_)
                    | NegotiationError::Closed
                    | NegotiationError::Protocol(_)
                    | NegotiationError::TlsMissing
                    | NegotiationError::TlsInsisted
                    | NegotiationError::TlsRefused
                    | NegotiationError::Timeout
            ),
            // A proxy that does not serve us does so for no host.
            DialError::Proxy(error) => matches!(
                error,
                ProxyError::Forbidden | ProxyError::Unreachable | ProxyError::Failed
            ),
            DialError::Domain | DialError::PlainNotLoopback | DialError::NoService => false,
            _ => true,
        }
    }

    /// How much it tells who wants to know why nothing works: of several hosts' errors the most
    /// telling is reported.
    pub(crate) fn weight(&self) -> u8 {
        match self {
            DialError::Certificate(_) => 4,
            DialError::Stream(_) => 3,
            DialError::Tls | DialError::WebSocket(_) | DialError::Broken(_) => 2,
            DialError::Proxy(_) | DialError::Connect(_) | DialError::Timeout(_) => 1,
            _ => 0,
        }
    }
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Stage::Connect => "connecting",
            Stage::Proxy => "the proxy's answer",
            Stage::Tls => "the TLS handshake",
            Stage::WebSocket => "opening the WebSocket",
            Stage::Stream => "the log-in",
        }
    }
}

fn status(status: Option<u16>) -> String {
    status.map_or_else(String::new, |status| format!(": HTTP status {status}"))
}

/// In words, without what an [`io::Error`] might add.
pub(crate) fn describe(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::ConnectionRefused => "the server refuses connections",
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            "the other side cut it"
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => "the other side ended it",
        io::ErrorKind::TimedOut => "nobody answers",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "the network does not reach the server"
        }
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => {
            "this machine's address has no port left to connect from"
        }
        io::ErrorKind::PermissionDenied => "this machine does not allow it",
        _ => "the system reports an error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_log_in_is_its_callers_unless_the_server_could_not_tell() {
        let refused = |reason| {
            let text = None;
            DialError::from(NegotiationError::LoginRefused { reason, text })
        };
        assert_eq!(refused(Failure::NotAuthorized).blame(), Blame::Caller);
        assert_eq!(refused(Failure::TemporaryAuthFailure).blame(), Blame::Peer);
        for reason in Failure::ALL {
            assert!(!refused(reason).is_of_the_host(), "{reason}");
        }
    }

    #[test]
    fn another_host_is_tried_for_what_is_of_the_host() {
        let proxy = |error| DialError::Proxy(error);
        for (error, tried) in [
            (DialError::Domain, false),
            (DialError::PlainNotLoopback, false),
            (DialError::NoService, false),
            (DialError::Name(NameError::Absent), true),
            (DialError::Connect(io::ErrorKind::ConnectionRefused), true),
            (DialError::Certificate(CertificateProblem::Expired), true),
            (DialError::Tls, true),
            (DialError::Timeout(Stage::Tls), true),
            (proxy(ProxyError::Unreachable), true),
            (proxy(ProxyError::Forbidden), true),
            (proxy(ProxyError::LoginRefused), false),
            (proxy(ProxyError::Gone), false),
            (proxy(ProxyError::NoProxy), false),
            (NegotiationError::Closed.into(), true),
            (NegotiationError::NoMechanism.into(), false),
        ] {
            assert_eq!(error.is_of_the_host(), tried, "{error:?}");
            assert!(!error.to_string().is_empty());
        }
    }
}
