//! A certificate authority of one's own, for a server that only its people's machines must trust.
//!
//! Who trusts it trusts it for the names that it was made for, and for no others (RFC 5280 §4.2.1.10).

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, SanType,
};

use crate::domain::Domain;
use crate::files;

mod existing;

use existing::Existing;

/// How long a certificate of the authority is good: what systems accept at most for one that an
/// authority of the user's own gave.
const LEAF_DAYS: u64 = 820;
/// How long the authority is good.
const AUTHORITY_DAYS: u64 = 3_650;
/// The longest common name (RFC 5280 appendix A, `ub-common-name`).
const COMMON_NAME_CHARS_MAX: usize = 64;
/// A name that never exists (RFC 6761 §6.4): what an authority for addresses alone may sign.
const NO_NAME: &str = "invalid";

/// What is wanted.
pub(crate) struct Order<'a> {
    /// Where the files go.
    pub dir: &'a Path,
    /// For which domains; at least one.
    pub domains: &'a [Domain],
    /// Whether a certificate and key that are there are replaced.
    pub replace: bool,
    /// Whether the authority is replaced too.
    pub replace_authority: bool,
}

/// Files that were made or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Files {
    /// The authority's certificate, to be trusted.
    pub authority: PathBuf,
    /// The server's chain.
    pub certificate: PathBuf,
    /// The server's key.
    pub key: PathBuf,
    /// What the certificate names.
    pub names: Vec<String>,
    /// Where the authority comes from.
    pub origin: Origin,
}

/// Where an authority comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was made.
    New,
    /// It was there.
    Kept,
    /// It was there, and may sign for any name.
    KeptUnbounded,
}

/// Why none was made. Nothing was written then, unless a file itself is the reason.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuthorityError {
    /// A file.
    #[error("{}: {reason}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate or key is there.
    #[error("{} is there already and was left as it is; --replace makes a new certificate and key in their place", .0.display())]
    Present(PathBuf),
    /// Of the authority's certificate and key, one is there.
    #[error("{} is there, but {} is not: put it back, or have a new authority made by --replace-authority, which clients have to be told to trust", .there.display(), .missing.display())]
    Half {
        /// The one.
        there: PathBuf,
        /// The other.
        missing: PathBuf,
    },
    /// The authority was made for other names.
    #[error("the authority {} may not sign for {name}, but only for {allowed}. Give another --dir; or name every domain in one command with --replace-authority, and tell clients to trust the new authority", .path.display())]
    OtherNames {
        /// Its certificate.
        path: PathBuf,
        /// The first name that it may not sign for.
        name: String,
        /// What it may.
        allowed: String,
    },
    /// The authority is of no use any more.
    #[error("the authority {} {reason}; --replace-authority makes another one, which clients have to be told to trust", .path.display())]
    Unfit {
        /// Its certificate.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The library.
    #[error("no certificate can be made: {0}")]
    Certificate(#[from] rcgen::Error),
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> AuthorityError {
    let path = path.to_owned();
    move |error| AuthorityError::File {
        path,
        reason: error.to_string(),
    }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), AuthorityError> {
    files::replace(path, text.as_bytes(), mode).map_err(file_error(path))
}

fn named(name: String, not_after: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    let name = if name.chars().count() > COMMON_NAME_CHARS_MAX {
        "Waxwing".to_owned()
    } else {
        name
    };
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    params.not_before = (SystemTime::now() - Duration::from_secs(3_600)).into();
    params.not_after = not_after.into();
    params
}

fn in_days(days: u64) -> SystemTime {
    SystemTime::now() + Duration::from_secs(days * 86_400)
}

/// What a certificate for the domains names.
fn names(domains: &[Domain]) -> Result<Vec<SanType>, AuthorityError> {
    let mut names = Vec::new();
    for domain in domains {
        for host in domain.names() {
            names.push(match domain.address() {
                Some(address) => SanType::IpAddress(address),
                None => SanType::DnsName(host.try_into()?),
            });
        }
        if domain.name == "localhost" {
            names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
            names.push(SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        }
    }
    Ok(names)
}

fn in_words(name: &SanType) -> String {
    match name {
        SanType::IpAddress(address) => address.to_string(),
        SanType::DnsName(name) => name.as_str().to_owned(),
        other => format!("{other:?}"),
    }
}

/// Lets an authority sign for the domains and what is below them, and for those addresses.
fn constraints(domains: &[Domain], names: &[SanType]) -> NameConstraints {
    let mut permitted = Vec::new();
    for domain in domains.iter().filter(|domain| domain.address().is_none()) {
        permitted.push(GeneralSubtree::DnsName(domain.ascii.clone()));
    }
    if permitted.is_empty() {
        permitted.push(GeneralSubtree::DnsName(NO_NAME.to_owned()));
    }
    let addresses = names.iter().filter_map(|name| match name {
        SanType::IpAddress(address) => Some(*address),
        _ => None,
    });
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = addresses.partition(IpAddr::is_ipv4);
    let mut excluded = Vec::new();
    for (addresses, bits, any) in [
        (v4, 32, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        (v6, 128, IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
    ] {
        if addresses.is_empty() {
            let all = CidrSubnet::from_addr_prefix(any, 0);
            excluded.push(GeneralSubtree::IpAddress(all));
        }
        permitted.extend(
            addresses.into_iter().map(|address| {
                GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, bits))
            }),
        );
    }
    NameConstraints {
        permitted_subtrees: permitted,
        excluded_subtrees: excluded,
    }
}

fn new_authority(
    domains: &[Domain],
    names: &[SanType],
) -> Result<CertifiedIssuer<'static, KeyPair>, AuthorityError> {
    let first = domains.first().map_or("", |domain| &domain.ascii);
    let name = format!("Waxwing local authority for {first}");
    let mut params = named(name, in_days(AUTHORITY_DAYS));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(constraints(domains, names));
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// A certificate for these names, with its key.
fn leaf(
    domains: &[Domain],
    names: &[SanType],
    not_after: SystemTime,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<(String, String), AuthorityError> {
    let first = domains.first().map_or("", |domain| &domain.ascii);
    let mut params = named(first.to_owned(), not_after);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names = names.to_vec();
    let key = KeyPair::generate()?;
    let leaf = params.signed_by(&key, issuer)?;
    Ok((leaf.pem(), key.serialize_pem()))
}

/// Makes a certificate for the domains and their service hosts, by the authority that is there or a
/// new one. Everything is made before the first file is written.
///
/// # Errors
/// [`AuthorityError`].
pub(crate) fn make(order: &Order<'_>) -> Result<Files, AuthorityError> {
    let dir = order.dir;
    let (certificate, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let (authority, authority_key) = (dir.join("ca.pem"), dir.join("ca-key.pem"));
    if !order.replace && !order.replace_authority {
        for path in [&certificate, &key] {
            if fs::symlink_metadata(path).is_ok() {
                return Err(AuthorityError::Present(path.clone()));
            }
        }
    }
    let names = names(order.domains)?;
    let existing = match order.replace_authority {
        true => None,
        false => Existing::read(&authority, &authority_key)?,
    };
    let (pems, made, origin) = match existing {
        Some(existing) => {
            existing.check(&names)?;
            let until = in_days(LEAF_DAYS).min(existing.ends());
            let pems = leaf(order.domains, &names, until, existing.issuer())?;
            let origin = match existing.is_bounded() {
                true => Origin::Kept,
                false => Origin::KeptUnbounded,
            };
            (pems, None, origin)
        }
        None => {
            let new = new_authority(order.domains, &names)?;
            let pems = leaf(order.domains, &names, in_days(LEAF_DAYS), &new)?;
            (pems, Some(new), Origin::New)
        }
    };
    files::make_dir(dir).map_err(|error| AuthorityError::File {
        path: dir.to_owned(),
        reason: error.to_string(),
    })?;
    if let Some(made) = made {
        write(&authority_key, &made.key().serialize_pem(), 0o600)?;
        write(&authority, &made.pem(), 0o644)?;
    }
    write(&key, &pems.1, 0o600)?;
    write(&certificate, &pems.0, 0o644)?;
    Ok(Files {
        authority,
        certificate,
        key,
        names: names.iter().map(in_words).collect(),
        origin,
    })
}

#[cfg(test)]
mod tests;
