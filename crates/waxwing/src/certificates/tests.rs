use std::fs;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::*;

// Keys of these tests, and of nothing else.
const RSA_1024: &str = "-----BEGIN RSA PRIVATE KEY-----
MIICXQIBAAKBgQC+Hvt70qxWeXkn0q8E0kR2mY1esHzUqCtvuJ21RigUFsSxHyNH
DbUII2beZ3jihxzQ43cR5QC8sQta0dtI6r++JqL/mLZBKSFCpSpPldnUd6c9jtac
09Ivim5MQgcDZYkd2E0zamwypxCMIHAP0bUynuDTWq6KvoyL1qsb4OKZTwIDAQAB
AoGAB0sE9qEEP2T1gtOQJy0xtyL4y1MV1sqEsApy8ks4qlydOvYo0kbyVNeW0J1D
g90O++xd2u/f8V0RRHCcatWmeUHpm5E++2p8rAK7igMkfvCfNL+xDnzPwpSXTaXr
Rkpj38sTQ1GEvKSaRhTV8/KLV8IHwErd9sqp0Ame8MGHWNECQQDqBaFBPm0gUHun
W1pkAfjM+zv68QaF3jOjGBVf4HkQZuQuFBzSsYu6YfcGOnl9lwdivGJG/u4mS/+e
zFvRe/xzAkEAz/niBb6iZUSb4FLaciXZ7HBl4/Rvn2RDJhNjxIaldBK6fBahNIqS
bBRXsBlnB2kVtfsQ4vw48Px0Pn3FGpd0tQJBALb3Vd8z1pAIPNVZCC/els50sq18
2lO5qXefMb73OtAHEemw0eQs6gj75O2atDfr59tbXB8T29BXZPCb6EG9hV8CQFRO
4OAhSmWw7Vt/WsxhKbleSv+gjEtZ8pqRy6TUTGgEW5KH/et1rSuhB3b8pTZs0/9E
erD5O//85waaJ3fDI+0CQQDS8Q1Evk5n2AM1V746FMCuZtKWLIaOvDKGe7JpHHk0
SeJM7RsJR17xtnWOqC77Tyj+gSWw9YnaHwHmUa2wtDR8
-----END RSA PRIVATE KEY-----
";
const SECP256K1: &str = "-----BEGIN PRIVATE KEY-----
MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgSNoU7WA2kdOHBlkk9l0w
LP8o8v63u4asO2gKk3pozOuhRANCAASEG2+f8j+Sb1g4vFph4NxTHk8lJ8NlQpU4
7vjU+RfIL4XHSUyDXtDQpveIcNLdEwSJIBOv5c6uk8z52UUCGOSY
-----END PRIVATE KEY-----
";
const SECP256K1_SEC1: &str = "-----BEGIN EC PRIVATE KEY-----
MHQCAQEEIEjaFO1gNpHThwZZJPZdMCz/KPL+t7uGrDtoCpN6aMzroAcGBSuBBAAK
oUQDQgAEhBtvn/I/km9YOLxaYeDcUx5PJSfDZUKVOO741PkXyC+Fx0lMg17Q0Kb3
iHDS3RMEiSATr+XOrpPM+dlFAhjkmA==
-----END EC PRIVATE KEY-----
";
const ED448: &str = "-----BEGIN PRIVATE KEY-----
MEcCAQAwBQYDK2VxBDsEOUV4+f2m1vLaRqG03I32iMKfgLjMzkwq/m0i31T7nMT5
QnS3eCAILYCMwe0X02V4XbzrvvTkCjLWwA==
-----END PRIVATE KEY-----
";
const ENCRYPTED: &str =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";

/// A chain with its key, and a folder for them.
struct Files {
    folder: PathBuf,
    leaf: String,
    issuer: String,
    key: KeyPair,
}

impl Files {
    fn new(name: &str) -> Files {
        let folder = std::env::temp_dir().join(format!(
            "waxwing-certificates-{name}-{}",
            std::process::id()
        ));
        fs::create_dir_all(&folder).unwrap();
        let issuer = CertifiedIssuer::self_signed(
            CertificateParams::default(),
            KeyPair::generate().unwrap(),
        );
        let issuer = issuer.unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["a.example".to_owned()]).unwrap();
        Files {
            folder,
            leaf: params.signed_by(&key, &issuer).unwrap().pem(),
            issuer: issuer.pem(),
            key,
        }
    }

    /// What is said of these files.
    fn said(&self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<(), String> {
        let paths = [self.folder.join("chain.pem"), self.folder.join("key.pem")];
        fs::write(&paths[0], chain).unwrap();
        fs::write(&paths[1], key).unwrap();
        let loaded = Certificates::load(&paths[0], &paths[1]).map(drop);
        loaded.map_err(|error| {
            let said = error.to_string();
            let said = said.strip_prefix(&format!("{}/", self.folder.display()));
            said.unwrap().to_owned()
        })
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_key_that_cannot_be_used_is_said_to_be_what_it_is() {
    let files = Files::new("key");
    for (key, said) in [
        (
            RSA_1024,
            "the key is too short: RSA of 1024 bits, where TLS needs 2048 at least",
        ),
        (
            SECP256K1,
            "the key is on the curve secp256k1, which cannot be used",
        ),
        (
            SECP256K1_SEC1,
            "the key is on the curve secp256k1, which cannot be used",
        ),
        (ED448, "the key is one of Ed448, which cannot be used"),
        (
            ENCRYPTED,
            "the key is encrypted, and a server has nobody to ask",
        ),
        ("", "it is empty"),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nMAA=\n-----END OPENSSH PRIVATE KEY-----\n",
            "it holds a key of SSH, and no private key that",
        ),
        (
            "none",
            "there is no private key that TLS is done with in it",
        ),
        (&files.leaf, "it holds a certificate, and no private key"),
    ] {
        let error = files.said(&files.leaf, key).unwrap_err();
        assert!(error.starts_with(&format!("key.pem: {said}")), "{error}");
    }
    let der = files.key.serialize_der();
    let error = files.said(&files.leaf, der).unwrap_err();
    assert!(
        error.starts_with("key.pem: it is binary (DER), not PEM; `openssl pkey"),
        "{error}"
    );
    let own = files.key.serialize_pem();
    assert_eq!(files.said(&files.leaf, &own), Ok(()));
    // All in one file.
    assert_eq!(
        files.said(
            format!("{own}{}", files.leaf),
            format!("{}{own}", files.leaf)
        ),
        Ok(())
    );
}

#[test]
fn a_chain_that_cannot_be_used_is_said_to_be_what_it_is() {
    let files = Files::new("chain");
    let key = files.key.serialize_pem();
    let leaf = &files.leaf;
    let mut cut = leaf.clone();
    cut.truncate(200);
    for (chain, said) in [
        ("", "chain.pem: it is empty"),
        (
            &*key,
            "chain.pem: it holds a private key, and no certificate; are",
        ),
        (&*cut, "chain.pem: its PEM is cut short or damaged"),
        (
            "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
            "chain.pem: its first certificate cannot be used",
        ),
        (
            &*format!("{}{leaf}", files.issuer),
            "key.pem: the key does not belong to the certificate that stands first in the chain, but to number 2",
        ),
        (
            &*files.issuer,
            "key.pem: the key does not belong to the certificate",
        ),
    ] {
        let error = files.said(chain, &key).unwrap_err();
        assert!(error.starts_with(said), "{error}");
    }
    let mut pem = CertificateDer::pem_slice_iter(leaf.as_bytes());
    let der = pem.next().unwrap().unwrap();
    let error = files.said(der, &key).unwrap_err();
    assert!(
        error.starts_with("chain.pem: it is binary (DER), not PEM; `openssl x509"),
        "{error}"
    );
    assert_eq!(files.said(format!("{leaf}{}", files.issuer), &key), Ok(()));
}
