//! A certificate authority of one's own, for a server that only its people's machines must trust.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};

/// How long a certificate of the authority is good: what systems accept at most for one that an
/// authority of the user's own gave.
const LEAF_DAYS: i64 = 820;
/// How long the authority is good.
const AUTHORITY_DAYS: i64 = 3_650;

/// Files that were made or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Files {
    /// The authority's certificate, to be trusted.
    pub authority: PathBuf,
    /// The server's chain.
    pub certificate: PathBuf,
    /// The server's key.
    pub key: PathBuf,
}

/// Why none was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    /// A file.
    #[error("{}: {reason}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// In the system's words.
        reason: String,
    },
    /// The domain cannot stand in a certificate.
    #[error("no certificate can be made: {0}")]
    Certificate(#[from] rcgen::Error),
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), AuthorityError> {
    let attempt = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    attempt().map_err(|error| AuthorityError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn read(path: &Path) -> Result<String, AuthorityError> {
    fs::read_to_string(path).map_err(|error| AuthorityError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn named(name: &str, days: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    let now = std::time::SystemTime::now();
    params.not_before = (now - std::time::Duration::from_secs(3_600)).into();
    params.not_after = (now + std::time::Duration::from_secs(days.unsigned_abs() * 86_400)).into();
    params
}

/// Makes a certificate for `domain` and its service hosts in `dir`, by the authority that is there
/// or a new one.
pub(crate) fn make(dir: &Path, domain: &str) -> Result<Files, AuthorityError> {
    fs::create_dir_all(dir).map_err(|error| AuthorityError::File {
        path: dir.to_owned(),
        reason: error.to_string(),
    })?;
    let files = Files {
        authority: dir.join("ca.pem"),
        certificate: dir.join("cert.pem"),
        key: dir.join("key.pem"),
    };
    let authority_key = dir.join("ca-key.pem");
    if !files.authority.exists() || !authority_key.exists() {
        let mut params = named("Waxwing local authority", AUTHORITY_DAYS);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        write(&authority_key, &authority.key().serialize_pem(), 0o600)?;
        write(&files.authority, &authority.pem(), 0o644)?;
    }
    let issuer = Issuer::from_ca_cert_pem(
        &read(&files.authority)?,
        KeyPair::from_pem(&read(&authority_key)?)?,
    )?;
    let mut params = named(domain, LEAF_DAYS);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    for host in [
        domain.to_owned(),
        format!("rooms.{domain}"),
        format!("pubsub.{domain}"),
    ] {
        params
            .subject_alt_names
            .push(SanType::DnsName(host.try_into()?));
    }
    if domain == "localhost" {
        params
            .subject_alt_names
            .push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        params
            .subject_alt_names
            .push(SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    }
    let key = KeyPair::generate()?;
    let leaf = params.signed_by(&key, &issuer)?;
    write(&files.key, &key.serialize_pem(), 0o600)?;
    write(&files.certificate, &leaf.pem(), 0o644)?;
    Ok(files)
}
