//! What a private key is, for one that cannot be used.

use std::fmt;

use rustls::pki_types::PrivateKeyDer;
use x509_parser::der_parser::ber::BerObject;
use x509_parser::der_parser::der::parse_der;

/// The shortest and longest RSA keys that TLS is done with here, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;
/// `rsaEncryption` (RFC 8017 §A.1) and `id-ecPublicKey` (RFC 5480 §2.1.1).
const RSA: &str = "1.2.840.113549.1.1.1";
const EC: &str = "1.2.840.10045.2.1";
/// Names of algorithms and curves that keys are made for and TLS is not done with here; and of the curves that it is.
const NAMES: &[(&str, &str)] = &[
    ("1.2.840.10040.4.1", "DSA"),
    ("1.2.840.113549.1.1.10", "RSA-PSS"),
    ("1.3.101.110", "X25519"),
    ("1.3.101.111", "X448"),
    ("1.3.101.113", "Ed448"),
    ("1.3.132.0.10", "secp256k1"),
    ("1.3.132.0.33", "P-224"),
    ("1.2.840.10045.3.1.1", "P-192"),
    ("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1"),
    ("1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1"),
    ("1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1"),
    ("1.2.840.10045.3.1.7", "P-256"),
    ("1.3.132.0.34", "P-384"),
    ("1.3.132.0.35", "P-521"),
];

fn name(oid: &str) -> &str {
    let known = NAMES.iter().find(|(known, _)| *known == oid);
    known.map_or(oid, |(_, name)| name)
}

/// What a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// RSA, with the length of its modulus in bits.
    Rsa(usize),
    /// On a curve, by the curve's number.
    Ec(String),
    /// Of another algorithm, by its number.
    Other(String),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WANTED: &str = "make one on the curve P-256, and get a certificate for it";
        match self {
            Kind::Rsa(bits) if bits < RSA_BITS.start() => write!(
                f,
                "the key is too short: RSA of {bits} bits, where TLS needs {} at least; make a longer one, and get a certificate for it",
                RSA_BITS.start()
            ),
            Kind::Rsa(bits) if bits > RSA_BITS.end() => write!(
                f,
                "the key is too long: RSA of {bits} bits, where {} are the most; make a shorter one, and get a certificate for it",
                RSA_BITS.end()
            ),
            Kind::Rsa(bits) => write!(f, "the RSA key of {bits} bits cannot be read"),
            Kind::Ec(curve) => write!(
                f,
                "the key is on the curve {}, which cannot be used; {WANTED}",
                name(curve)
            ),
            Kind::Other(algorithm) => write!(
                f,
                "the key is one of {}, which cannot be used; {WANTED}",
                name(algorithm)
            ),
        }
    }
}

/// Why a key cannot be used that the library refuses.
pub(super) fn refused(key: &PrivateKeyDer<'_>, library: &rustls::Error) -> String {
    match kind(key) {
        // What it says of these is nothing that could be seen here.
        Some(Kind::Ec(curve)) if ["P-256", "P-384", "P-521"].contains(&name(&curve)) => {
            format!("the key cannot be read: {library}")
        }
        Some(kind) => kind.to_string(),
        None => format!("the key cannot be read: {library}"),
    }
}

fn kind(key: &PrivateKeyDer<'_>) -> Option<Kind> {
    let (_, parsed) = parse_der(key.secret_der()).ok()?;
    let fields = parsed.as_sequence().ok()?;
    match key {
        PrivateKeyDer::Pkcs1(_) => rsa(fields),
        // RFC 5915 §3: version, key, [0] curve.
        PrivateKeyDer::Sec1(_) => {
            let (_, curve) = parse_der(fields.get(2)?.as_slice().ok()?).ok()?;
            Some(Kind::Ec(curve.as_oid().ok()?.to_id_string()))
        }
        // RFC 5958 §2: version, algorithm with its parameters, key.
        PrivateKeyDer::Pkcs8(_) => {
            let algorithm = fields.get(1)?.as_sequence().ok()?;
            let number = algorithm.first()?.as_oid().ok()?.to_id_string();
            match number.as_str() {
                RSA => {
                    let (_, inner) = parse_der(fields.get(2)?.as_slice().ok()?).ok()?;
                    rsa(inner.as_sequence().ok()?)
                }
                EC => Some(Kind::Ec(algorithm.get(1)?.as_oid().ok()?.to_id_string())),
                _ => Some(Kind::Other(number)),
            }
        }
        _ => None,
    }
}

/// RFC 8017 §A.1.2: version, modulus and the rest.
fn rsa(fields: &[BerObject<'_>]) -> Option<Kind> {
    let modulus = fields.get(1)?.as_slice().ok()?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let modulus = modulus.get(zeros..)?;
    let first = modulus.first()?;
    let bits = modulus.len() * 8 - usize::try_from(first.leading_zeros()).ok()?;
    Some(Kind::Rsa(bits))
}
