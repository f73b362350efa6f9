//! What may stand between a client and the server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use waxwing_tests::Built;

use crate::rig::tls_client;

/// Ends TLS of a version with the server's own certificate and begins it again, of another version or the same, towards the
/// server.
pub(crate) async fn tls(
    built: &Built,
    version: &'static SupportedProtocolVersion,
    beyond: &'static SupportedProtocolVersion,
) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let file = |name: &str| built.directory().join("tls").join(name);
    let chain = vec![CertificateDer::from_pem_file(file("cert.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file("key.pem")).unwrap();
    let server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let client = tls_client(&built.authority, &[beyond]);
    let (acceptor, connector) = (
        TlsAcceptor::from(Arc::new(server)),
        TlsConnector::from(Arc::new(client)),
    );
    let target = built.c2s_tls;
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let mut near = acceptor.accept(socket).await.unwrap();
            let far = TcpStream::connect(target).await.unwrap();
            let name = ServerName::try_from("waxwing.example").unwrap();
            let mut far = connector.connect(name, far).await.unwrap();
            // Either side may end as it likes.
            let _ended = copy_bidirectional(&mut near, &mut far).await;
        }
    });
    address
}

/// Passes bytes on and keeps them.
pub(crate) async fn tap(target: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let (listener, address) = listener().await;
    let keep = kept.clone();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(target).await.unwrap();
            let (from_near, to_near) = near.into_split();
            let (from_far, to_far) = far.into_split();
            tokio::spawn(pass(from_near, to_far, keep.clone()));
            tokio::spawn(pass(from_far, to_near, keep.clone()));
        }
    });
    (address, kept)
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    kept: Arc<Mutex<Vec<u8>>>,
) {
    let mut bytes = vec![0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        kept.lock().unwrap().extend_from_slice(&bytes[..length]);
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
    // The other side may be gone.
    let _ended = to.shutdown().await;
}

/// A SOCKS 5 proxy that takes every name for the server: those that it is asked for, with ports.
/// Port 5223 is closed to it.
pub(crate) async fn socks5(target: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (listener, address) = listener().await;
    let ask = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut bytes = [0; 262];
            near.read_exact(&mut bytes[..3]).await.unwrap();
            assert_eq!(bytes[..3], [5, 1, 0]);
            near.write_all(&[5, 0]).await.unwrap();
            near.read_exact(&mut bytes[..5]).await.unwrap();
            assert_eq!(bytes[..4], [5, 1, 0, 3]);
            let length = usize::from(bytes[4]);
            near.read_exact(&mut bytes[..length + 2]).await.unwrap();
            let name = std::str::from_utf8(&bytes[..length]).unwrap();
            let port = u16::from_be_bytes([bytes[length], bytes[length + 1]]);
            ask.lock().unwrap().push(format!("{name}:{port}"));
            let reply = if port == 5223 { 5 } else { 0 };
            let answer = [5, reply, 0, 1, 0, 0, 0, 0, 0, 0];
            near.write_all(&answer).await.unwrap();
            if reply == 0 {
                let mut far = TcpStream::connect(target).await.unwrap();
                tokio::spawn(async move {
                    let _ended = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        }
    });
    (address, asked)
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}
