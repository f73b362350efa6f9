use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, RootCertStore, ServerConfig,
    SupportedProtocolVersion, version,
};

use crate::certificates::{Certificates, provider, read_chain, server_config};
use crate::tls::{Tls, TlsError};

struct Dir(PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

struct Setup {
    server: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
    roots: Arc<RootCertStore>,
    leaf: Vec<u8>,
    _dir: Dir,
}

fn setup(name: &str) -> Setup {
    let dir = std::env::temp_dir().join(format!("waxwing-tls-{name}-{}", std::process::id()));
    let files = crate::authority::make(&crate::authority::Order {
        dir: &dir,
        domains: &[crate::domain::Domain::new("localhost").unwrap()],
        replace: false,
        replace_authority: false,
    });
    let files = files.unwrap();
    let certificates = Arc::new(Certificates::load(&files.certificate, &files.key).unwrap());
    let mut roots = RootCertStore::empty();
    roots
        .add(read_chain(&files.authority).unwrap().remove(0))
        .unwrap();
    Setup {
        server: server_config(&certificates, &[b"xmpp-client"]).unwrap(),
        leaf: read_chain(&files.certificate).unwrap().remove(0).to_vec(),
        certificates,
        roots: Arc::new(roots),
        _dir: Dir(dir),
    }
}

fn client(
    setup: &Setup,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&[u8]],
) -> ClientConnection {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(setup.roots.clone())
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
}

/// Passes bytes both ways until nothing moves, `split` bytes at a time towards the server.
fn exchange(
    client: &mut ClientConnection,
    server: &mut Tls,
    out: &mut Vec<u8>,
    split: usize,
) -> Result<Vec<u8>, TlsError> {
    exchange_both(client, server, out, split).map(|(plain, _)| plain)
}

/// As [`exchange`]; also gives what the client got.
fn exchange_both(
    client: &mut ClientConnection,
    server: &mut Tls,
    out: &mut Vec<u8>,
    split: usize,
) -> Result<(Vec<u8>, Vec<u8>), TlsError> {
    let mut plain = Vec::new();
    let mut got = Vec::new();
    loop {
        let mut to_server = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut to_server).unwrap();
        }
        for chunk in to_server.chunks_mut(split) {
            server.receive(chunk, &mut plain, out)?;
        }
        let to_client = std::mem::take(out);
        if to_client.is_empty() && to_server.is_empty() {
            return Ok((plain, got));
        }
        let mut read = to_client.as_slice();
        while !read.is_empty() {
            client.read_tls(&mut read).unwrap();
            client.process_new_packets().map_err(TlsError::from)?;
            // Nothing to read is no end.
            let _nothing = client.reader().read_to_end(&mut got);
        }
    }
}

#[test]
fn both_sides_derive_the_same_exporter_and_speak() {
    let setup = setup("exporter");
    for split in [1, 7, 1_000, 100_000] {
        let mut client = client(&setup, &[&version::TLS13], &[b"xmpp-client"]);
        let mut server = Tls::new(setup.server.clone()).unwrap();
        let mut out = Vec::new();
        exchange(&mut client, &mut server, &mut out, split).unwrap();
        assert!(server.is_established());
        assert_eq!(server.server_name(), Some("localhost"));
        let end_point = setup.certificates.end_point(server.server_name());
        let binding = server.take_binding(end_point);
        let mine: [u8; 32] = client
            .export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""))
            .unwrap();
        assert_eq!(binding.tls_exporter, Some(mine));
        assert_eq!(binding.server_end_point, Some(sha2_256(&setup.leaf)));
        client.writer().write_all(b"<stream>").unwrap();
        assert_eq!(
            exchange(&mut client, &mut server, &mut out, split).unwrap(),
            b"<stream>"
        );
        let large = vec![b'x'; 100_000];
        server.send(&large, &mut out).unwrap();
        let (_, got) = exchange_both(&mut client, &mut server, &mut out, split).unwrap();
        assert_eq!(got, large);
        client.refresh_traffic_keys().unwrap();
        client.writer().write_all(b"after").unwrap();
        assert_eq!(
            exchange(&mut client, &mut server, &mut out, split).unwrap(),
            b"after"
        );
        server.close(&mut out);
        exchange(&mut client, &mut server, &mut out, split).unwrap();
        assert_eq!(
            client.reader().read(&mut [0; 1]).unwrap(),
            0,
            "close_notify arrived"
        );
        assert!(server.incoming().is_empty() && server.incoming().capacity() < 20_000);
    }
}

fn sha2_256(bytes: &[u8]) -> Vec<u8> {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).to_vec()
}

#[test]
fn tls_1_2_has_the_end_point_only() {
    let setup = setup("old");
    let mut client = client(&setup, &[&version::TLS12], &[]);
    let mut server = Tls::new(setup.server.clone()).unwrap();
    exchange(&mut client, &mut server, &mut Vec::new(), 50).unwrap();
    assert!(server.is_established());
    assert_eq!(server.take_binding(None).tls_exporter, None);
}

#[test]
fn another_protocol_is_refused_by_the_alert_for_it() {
    let setup = setup("alpn");
    for version in [&version::TLS12, &version::TLS13] {
        let mut client = client(&setup, &[version], &[b"h2"]);
        let mut server = Tls::new(setup.server.clone()).unwrap();
        let mut out = Vec::new();
        let error = exchange(&mut client, &mut server, &mut out, 1_000).unwrap_err();
        assert!(matches!(error, TlsError::Protocol(_)), "{error}");
        let mut read = out.as_slice();
        let mut told = Ok(());
        while !read.is_empty() && told.is_ok() {
            client.read_tls(&mut read).unwrap();
            told = client.process_new_packets().map(drop);
        }
        let alert = rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol);
        assert_eq!(told, Err(alert), "{version:?}");
    }
}

#[test]
fn garbage_ends_tls_without_growing() {
    let setup = setup("garbage");
    for seed in 0..200_u8 {
        let mut server = Tls::new(setup.server.clone()).unwrap();
        let mut bytes: Vec<u8> = (0..200_u8)
            .map(|at| at.wrapping_mul(seed | 1).wrapping_add(seed))
            .collect();
        let mut plain = Vec::new();
        // Either an error or a wait for more; never plaintext.
        let _outcome = server.receive(&mut bytes, &mut plain, &mut Vec::new());
        assert!(plain.is_empty() && !server.is_established());
    }
}
