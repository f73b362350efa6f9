//! The files of certificates and keys: what is in them, and in plain words what is there instead.

use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::der_parser::der::parse_der;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::CertificateError;
use crate::files;

/// Most bytes of such a file: a long chain has ten thousand.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// How DER begins: a sequence whose length has more than one byte.
const DER_BEGIN: u8 = 0x30;

/// What is said of PEM that the library does not read: its own words are numbers.
const DAMAGED: &str = "its PEM is cut short or damaged";

/// What a file should hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Chain,
    Key,
}

/// Reads a chain of certificates.
pub(crate) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let failed = |reason: String| CertificateError::Chain {
        path: path.to_owned(),
        reason,
    };
    let content = files::read(path, FILE_BYTES_MAX).map_err(|error| failed(error.to_string()))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    let chain = chain.map_err(|_| failed(DAMAGED.to_owned()))?;
    if chain.is_empty() {
        return Err(failed(instead(&content, Wanted::Chain)));
    }
    Ok(chain)
}

/// Reads a private key.
pub(super) fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let failed = |reason: String| CertificateError::Key {
        path: path.to_owned(),
        reason,
    };
    let content = files::read(path, FILE_BYTES_MAX).map_err(|error| failed(error.to_string()))?;
    if is_encrypted(&content) {
        return Err(failed(
            "the key is encrypted, and a server has nobody to ask for the passphrase; `openssl pkey -in FILE -out NEW` writes it without"
                .to_owned(),
        ));
    }
    let mut keys = PrivateKeyDer::pem_slice_iter(&content);
    match keys.next() {
        Some(Ok(key)) => Ok(key),
        Some(Err(_)) => Err(failed(DAMAGED.to_owned())),
        None => Err(failed(instead(&content, Wanted::Key))),
    }
}

fn has(content: &[u8], text: &str) -> bool {
    content
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

fn is_encrypted(content: &[u8]) -> bool {
    // RFC 5958 §3, and what OpenSSL wrote before.
    has(content, "-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(content, "Proc-Type: 4,ENCRYPTED")
}

/// What a file holds that lacks what it should.
fn instead(content: &[u8], wanted: Wanted) -> String {
    let what = match wanted {
        Wanted::Chain => "certificate",
        Wanted::Key => "private key that TLS is done with",
    };
    if content.is_empty() {
        return "it is empty".to_owned();
    }
    if content.first() == Some(&DER_BEGIN) {
        return binary(content, wanted);
    }
    let holds = [
        ("-----BEGIN CERTIFICATE-----", "a certificate"),
        (
            "-----BEGIN CERTIFICATE REQUEST-----",
            "a request for a certificate",
        ),
        ("-----BEGIN PKCS7-----", "certificates as PKCS #7"),
        ("-----BEGIN PUBLIC KEY-----", "a public key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "a key of SSH"),
        ("-----BEGIN DSA PRIVATE KEY-----", "a DSA key"),
        ("-----BEGIN PRIVATE KEY-----", "a private key"),
        ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
        ("-----BEGIN EC PRIVATE KEY-----", "a private key"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "a private key"),
    ];
    let holds = holds.into_iter().find(|(line, _)| has(content, line));
    match holds.map(|(_, holds)| holds) {
        None => format!("there is no {what} in it"),
        Some(holds @ ("a certificate" | "a private key")) => {
            format!("it holds {holds}, and no {what}; are 'certificate' and 'key' exchanged?")
        }
        Some(holds) => format!("it holds {holds}, and no {what}"),
    }
}

/// What DER is said to be.
fn binary(content: &[u8], wanted: Wanted) -> String {
    // RFC 7292 §4: a sequence that begins with the number 3, and no key does.
    let version = parse_der(content).ok().and_then(|(_, parsed)| {
        let fields = parsed.as_sequence().ok()?;
        fields.first()?.as_u32().ok()
    });
    if version == Some(3) {
        return "it is PKCS #12, not PEM; `openssl pkcs12 -in FILE -noenc -out NEW` makes it PEM, certificates and key in one file".to_owned();
    }
    let mend = match (wanted, X509Certificate::from_der(content)) {
        (Wanted::Chain, Ok(_)) => "; `openssl x509 -inform DER -in FILE -out NEW` makes it PEM",
        (Wanted::Key, Err(_)) => "; `openssl pkey -inform DER -in FILE -out NEW` makes it PEM",
        _ => "",
    };
    format!("it is binary (DER), not PEM{mend}")
}
