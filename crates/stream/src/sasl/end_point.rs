//! What both ends of a TLS connection know of the server's certificate:
//! [RFC 5929 §4](https://www.rfc-editor.org/rfc/rfc5929#section-4).

use sha2::{Digest, Sha256, Sha384, Sha512};

/// The `tls-server-end-point` value of a certificate in DER: its hash by the hash of its own
/// signature, SHA-256 in place of MD5 and SHA-1 (RFC 5929 §4.1). `None` where the signature's hash
/// is unknown, as for Ed25519, for which none is defined.
pub fn server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    // The OIDs of signature algorithms, as DER writes them inside the certificate.
    type Hash = fn(&[u8]) -> Vec<u8>;
    const HASHES: &[(&[u8], Hash)] = &[
        // sha1WithRSAEncryption, md5WithRSAEncryption, ecdsa-with-SHA1
        (
            &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05],
            sha256,
        ),
        (
            &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04],
            sha256,
        ),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01], sha256),
        // sha256, sha384, sha512WithRSAEncryption
        (
            &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b],
            sha256,
        ),
        (
            &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c],
            sha384,
        ),
        (
            &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d],
            sha512,
        ),
        // ecdsa-with-SHA256, -SHA384, -SHA512
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02], sha256),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03], sha384),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04], sha512),
    ];
    let oid = signature_oid(certificate)?;
    HASHES
        .iter()
        .find(|(known, _)| *known == oid)
        .map(|(_, hash)| hash(certificate))
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

fn sha384(bytes: &[u8]) -> Vec<u8> {
    Sha384::digest(bytes).to_vec()
}

fn sha512(bytes: &[u8]) -> Vec<u8> {
    Sha512::digest(bytes).to_vec()
}

/// `Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OID … } … }`
fn signature_oid(certificate: &[u8]) -> Option<&[u8]> {
    let (body, _) = element(certificate, 0x30)?;
    let (_, rest) = element(body, 0x30)?;
    let (algorithm, _) = element(rest, 0x30)?;
    element(algorithm, 0x06).map(|(oid, _)| oid)
}

/// Contents of the DER element at the start of `der`, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest
            .split_at_checked(usize::from(first & 0x7f))
            .filter(|(bytes, _)| bytes.len() <= 4)?;
        (
            bytes
                .iter()
                .fold(0, |length, &byte| length << 8 | usize::from(byte)),
            rest,
        )
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate of nothing but what is looked at.
    fn certificate(oid: &[u8]) -> Vec<u8> {
        let wrap = |tag: u8, inside: &[u8]| {
            let length = u8::try_from(inside.len()).unwrap();
            [&[tag, 0x81, length], inside].concat()
        };
        let algorithm = wrap(0x30, &wrap(0x06, oid));
        wrap(
            0x30,
            &[wrap(0x30, b"tbs"), algorithm, vec![0x03, 0]].concat(),
        )
    }

    #[test]
    fn the_hash_is_that_of_the_signature_and_never_a_broken_one() {
        let rsa = |last| certificate(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, last]);
        for (last, bytes) in [(0x04, 32), (0x05, 32), (0x0b, 32), (0x0c, 48), (0x0d, 64)] {
            assert_eq!(
                server_end_point(&rsa(last)).map(|hash| hash.len()),
                Some(bytes)
            );
        }
        let der = certificate(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03]);
        assert_eq!(server_end_point(&der), Some(sha384(&der)));
        // Ed25519 has no hash.
        assert_eq!(server_end_point(&certificate(&[0x2b, 0x65, 0x70])), None);
    }

    #[test]
    fn no_certificate_has_none() {
        let whole = certificate(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]);
        for length in 0..whole.len() {
            assert_eq!(server_end_point(&whole[..length]), None, "{length} bytes");
        }
    }
}
