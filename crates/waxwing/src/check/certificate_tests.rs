use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::super::finding::Level;
use super::*;
use crate::authority::{self, Order};

/// A server of two domains with a certificate for one of them.
struct Case {
    dir: PathBuf,
    config: Config,
}

impl Case {
    fn new(name: &str) -> Case {
        let dir = std::env::temp_dir().join(format!("waxwing-check-{name}-{}", std::process::id()));
        let text = "domains = [\"a.example\", \"b.example\"]\ndata_dir = \"data\"\n\
             [tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";
        let config = Config::parse(text, &dir).unwrap();
        Case { dir, config }
    }

    fn make(&self, domains: &[&str]) {
        let domains: Vec<_> = domains
            .iter()
            .map(|text| Domain::new(text).unwrap())
            .collect();
        let order = Order {
            dir: &self.dir,
            domains: &domains,
            replace: true,
            replace_authority: true,
        };
        authority::make(&order).unwrap();
    }

    /// What is not good, some days and a half from now.
    fn complaints(&self, days: i64) -> Vec<(Level, String)> {
        let found = findings(
            &self.config,
            super::super::now_secs() + days * DAY_SECS + DAY_SECS / 2,
        );
        let complaints = found
            .into_iter()
            .filter(|finding| finding.level > Level::Note);
        complaints
            .map(|finding| (finding.level, finding.text))
            .collect()
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.dir);
    }
}

fn levels(complaints: &[(Level, String)]) -> Vec<Level> {
    complaints.iter().map(|(level, _)| *level).collect()
}

#[test]
fn names_and_time() {
    let case = Case::new("names");
    case.make(&["a.example", "b.example"]);
    // Only that no machine trusts it by itself.
    assert_eq!(levels(&case.complaints(0)), [Level::Warning]);
    let soon = case.complaints(810);
    assert!(
        soon.contains(&(Level::Warning, "it ends in 9 days".to_owned())),
        "{soon:?}"
    );
    let late = case.complaints(823);
    assert_eq!(
        late,
        [(
            Level::Bad,
            "it ended 3 days ago: clients refuse to connect".to_owned()
        )]
    );
    let early = case.complaints(-2);
    assert_eq!(levels(&early), [Level::Bad]);

    case.make(&["a.example", "rooms.b.example"]);
    let complaints = case.complaints(0);
    let text = "it does not name b.example, but a.example, rooms.a.example, pubsub.a.example, rooms.b.example, rooms.rooms.b.example, pubsub.rooms.b.example: clients refuse to connect";
    assert_eq!(complaints[0], (Level::Bad, text.to_owned()));
    let found = findings(&case.config, super::super::now_secs());
    let service = "it does not name pubsub.b.example, and need not: your people reach these through b.example";
    let service = found.iter().find(|finding| finding.text == service);
    assert_eq!(service.unwrap().level, Level::Note, "{found:?}");
}

#[test]
fn wildcards_cover_one_label() {
    assert!(covers("*.example.org", "rooms.example.org"));
    assert!(!covers("*.example.org", "example.org"));
    assert!(!covers("*.example.org", "a.b.example.org"));
    assert!(covers("example.org", "example.org"));
}

#[test]
fn what_the_server_refuses_is_fatal() {
    let case = Case::new("fatal");
    assert_eq!(levels(&case.complaints(0)), [Level::Fatal]);
    case.make(&["a.example", "b.example"]);
    let key = case.dir.join("key.pem");
    let good = fs::read(&key).unwrap();
    fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let complaints = case.complaints(0);
    assert_eq!(levels(&complaints), [Level::Fatal]);
    assert!(
        complaints[0]
            .1
            .contains("does not belong to the certificate"),
        "{complaints:?}"
    );
    fs::write(&key, &good).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let complaints = case.complaints(0);
    assert!(
        complaints
            .last()
            .unwrap()
            .1
            .starts_with("every user of this machine can read"),
        "{complaints:?}"
    );
    fs::write(case.dir.join("cert.pem"), "none").unwrap();
    assert_eq!(levels(&case.complaints(0)), [Level::Fatal]);
}

#[test]
fn the_chain_is_looked_at() {
    let authority = |name: &str, by: Option<&CertifiedIssuer<'_, KeyPair>>| {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        match by {
            None => CertifiedIssuer::self_signed(params, key).unwrap(),
            Some(by) => CertifiedIssuer::signed_by(params, key, by).unwrap(),
        }
    };
    let root = authority("root", None);
    let middle = authority("middle", Some(&root));
    let params = CertificateParams::new(["a.example".to_owned()]).unwrap();
    let leaf = params
        .signed_by(&KeyPair::generate().unwrap(), &middle)
        .unwrap();
    let (leaf, middle, root) = (leaf.der().clone(), middle.der().clone(), root.der().clone());
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let now = super::super::now_secs();
    let judge = |chain: &[&CertificateDer<'static>]| {
        let chain: Vec<_> = chain.iter().map(|der| (*der).clone()).collect();
        let parsed: Vec<_> = chain
            .iter()
            .map(|der| X509Certificate::from_der(der).unwrap().1)
            .collect();
        order(&parsed, Path::new("chain.pem"))
            .unwrap_or_else(|| trust(&chain, &parsed[0], now, &roots))
    };
    for good in [&[&leaf, &middle][..], &[&leaf, &middle, &root]] {
        assert_eq!(judge(good).level, Level::Good);
    }
    let without = judge(&[&leaf]);
    assert_eq!(without.level, Level::Warning);
    assert!(
        without.text.contains("leads to no authority") && without.text.contains("CN=middle"),
        "{without:?}"
    );
    let shuffled = judge(&[&leaf, &root, &middle]);
    assert_eq!(shuffled.level, Level::Bad);
    assert!(
        shuffled
            .text
            .contains("certificate 1 is by 'CN=middle', and the one behind it is of 'CN=root'"),
        "{shuffled:?}"
    );
    let nobody = RootCertStore::empty();
    let parsed = X509Certificate::from_der(&leaf).unwrap().1;
    assert_eq!(
        trust(std::slice::from_ref(&leaf), &parsed, now, &nobody).level,
        Level::Note
    );
}

#[test]
fn the_certificate_of_an_authority_is_no_servers() {
    let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let chain = [own.der().clone()];
    let parsed = X509Certificate::from_der(&chain[0]).unwrap().1;
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone()).unwrap();
    let found = trust(&chain, &parsed, super::super::now_secs(), &roots);
    assert_eq!(found.level, Level::Bad);
    assert!(found.text.contains("of an authority"), "{found:?}");
}
