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
use waxwing_dial::{
    Connect, Dialer, Family, NameError, Place, Resolve, Security, SrvRecord, SystemResolver, Trust,
    TrustError,
};

/// How clients connect.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// TCP without TLS; to this machine only.
    Plain,
    /// TLS after `<starttls/>`.
    Starttls,
    /// TLS from the first byte (XEP-0368).
    Tls,
    /// WebSocket inside TLS, `wss://` (RFC 7395).
    Websocket,
    /// WebSocket without TLS, `ws://`; to this machine only.
    WebsocketPlain,
}

impl Transport {
    /// Its name on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Transport::Plain => "plain",
            Transport::Starttls => "starttls",
            Transport::Tls => "tls",
            Transport::Websocket => "websocket",
            Transport::WebsocketPlain => "websocket-plain",
        }
    }
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
    /// The domain that accounts are at: whom a WebSocket is asked for where `host` is an address.
    pub domain: String,
    /// Path of WebSockets.
    pub path: String,
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
    #[error("{path} cannot be read: {error}")]
    Authorities {
        /// Which.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// It holds no certificates of authorities.
    #[error("{path}: {error}")]
    Trust {
        /// Which.
        path: String,
        /// Why.
        error: TrustError,
    },
    /// Something to connect from is no address of this machine.
    #[error("{address} is no address of this machine to connect from: {error}")]
    Source {
        /// Which.
        address: IpAddr,
        /// Why.
        error: io::Error,
    },
    /// Something to connect from is of another family than the server.
    #[error("{address} cannot connect to {server}: one is IPv4, and the other is IPv6")]
    Family {
        /// Which.
        address: IpAddr,
        /// The server's address.
        server: IpAddr,
    },
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
                let shown = path.display().to_string();
                let pem = std::fs::read(path).map_err(|error| TargetError::Authorities {
                    path: shown.clone(),
                    error,
                })?;
                let trust = Trust::with_authorities(RootCertStore::empty(), &pem);
                trust.map_err(|error| TargetError::Trust { path: shown, error })?
            }
            Belief::Anybody => Trust::with_config(believe_anybody()?),
        };
        for &address in &self.sources {
            let server = self.address();
            if let Some(server) = server.filter(|server| server.is_ipv4() != address.is_ipv4()) {
                return Err(TargetError::Family { address, server });
            }
            let bound = std::net::TcpListener::bind(SocketAddr::new(address, 0));
            bound.map_err(|error| TargetError::Source { address, error })?;
        }
        let names = Names {
            domain: self.domain.clone(),
            address: self.address(),
            system: SystemResolver::new()
                .map_err(|error| TargetError::Resolver(error.to_string()))?,
        };
        let connect = From {
            sources: self.sources.clone(),
            next: AtomicUsize::new(0),
        };
        Ok(Dialer::new(Arc::new(names), trust).with_connect(Arc::new(connect)))
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Place {
        let at = |security| Place::At {
            host: self.host.clone(),
            port: self.port,
            security,
        };
        match self.transport {
            Transport::Plain => at(Security::Plain),
            Transport::Starttls => at(Security::StartTls),
            Transport::Tls => at(Security::DirectTls),
            Transport::Websocket => self.websocket("wss"),
            Transport::WebsocketPlain => self.websocket("ws"),
        }
    }

    /// Servers of HTTP know by the host that they are asked for whose they are, and verify nothing by its address.
    fn websocket(&self, scheme: &str) -> Place {
        let host = match self.address() {
            Some(_) => &self.domain,
            None => &self.host,
        };
        let (port, path) = (self.port, self.path.trim_start_matches('/'));
        Place::WebSocket {
            url: format!("{scheme}://{host}:{port}/{path}"),
        }
    }

    /// The address, where one was given.
    fn address(&self) -> Option<IpAddr> {
        let host = self.host.strip_prefix('[').unwrap_or(&self.host);
        host.strip_suffix(']').unwrap_or(host).parse().ok()
    }
}

/// Looks names up, but for the domain's, where the server was named by an address.
struct Names {
    domain: String,
    address: Option<IpAddr>,
    system: SystemResolver,
}

impl Resolve for Names {
    fn srv<'a>(&'a self, name: &'a str) -> Answer<'a, SrvRecord> {
        self.system.srv(name)
    }

    fn addresses<'a>(&'a self, host: &'a str, family: Family) -> Answer<'a, IpAddr> {
        match self.address.filter(|_| host == self.domain) {
            None => self.system.addresses(host, family),
            Some(address) => Box::pin(async move {
                let is_of_family = address.is_ipv4() == (family == Family::V4);
                let found = is_of_family.then_some(address);
                found.map(|found| vec![found]).ok_or(NameError::Absent)
            }),
        }
    }
}

/// An answer that is on its way.
type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<Vec<T>, NameError>> + Send + 'a>>;

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
            if sources.is_empty() && !self.sources.is_empty() {
                return Err(io::ErrorKind::AddrNotAvailable.into());
            }
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
