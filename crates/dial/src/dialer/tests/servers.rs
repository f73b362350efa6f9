//! Servers on loopback that say what a test wants, and certificates.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::connect::{Connect, Tcp};
use crate::tls::Trust;

const HEADER: &str = "<stream:stream from='example.org' id='1' version='1.0' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
const OFFER: &str = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>\
    <required/></starttls></stream:features>";

pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Authority(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(super) fn trust(&self) -> Trust {
        let none = rustls::RootCertStore::empty();
        Trust::with_authorities(none, self.pem().as_bytes()).unwrap()
    }

    /// A server with a certificate for `name`.
    pub(super) fn server(&self, name: &str) -> ServerConfig {
        self.certify(CertificateParams::new(vec![name.to_owned()]).unwrap())
    }

    pub(super) fn expired(&self, name: &str) -> ServerConfig {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        self.certify(params)
    }

    pub(super) fn early(&self, name: &str) -> ServerConfig {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(4001, 1, 1);
        params.not_after = rcgen::date_time_ymd(4002, 1, 1);
        self.certify(params)
    }

    fn certify(&self, params: CertificateParams) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address where nobody listens.
pub(super) async fn closed() -> SocketAddr {
    listener().await.1
}

/// What a server without TLS says.
#[derive(Clone)]
pub(super) enum Served {
    /// Nothing; it keeps the connection.
    Silence,
    /// This, after a header in answer to the client's if it is XML.
    Words(String),
    /// Its header, an offer of STARTTLS, and this when it is taken.
    StartTls(String),
}

pub(super) async fn plain(served: Served) -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            // A client that has heard enough goes.
            let _gone = serve(&mut socket, served.clone()).await;
            kept.push(socket);
        }
    });
    address
}

async fn serve(socket: &mut TcpStream, served: Served) -> io::Result<()> {
    match served {
        Served::Silence => {}
        Served::Words(words) if words.starts_with('<') => {
            hear(socket, "<stream:stream").await?;
            let words = format!("{HEADER}{words}");
            socket.write_all(words.as_bytes()).await?;
        }
        // Something else, which speaks first.
        Served::Words(words) => socket.write_all(words.as_bytes()).await?,
        Served::StartTls(words) => {
            hear(socket, "<stream:stream").await?;
            let offer = format!("{HEADER}{OFFER}");
            socket.write_all(offer.as_bytes()).await?;
            hear(socket, "<starttls").await?;
            socket.write_all(words.as_bytes()).await?;
        }
    }
    Ok(())
}

/// Says nothing, and tells what it has heard when the client is gone.
pub(super) async fn listening() -> (SocketAddr, oneshot::Receiver<String>) {
    let (listener, address) = listener().await;
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut heard = String::new();
        socket.read_to_string(&mut heard).await.unwrap();
        tell.send(heard).unwrap();
    });
    (address, told)
}

/// Reads until this element's start tag has come.
async fn hear(socket: &mut (impl AsyncRead + Unpin), tag: &str) -> io::Result<()> {
    let mut heard = Vec::new();
    loop {
        heard.push(socket.read_u8().await?);
        let text = String::from_utf8_lossy(&heard);
        if text
            .split_once(tag)
            .is_some_and(|(_, rest)| rest.contains('>'))
        {
            return Ok(());
        }
    }
}

/// A server whose TLS begins with the first byte, and which says this.
pub(super) async fn tls(config: ServerConfig, words: &'static str) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            // Handshakes fail here by design.
            if let Ok(mut stream) = acceptor.accept(socket).await {
                let _gone = stream.write_all(words.as_bytes()).await;
            }
        }
    });
    address
}

pub(super) async fn tls_after_starttls(config: ServerConfig) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let proceed = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>".to_owned();
            let _gone = serve(&mut socket, Served::StartTls(proceed)).await;
            let _refused = acceptor.accept(socket).await.map(drop);
        }
    });
    address
}

/// What a client asked for in its handshake.
pub(super) struct Seen {
    pub(super) alpn: Option<Vec<u8>>,
    pub(super) name: Option<String>,
}

pub(super) async fn watched_tls(config: ServerConfig) -> (SocketAddr, oneshot::Receiver<Seen>) {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listener().await;
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(socket).await.unwrap();
        let (_, connection) = stream.get_ref();
        let seen = Seen {
            alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
            name: connection.server_name().map(str::to_owned),
        };
        assert!(tell.send(seen).is_ok());
        hear(&mut stream, "<stream:stream").await.unwrap();
        stream.shutdown().await.unwrap();
    });
    (address, told)
}

/// Keeps where connections go.
#[derive(Default)]
pub(super) struct Watched(pub(super) Mutex<Vec<SocketAddr>>);

impl Connect for Watched {
    fn connect<'a>(
        &'a self,
        address: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + 'a>> {
        self.0.lock().unwrap().push(address);
        Tcp.connect(address)
    }
}
