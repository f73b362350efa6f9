//! The server under load, and how it is reached.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::{TcpSocket, TcpStream};
use waxwing_dial::{Connect, Dialer, Place, Security, SystemResolver, Trust, TrustError};

/// How clients connect.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP without TLS; to this machine only.
    Plain,
    /// TLS after `<starttls/>`.
    Starttls,
    /// TLS from the first byte (XEP-0368).
    Tls,
}

/// Whose certificates are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Belief {
    /// Those of the authorities in this PEM file.
    Authorities(PathBuf),
    /// Anybody's: the server under load is known by its address.
    Anybody,
}

/// Where and how.
#[derive(Clone, Debug)]
pub struct Target {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How.
    pub transport: Transport,
    /// Whom to believe.
    pub belief: Belief,
    /// Addresses of this machine to connect from, in turn; none for whatever the system takes.
    pub sources: Vec<IpAddr>,
}

/// Why nothing can be reached.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The file of authorities cannot be read.
    #[error("{path}: {error}")]
    Authorities {
        /// Which.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// It holds no certificates.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The system's resolver cannot be used.
    #[error("names cannot be looked up: {0}")]
    Resolver(String),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Target {
    /// What dials it.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn dialer(&self) -> Result<Dialer, TargetError> {
        let trust = match &self.belief {
            Belief::Authorities(path) => {
                let pem = std::fs::read(path).map_err(|error| TargetError::Authorities {
                    path: path.display().to_string(),
                    error,
                })?;
                Trust::with_authorities(RootCertStore::empty(), &pem)?
            }
            Belief::Anybody => Trust::with_config(believe_anybody()?),
        };
        let resolver =
            SystemResolver::new().map_err(|error| TargetError::Resolver(error.to_string()))?;
        let connect = From {
            sources: self.sources.clone(),
            next: AtomicUsize::new(0),
        };
        Ok(Dialer::new(Arc::new(resolver), trust).with_connect(Arc::new(connect)))
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Place {
        Place::At {
            host: self.host.clone(),
            port: self.port,
            security: match self.transport {
                Transport::Plain => Security::Plain,
                Transport::Starttls => Security::StartTls,
                Transport::Tls => Security::DirectTls,
            },
        }
    }
}

/// Connects from several addresses in turn: one has some 28,000 ports to one other address and port.
struct From {
    sources: Vec<IpAddr>,
    next: AtomicUsize,
}

impl Connect for From {
    fn connect<'a>(
        &'a self,
        address: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + 'a>> {
        Box::pin(async move {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            let same = self
                .sources
                .iter()
                .filter(|source| source.is_ipv4() == address.is_ipv4());
            let sources: Vec<&IpAddr> = same.collect();
            let socket = match address {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            if let Some(source) = turn.checked_rem(sources.len()).map(|at| sources[at]) {
                socket.bind(SocketAddr::new(*source, 0))?;
            }
            let stream = socket.connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        })
    }
}

fn believe_anybody() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    // Each client is somebody else: none goes on with another's TLS session, which would spare the server a signature.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// Asks nobody who the server is; signatures of the handshake are checked, since that is work that clients have.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
