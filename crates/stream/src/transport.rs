//! What a stream runs in.

use crate::sasl::TlsBinding;

/// How a stream begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Without TLS, and nothing but STARTTLS will do.
    Required,
    /// In TLS already (direct TLS).
    Started(TlsBinding),
    /// Without TLS for good: over loopback, where both sides were configured so.
    PlainAllowed,
}

/// What a stream runs in at the moment.
#[derive(Debug)]
pub(crate) enum Transport {
    /// In the clear, until STARTTLS.
    Open,
    Tls(TlsBinding),
    Loopback,
}

impl From<Tls> for Transport {
    fn from(tls: Tls) -> Transport {
        match tls {
            Tls::Required => Transport::Open,
            Tls::Started(binding) => Transport::Tls(binding),
            Tls::PlainAllowed => Transport::Loopback,
        }
    }
}

impl Transport {
    pub(crate) fn binding(&self) -> Option<&TlsBinding> {
        match self {
            Transport::Tls(binding) => Some(binding),
            Transport::Open | Transport::Loopback => None,
        }
    }
}
