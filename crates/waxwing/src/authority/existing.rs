//! An authority that was made before, and what it may still do.

use std::fs;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{Issuer, KeyPair, SanType};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{AuthorityError, file_error, in_words};

/// What an authority may sign for; a kind without a subtree is free.
#[derive(Debug, Default, PartialEq, Eq)]
struct Bounds {
    names: Option<Vec<String>>,
    addresses: Option<Vec<(IpAddr, IpAddr)>>,
}

/// An authority from its files.
pub(super) struct Existing {
    path: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    bounds: Bounds,
    ends: SystemTime,
}

fn present(path: &Path) -> Result<bool, AuthorityError> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(file_error(path)(error)),
    }
}

impl Existing {
    /// Reads certificate and key; `None` where neither is there.
    pub(super) fn read(path: &Path, key_path: &Path) -> Result<Option<Existing>, AuthorityError> {
        let half = |there: &Path, missing: &Path| AuthorityError::Half {
            there: there.to_owned(),
            missing: missing.to_owned(),
        };
        match (present(path)?, present(key_path)?) {
            (false, false) => return Ok(None),
            (true, false) => return Err(half(path, key_path)),
            (false, true) => return Err(half(key_path, path)),
            (true, true) => {}
        }
        let no_certificate = || AuthorityError::File {
            path: path.to_owned(),
            reason: "there is no certificate in it that can be read".to_owned(),
        };
        let der = CertificateDer::from_pem_file(path).map_err(|_| no_certificate())?;
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| no_certificate())?;
        let key = fs::read_to_string(key_path).map_err(file_error(key_path))?;
        let key = KeyPair::from_pem(&key).map_err(|error| AuthorityError::File {
            path: key_path.to_owned(),
            reason: format!("there is no private key in it that can be read: {error}"),
        })?;
        let unfit = |reason: &str| AuthorityError::Unfit {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        if *parsed.public_key().subject_public_key.data != *key.public_key_raw() {
            return Err(unfit("does not belong to the key beside it"));
        }
        if !parsed.is_ca() {
            return Err(unfit("is a certificate that may sign no others"));
        }
        let ends = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
        let ends = UNIX_EPOCH + Duration::from_secs(ends);
        if ends <= SystemTime::now() {
            return Err(unfit("is not valid any more"));
        }
        let bounds = bounds(&parsed);
        Ok(Some(Existing {
            path: path.to_owned(),
            issuer: Issuer::from_ca_cert_der(&der, key)?,
            bounds,
            ends,
        }))
    }

    /// Whether it may sign for some names only.
    pub(super) fn is_bounded(&self) -> bool {
        self.bounds.names.is_some()
    }

    /// When it stops being valid.
    pub(super) fn ends(&self) -> SystemTime {
        self.ends
    }

    pub(super) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    /// Refuses names that it may not sign for: clients would.
    pub(super) fn check(&self, names: &[SanType]) -> Result<(), AuthorityError> {
        let forbidden = names.iter().find(|name| !self.bounds.allow(name));
        forbidden.map_or(Ok(()), |name| {
            Err(AuthorityError::OtherNames {
                path: self.path.clone(),
                name: in_words(name),
                allowed: self.bounds.in_words(),
            })
        })
    }
}

impl Bounds {
    fn allow(&self, name: &SanType) -> bool {
        match name {
            SanType::DnsName(name) => self.names.as_ref().is_none_or(|allowed| {
                allowed
                    .iter()
                    .any(|allowed| is_below(name.as_str(), allowed))
            }),
            SanType::IpAddress(address) => self.addresses.as_ref().is_none_or(|allowed| {
                allowed
                    .iter()
                    .any(|(network, mask)| is_within(*address, *network, *mask))
            }),
            _ => false,
        }
    }

    fn in_words(&self) -> String {
        let names = self.names.iter().flatten().cloned();
        let addresses = self.addresses.iter().flatten();
        let addresses = addresses.map(|(network, _)| network.to_string());
        names.chain(addresses).collect::<Vec<_>>().join(", ")
    }
}

/// RFC 5280 §4.2.1.10: the name itself, and what has labels more on its left.
fn is_below(name: &str, subtree: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let subtree = subtree.trim_start_matches('.').to_ascii_lowercase();
    name.strip_suffix(&subtree)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn is_within(address: IpAddr, network: IpAddr, mask: IpAddr) -> bool {
    let (address, network, mask) = (octets(address), octets(network), octets(mask));
    address.len() == network.len()
        && (0..address.len()).all(|at| address[at] & mask[at] == network[at] & mask[at])
}

/// A network with its mask, as a certificate has them behind one another.
fn network(bytes: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let (network, mask) = bytes.split_at(bytes.len() / 2);
    let address = |bytes: &[u8]| {
        let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
        v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
            .ok()
    };
    Some((address(network)?, address(mask)?))
}

fn bounds(certificate: &X509Certificate<'_>) -> Bounds {
    let Ok(Some(constraints)) = certificate.name_constraints() else {
        return Bounds::default();
    };
    let mut bounds = Bounds::default();
    for subtree in constraints.value.permitted_subtrees.iter().flatten() {
        match &subtree.base {
            GeneralName::DNSName(name) => {
                bounds
                    .names
                    .get_or_insert_default()
                    .push((*name).to_owned());
            }
            GeneralName::IPAddress(bytes) => {
                let addresses = bounds.addresses.get_or_insert_default();
                addresses.extend(network(bytes));
            }
            _ => {}
        }
    }
    // Ours exclude all addresses or none.
    for subtree in constraints.value.excluded_subtrees.iter().flatten() {
        if matches!(subtree.base, GeneralName::IPAddress(_)) {
            bounds.addresses.get_or_insert_default();
        }
    }
    bounds
}
