//! What ties a log-in to the TLS connection that it runs in.
//!
//! [RFC 9266](https://www.rfc-editor.org/rfc/rfc9266) (`tls-exporter`) ·
//! [RFC 5929 §4](https://www.rfc-editor.org/rfc/rfc5929#section-4) (`tls-server-end-point`)

use std::fmt;

use zeroize::Zeroize;

/// A kind of channel binding. Their order is by strength, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BindingKind {
    /// Keying material that only the two ends of this very TLS connection know.
    TlsExporter,
    /// Hash of the server's certificate: also where TLS ends at a proxy with that certificate.
    TlsServerEndPoint,
}

impl BindingKind {
    /// Every kind, strongest first.
    pub const ALL: [BindingKind; 2] = [BindingKind::TlsExporter, BindingKind::TlsServerEndPoint];

    /// The registered name ("channel-binding unique prefix").
    pub const fn name(self) -> &'static str {
        match self {
            BindingKind::TlsExporter => "tls-exporter",
            BindingKind::TlsServerEndPoint => "tls-server-end-point",
        }
    }

    /// The kind of that registered name.
    pub fn from_name(name: &str) -> Option<BindingKind> {
        BindingKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// What a finished TLS handshake tells stream negotiation.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TlsBinding {
    /// 32 bytes exported as RFC 9266 says. `None` where TLS cannot give it, and always for TLS 1.2,
    /// where it is safe only together with the extended master secret.
    pub tls_exporter: Option<[u8; 32]>,
    /// Hash of the server's certificate as RFC 5929 §4.1 says.
    pub server_end_point: Option<Vec<u8>>,
    /// Name that the client asked for in the handshake, if any.
    pub sni: Option<String>,
    /// The number of TLS's version, such as 0x0304 for 1.3 (RFC 8446 §4.2.1): both sides of a log-in compare it (XEP-0515).
    pub version: Option<u16>,
}

impl TlsBinding {
    /// The kinds that this connection can be bound by, strongest first.
    pub fn kinds(&self) -> impl Iterator<Item = BindingKind> + '_ {
        BindingKind::ALL
            .into_iter()
            .filter(|kind| self.data(*kind).is_some())
    }

    /// Every kind there is, with its bytes.
    pub(crate) fn all(&self) -> Vec<(BindingKind, Vec<u8>)> {
        let owned = |kind| self.data(kind).map(|data| (kind, data.to_vec()));
        BindingKind::ALL.into_iter().filter_map(owned).collect()
    }

    /// The bytes that both ends must agree on.
    pub(crate) fn data(&self, kind: BindingKind) -> Option<&[u8]> {
        match kind {
            BindingKind::TlsExporter => self.tls_exporter.as_ref().map(<[u8; 32]>::as_slice),
            BindingKind::TlsServerEndPoint => self.server_end_point.as_deref(),
        }
    }
}

impl Drop for TlsBinding {
    fn drop(&mut self) {
        self.tls_exporter.zeroize();
    }
}

impl fmt::Debug for TlsBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsBinding")
            .field("kinds", &self.kinds().collect::<Vec<_>>())
            .field("sni", &self.sni)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_what_it_has_and_hides_it() {
        let none = TlsBinding::default();
        assert_eq!(none.kinds().count(), 0);
        let both = TlsBinding {
            tls_exporter: Some([77; 32]),
            server_end_point: Some(vec![1]),
            sni: None,
            version: None,
        };
        assert_eq!(both.kinds().collect::<Vec<_>>(), BindingKind::ALL);
        assert!(!format!("{both:?}").contains("77"));
        for kind in BindingKind::ALL {
            assert_eq!(BindingKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(BindingKind::from_name("tls-unique"), None);
    }
}
