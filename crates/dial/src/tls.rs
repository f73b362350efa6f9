//! TLS: what is trusted, and what a handshake tells the log-in.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use waxwing_stream::sasl::{TlsBinding, server_end_point};

use crate::error::{CertificateProblem, DialError};
use crate::place::Host;

/// Registered for direct TLS (XEP-0368).
const ALPN: &[u8] = b"xmpp-client";
/// RFC 9266 §4.2.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// Authorities that vouch for servers. Names in certificates are compared with the XMPP domain, never
/// with the host that an SRV record names (RFC 6125, RFC 6120 §13.7.2).
#[derive(Clone)]
pub struct Trust {
    direct: Arc<ClientConfig>,
    without_alpn: Arc<ClientConfig>,
}

/// Why authorities cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// There is no certificate in the text.
    #[error("there is no certificate in it")]
    Empty,
    /// It is no PEM, or what is in it is no certificate of an authority.
    #[error("it holds something that is no certificate of an authority")]
    Malformed,
    /// The library of cryptography cannot do TLS.
    #[error("TLS cannot be set up")]
    Unsupported,
}

/// What is asked for by ALPN (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alpn {
    /// `xmpp-client` (XEP-0368 §3).
    XmppClient,
    /// Nothing.
    None,
}

impl Trust {
    /// Trusts the authorities of `roots` and nobody else.
    ///
    /// # Errors
    /// [`TrustError::Unsupported`].
    pub fn new(roots: RootCertStore) -> Result<Trust, TrustError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| TrustError::Unsupported)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Trust::with_config(config))
    }

    /// Trusts the authorities of a PEM text beside those of `roots`.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn with_authorities(mut roots: RootCertStore, pem: &[u8]) -> Result<Trust, TrustError> {
        let mut empty = true;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| TrustError::Malformed)?;
            roots.add(certificate).map_err(|_| TrustError::Malformed)?;
            empty = false;
        }
        if empty {
            return Err(TrustError::Empty);
        }
        Trust::new(roots)
    }

    /// Takes a configuration of the caller's, with its verifier; its ALPN is replaced.
    #[must_use]
    pub fn with_config(mut config: ClientConfig) -> Trust {
        config.alpn_protocols = Vec::new();
        let without_alpn = Arc::new(config.clone());
        config.alpn_protocols = vec![ALPN.to_vec()];
        Trust {
            direct: Arc::new(config),
            without_alpn,
        }
    }

    /// Does a handshake with a server that has to be `domain`'s.
    pub(crate) async fn handshake(
        &self,
        domain: &Host,
        alpn: Alpn,
        socket: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, TlsBinding), DialError> {
        let name = match domain {
            Host::Ip(address) => ServerName::from(*address),
            Host::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|_| DialError::Domain)?
            }
        };
        let config = match alpn {
            Alpn::XmppClient => &self.direct,
            Alpn::None => &self.without_alpn,
        };
        let handshake = TlsConnector::from(config.clone()).connect(name, socket);
        let stream = handshake.await.map_err(|error| refused(&error))?;
        let binding = binding(&stream, domain);
        Ok((stream, binding))
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

fn binding(stream: &TlsStream<TcpStream>, domain: &Host) -> TlsBinding {
    let (_, connection) = stream.get_ref();
    let mut binding = TlsBinding::default();
    let version = connection.protocol_version();
    binding.version = version.map(u16::from);
    // TLS 1.2 is safe to bind to only with an extended master secret (RFC 9266 §4.2).
    if version == Some(rustls::ProtocolVersion::TLSv1_3) {
        binding.tls_exporter = connection
            .export_keying_material([0; 32], EXPORTER_LABEL, Some(&[]))
            .ok();
    }
    binding.server_end_point = connection
        .peer_certificates()
        .and_then(|chain| server_end_point(chain.first()?));
    binding.sni = match domain {
        Host::Name(name) => Some(name.clone()),
        Host::Ip(_) => None,
    };
    binding
}

fn refused(error: &io::Error) -> DialError {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(error)) => problem(error).into(),
        Some(_) => DialError::Tls,
        None => DialError::Broken(error.kind()),
    }
}

fn problem(error: &CertificateError) -> CertificateProblem {
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            CertificateProblem::UnknownAuthority
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateProblem::OtherName
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateProblem::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateProblem::NotYetValid
        }
        CertificateError::Revoked => CertificateProblem::Revoked,
        _ => CertificateProblem::Invalid,
    }
}
