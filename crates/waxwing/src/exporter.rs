//! Channel-binding data of a TLS connection: `tls-exporter` (RFC 9266).
//!
//! rustls's unbuffered interface does not offer exporters, but it hands secrets to a key log. The
//! exporter's secret alone is asked for, caught on the thread that works on the connection, and
//! the value derived as RFC 8446 §7.5 says. For TLS 1.2 there is none.

use std::cell::RefCell;

use hmac::{Hmac, KeyInit, Mac};
use rustls::server::UnbufferedServerConnection;
use rustls::{CipherSuite, KeyLog};
use sha2::{Digest, Sha256, Sha384};
use zeroize::Zeroizing;

const SECRET_LABEL: &str = "EXPORTER_SECRET";
/// Label of `tls-exporter` (RFC 9266 §2).
pub(crate) const BINDING_LABEL: &[u8] = b"EXPORTER-Channel-Binding";
const BINDING_BYTES: u16 = 32;

/// What came up while rustls worked on a connection and what it does not tell otherwise.
#[derive(Default)]
pub(crate) struct Caught {
    /// The exporter's secret, once, when the handshake's keys are made.
    pub secret: Option<Zeroizing<Vec<u8>>>,
    /// The name that a certificate was chosen by, once.
    pub server_name: Option<String>,
}

thread_local! {
    static CAUGHT: RefCell<Caught> = const { RefCell::new(Caught { secret: None, server_name: None }) };
    /// The name that counts for a client that asks for none.
    static MEANT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The name that a certificate is to be chosen by: `asked`, or else what [`capture`] was told. It is kept until
/// [`capture`] returns it.
pub(crate) fn server_name(asked: Option<&str>) -> Option<String> {
    let name = asked.map(str::to_owned).or_else(|| MEANT.take());
    CAUGHT.with_borrow_mut(|caught| caught.server_name.clone_from(&name));
    name
}

/// The key log that catches exporter secrets for [`capture`]; it writes nothing anywhere.
#[derive(Debug)]
pub(crate) struct ExporterSecrets;

impl KeyLog for ExporterSecrets {
    fn log(&self, label: &str, _: &[u8], secret: &[u8]) {
        if label == SECRET_LABEL {
            CAUGHT.with_borrow_mut(|caught| caught.secret = Some(Zeroizing::new(secret.to_vec())));
        }
    }

    fn will_log(&self, label: &str) -> bool {
        label == SECRET_LABEL
    }
}

/// Runs `work` and returns what came up in it. `meant` is the name of the server that a client which asks for none
/// means.
pub(crate) fn capture<T>(meant: Option<&str>, work: impl FnOnce() -> T) -> (T, Caught) {
    // Of handshakes that others do on this thread.
    CAUGHT.take();
    MEANT.set(meant.map(str::to_owned));
    let done = work();
    MEANT.take();
    (done, CAUGHT.take())
}

/// HKDF-Expand-Label (RFC 8446 §7.1) for outputs of at most one block of the hash.
fn expand_label<M: Mac + KeyInit>(
    secret: &[u8],
    label: &[u8],
    context: &[u8],
    length: u16,
) -> Option<Zeroizing<Vec<u8>>> {
    let full = [b"tls13 ", label].concat();
    let mut info = length.to_be_bytes().to_vec();
    info.push(u8::try_from(full.len()).ok()?);
    info.extend_from_slice(&full);
    info.push(u8::try_from(context.len()).ok()?);
    info.extend_from_slice(context);
    info.push(1);
    let mut mac = <M as KeyInit>::new_from_slice(secret).ok()?;
    mac.update(&info);
    let block = mac.finalize().into_bytes();
    Some(Zeroizing::new(block.get(..usize::from(length))?.to_vec()))
}

fn exporter<M: Mac + KeyInit, D: Digest>(secret: &[u8]) -> Option<[u8; 32]> {
    let empty = D::digest([]);
    let length = u16::try_from(empty.len()).ok()?;
    let derived = expand_label::<M>(secret, BINDING_LABEL, &empty, length)?;
    let value = expand_label::<M>(&derived, b"exporter", &empty, BINDING_BYTES)?;
    value.as_slice().try_into().ok()
}

/// The `tls-exporter` value of an established TLS 1.3 connection (RFC 9266 §2).
pub(crate) fn tls_exporter(
    connection: &UnbufferedServerConnection,
    secret: &[u8],
) -> Option<[u8; 32]> {
    match connection.negotiated_cipher_suite()?.suite() {
        CipherSuite::TLS13_AES_256_GCM_SHA384 => exporter::<Hmac<Sha384>, Sha384>(secret),
        CipherSuite::TLS13_AES_128_GCM_SHA256 | CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => {
            exporter::<Hmac<Sha256>, Sha256>(secret)
        }
        _ => None,
    }
}
