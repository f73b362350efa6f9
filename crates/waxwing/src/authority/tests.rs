use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{ServerName, UnixTime};

use super::*;
use crate::certificates::{Certificates, provider, read_chain};

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let name = format!("waxwing-authority-{name}-{}", std::process::id());
        Dir(std::env::temp_dir().join(name))
    }

    fn make(
        &self,
        domains: &[&str],
        replace: bool,
        replace_authority: bool,
    ) -> Result<Files, AuthorityError> {
        let domains: Vec<_> = domains
            .iter()
            .map(|text| Domain::new(text).unwrap())
            .collect();
        make(&Order {
            dir: &self.0,
            domains: &domains,
            replace,
            replace_authority,
        })
    }

    fn read(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|file| file.unwrap().path())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// Whether a client that trusts the authority takes a certificate for the name.
fn is_trusted(authority: &Path, chain: &Path, name: &str) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(read_chain(authority).unwrap().remove(0)).unwrap();
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .unwrap();
    let chain = read_chain(chain).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    verifier
        .verify_server_cert(&chain[0], &chain[1..], &name, &[], UnixTime::now())
        .is_ok()
}

#[test]
fn a_certificate_is_good_for_its_domains_and_their_services() {
    let dir = Dir::new("good");
    let files = dir
        .make(&["Chat.Example.", "b\u{FC}cher.example"], false, false)
        .unwrap();
    assert_eq!(files.origin, Origin::New);
    assert_eq!(
        files.names,
        [
            "chat.example",
            "rooms.chat.example",
            "pubsub.chat.example",
            "xn--bcher-kva.example",
            "rooms.xn--bcher-kva.example",
            "pubsub.xn--bcher-kva.example",
        ]
    );
    for name in &files.names {
        assert!(
            is_trusted(&files.authority, &files.certificate, name),
            "{name}"
        );
    }
    assert!(!is_trusted(
        &files.authority,
        &files.certificate,
        "other.example"
    ));
    Certificates::load(&files.certificate, &files.key).unwrap();
    for (path, mode) in [
        (&files.key, 0o600),
        (&dir.0.join("ca-key.pem"), 0o600),
        (&files.certificate, 0o644),
    ] {
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, mode);
    }
}

#[test]
fn localhost_and_addresses() {
    let dir = Dir::new("addresses");
    let files = dir.make(&["localhost"], false, false).unwrap();
    for name in ["localhost", "rooms.localhost", "127.0.0.1", "::1"] {
        assert!(
            is_trusted(&files.authority, &files.certificate, name),
            "{name}"
        );
    }
    let dir = Dir::new("address");
    let files = dir.make(&["192.0.2.1"], false, false).unwrap();
    assert_eq!(files.names, ["192.0.2.1"]);
    assert!(is_trusted(
        &files.authority,
        &files.certificate,
        "192.0.2.1"
    ));
}

/// Signs for a name as somebody would who has got hold of the authority's key.
fn forged(dir: &Dir, name: &str) -> PathBuf {
    let authority = fs::read_to_string(dir.0.join("ca.pem")).unwrap();
    let key = fs::read_to_string(dir.0.join("ca-key.pem")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&authority, KeyPair::from_pem(&key).unwrap()).unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let leaf = params
        .signed_by(&KeyPair::generate().unwrap(), &issuer)
        .unwrap();
    let path = dir.0.join("forged.pem");
    fs::write(&path, leaf.pem()).unwrap();
    path
}

#[test]
fn who_trusts_the_authority_trusts_it_for_its_names_only() {
    for (domain, theirs, others) in [
        (
            "chat.example",
            vec!["chat.example", "deep.below.chat.example"],
            vec!["bank.example", "192.0.2.1", "2001:db8::1"],
        ),
        (
            "localhost",
            vec!["localhost", "127.0.0.1"],
            vec!["bank.example", "127.0.0.2", "192.0.2.1", "2001:db8::1"],
        ),
        (
            "192.0.2.1",
            vec!["192.0.2.1"],
            vec!["bank.example", "192.0.2.2", "::1"],
        ),
    ] {
        let dir = Dir::new("bounds");
        let files = dir.make(&[domain], false, false).unwrap();
        for name in theirs {
            assert!(
                is_trusted(&files.authority, &forged(&dir, name), name),
                "{domain}: {name}"
            );
        }
        for name in others {
            assert!(
                !is_trusted(&files.authority, &forged(&dir, name), name),
                "{domain}: {name}"
            );
        }
    }
}

#[test]
fn nothing_is_overwritten_unasked() {
    let dir = Dir::new("kept");
    let files = dir.make(&["chat.example"], false, false).unwrap();
    let before = dir.read();
    let present = AuthorityError::Present(files.certificate.clone());
    assert_eq!(dir.make(&["chat.example"], false, false), Err(present));
    fs::remove_file(&files.certificate).unwrap();
    let present = AuthorityError::Present(files.key.clone());
    assert_eq!(dir.make(&["chat.example"], false, false), Err(present));
    fs::write(&files.certificate, "").unwrap();
    // Another certificate, the same authority.
    let again = dir.make(&["chat.example"], true, false).unwrap();
    assert_eq!(again.origin, Origin::Kept);
    let after = dir.read();
    assert_eq!(&before[..2], &after[..2]);
    assert_ne!(&before[2..], &after[2..]);
    assert!(is_trusted(
        &again.authority,
        &again.certificate,
        "chat.example"
    ));
    let new = dir.make(&["chat.example"], true, true).unwrap();
    assert_eq!(new.origin, Origin::New);
    assert_ne!(dir.read()[1], after[1]);
}

#[test]
fn another_domain_is_refused_by_the_authority_of_the_first() {
    let dir = Dir::new("other");
    dir.make(&["chat.example"], false, false).unwrap();
    let before = dir.read();
    let error = dir
        .make(&["chat.example", "other.example"], true, false)
        .unwrap_err();
    assert_eq!(
        error,
        AuthorityError::OtherNames {
            path: dir.0.join("ca.pem"),
            name: "other.example".to_owned(),
            allowed: "chat.example".to_owned(),
        }
    );
    assert_eq!(dir.read(), before);
    // What is below it is covered by it.
    dir.make(&["team.chat.example"], true, false).unwrap();
    let files = dir
        .make(&["chat.example", "other.example"], false, true)
        .unwrap();
    assert!(is_trusted(
        &files.authority,
        &files.certificate,
        "other.example"
    ));
}

#[test]
fn an_authority_that_is_not_whole_is_not_replaced_unasked() {
    let dir = Dir::new("half");
    dir.make(&["chat.example"], false, false).unwrap();
    let (ca, key) = (dir.0.join("ca.pem"), dir.0.join("ca-key.pem"));
    let other = KeyPair::generate().unwrap().serialize_pem();
    fs::write(&key, other).unwrap();
    let before = dir.read();
    assert!(matches!(
        dir.make(&["chat.example"], true, false),
        Err(AuthorityError::Unfit { .. })
    ));
    assert_eq!(dir.read(), before);
    fs::remove_file(&key).unwrap();
    let half = AuthorityError::Half {
        there: ca.clone(),
        missing: key,
    };
    assert_eq!(dir.make(&["chat.example"], true, false), Err(half));
    fs::write(dir.0.join("ca-key.pem"), "no key").unwrap();
    assert!(matches!(
        dir.make(&["chat.example"], true, false),
        Err(AuthorityError::File { .. })
    ));
    fs::write(&ca, "no certificate").unwrap();
    assert!(matches!(
        dir.make(&["chat.example"], true, false),
        Err(AuthorityError::File { .. })
    ));
    dir.make(&["chat.example"], true, true).unwrap();
}

#[test]
fn an_authority_of_an_earlier_version_still_signs() {
    let dir = Dir::new("earlier");
    fs::create_dir_all(&dir.0).unwrap();
    let mut params = named("Waxwing local authority".to_owned(), in_days(100));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let old = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    fs::write(dir.0.join("ca.pem"), old.pem()).unwrap();
    fs::write(dir.0.join("ca-key.pem"), old.key().serialize_pem()).unwrap();
    let files = dir.make(&["chat.example"], false, false).unwrap();
    assert_eq!(files.origin, Origin::KeptUnbounded);
    assert!(is_trusted(
        &files.authority,
        &files.certificate,
        "chat.example"
    ));
    // Not longer than the authority itself.
    let chain = read_chain(&files.certificate).unwrap();
    let (_, leaf) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
    let ends = leaf.validity().not_after.timestamp();
    let at_most = in_days(100)
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert!(u64::try_from(ends).unwrap() <= at_most);
}
