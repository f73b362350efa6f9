//! The certificate: whether clients will take it.

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use waxwing_server::hosts::Hosts;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::finding::{Finding, Level};
use crate::certificates::{CertificateError, Certificates, provider, read_chain};
use crate::config::Config;
use crate::domain::Domain;
use crate::serve;

/// Days before its end from which a certificate is complained about.
const EXPIRY_WARNING_DAYS: i64 = 14;
const DAY_SECS: i64 = 86_400;
const ABOUT: &str = "certificate";
const WRONG_ORDER: &str =
    "put the server's own certificate first, and behind each one that of its issuer";
/// Where systems keep the authorities that they trust.
const SYSTEM_AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// What is to be said of the configured certificate at a time, in seconds since 1970.
pub(crate) fn findings(config: &Config, now: i64) -> Vec<Finding> {
    if !config.needs_certificate() {
        return vec![Finding::warning(
            ABOUT,
            "nothing listens with TLS; only programs on this machine can connect",
        )];
    }
    let (Some(chain), Some(key)) = (&config.certificate, &config.key) else {
        return vec![
            Finding::fatal(ABOUT, serve::no_certificate(config).to_string()).mend(
                "get one from a public authority, or make one with `waxwing certificate local`",
            ),
        ];
    };
    let own = &config.domain_certificates;
    let domains = |own_too: bool| {
        let all = config.domains.iter();
        let these = all.filter(move |domain| own_too || !own.contains_key(*domain));
        let domains = these.filter_map(|domain| Domain::new(domain).ok());
        domains.collect::<Vec<_>>()
    };
    // What is wrong with them has been said of the configuration.
    let hosts = config.settings().hosts().unwrap_or_default();
    let tls = Place {
        config,
        section: "tls".to_owned(),
        files: (chain, key),
    };
    let mut findings = of_files(&tls, &domains(false), &hosts, now);
    if !own.is_empty() {
        name_file(&mut findings, chain);
    }
    for domain in domains(true) {
        if let Some(files) = own.get(&domain.name) {
            let place = Place {
                config,
                section: format!("domain.{}", domain.name),
                files: (&files.certificate, &files.key),
            };
            let mut of_domain = of_files(&place, &[domain], &hosts, now);
            name_file(&mut of_domain, &files.certificate);
            findings.extend(of_domain);
        }
    }
    findings
}

/// Says which of several certificates is meant.
fn name_file(findings: &mut [Finding], chain: &Path) {
    let file = chain.display().to_string();
    // What cannot be used is named with its line.
    let findings = findings
        .iter_mut()
        .filter(|finding| finding.level < Level::Fatal);
    for finding in findings {
        finding.text = match finding.text.strip_prefix("it ") {
            Some(rest) => format!("{file} {rest}"),
            None if finding.text.contains(&file) => continue,
            None => format!("{file}: {}", finding.text),
        };
    }
}

/// Files of a certificate and its key, and the section of the configuration that names them.
struct Place<'a> {
    config: &'a Config,
    section: String,
    files: (&'a Path, &'a Path),
}

impl Place<'_> {
    fn unusable(&self, error: CertificateError) -> Finding {
        let mend = match error {
            CertificateError::Chain { .. } | CertificateError::Key { .. } => {
                "'certificate' is the file with the chain, 'key' the one with its private key, both PEM, readable for the user that runs the server"
            }
            CertificateError::Mismatch { of: None, .. } => {
                "take key and certificate from the same order"
            }
            CertificateError::Mismatch { of: Some(_), .. } => WRONG_ORDER,
        };
        let error = serve::blame(self.config, &self.section, error);
        Finding::fatal(ABOUT, error.to_string()).mend(mend)
    }
}

/// What is to be said of a certificate that is for these domains.
fn of_files(place: &Place<'_>, domains: &[Domain], hosts: &Hosts, now: i64) -> Vec<Finding> {
    let (chain, key) = place.files;
    if let Err(error) = Certificates::load(chain, key) {
        return vec![place.unusable(error)];
    }
    let certificates = match read_chain(chain) {
        Ok(certificates) => certificates,
        Err(error) => return vec![place.unusable(error)],
    };
    let parsed: Result<Vec<_>, _> = certificates
        .iter()
        .map(|der| X509Certificate::from_der(der).map(|(_, parsed)| parsed))
        .collect();
    let Ok(parsed) = parsed else {
        let text = format!("{}: a certificate in it cannot be read", chain.display());
        return vec![Finding::bad(ABOUT, text).mend("get the file from the authority again")];
    };
    let Some(leaf) = parsed.first() else {
        return Vec::new();
    };
    let mut findings = vec![expiry(leaf, now)];
    for domain in domains {
        findings.push(name(leaf, domain));
        findings.extend(services(leaf, domain, hosts));
    }
    findings.push(
        order(&parsed, chain)
            .unwrap_or_else(|| trust(&certificates, leaf, now, &system_authorities())),
    );
    findings.extend(readable_by_all(key));
    findings
}

fn expiry(certificate: &X509Certificate<'_>, now: i64) -> Finding {
    let from = certificate.validity().not_before.timestamp();
    let until = certificate.validity().not_after.timestamp();
    let days = (until - now) / DAY_SECS;
    let count = |days: i64| match days {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    if now < from {
        Finding::bad(ABOUT, "it is not valid yet: clients refuse to connect")
            .mend("set this machine's clock, or wait")
    } else if now >= until {
        let since = count((now - until) / DAY_SECS);
        Finding::bad(
            ABOUT,
            format!("it ended {since} ago: clients refuse to connect"),
        )
        .mend("renew it; new files are used within a minute")
    } else if days < EXPIRY_WARNING_DAYS {
        Finding::warning(ABOUT, format!("it ends in {}", count(days)))
            .mend("renew it; new files are used within a minute")
    } else {
        Finding::good(ABOUT, format!("it is valid for {} more", count(days)))
    }
}

/// What a certificate names: DNS names, and addresses.
fn names(certificate: &X509Certificate<'_>) -> (Vec<String>, Vec<IpAddr>) {
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    let Ok(Some(all)) = certificate.subject_alternative_name() else {
        return (names, addresses);
    };
    for name in &all.value.general_names {
        match name {
            GeneralName::DNSName(name) => names.push(name.to_ascii_lowercase()),
            GeneralName::IPAddress(bytes) => {
                let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
                let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
                addresses.extend(address.ok());
            }
            _ => {}
        }
    }
    (names, addresses)
}

fn is_named(certificate: &X509Certificate<'_>, host: &str, address: Option<IpAddr>) -> bool {
    let (names, addresses) = names(certificate);
    match address {
        Some(address) => addresses.contains(&address),
        None => names.iter().any(|name| covers(name, host)),
    }
}

fn name(certificate: &X509Certificate<'_>, domain: &Domain) -> Finding {
    if is_named(certificate, &domain.ascii, domain.address()) {
        return Finding::good(ABOUT, format!("it names {}", domain.name));
    }
    let (names, addresses) = names(certificate);
    let addresses = addresses.iter().map(IpAddr::to_string);
    let found: Vec<_> = names.into_iter().chain(addresses).collect();
    let found = match found.len() {
        0 => "nothing".to_owned(),
        _ => found.join(", "),
    };
    let text = format!(
        "it does not name {}, but {found}: clients refuse to connect",
        domain.name
    );
    Finding::bad(ABOUT, text).mend(format!("get a certificate that names {}", domain.ascii))
}

/// RFC 6125 §6.4: equal, or a wildcard for exactly the leftmost label.
fn covers(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(rest) => host
            .split_once('.')
            .is_some_and(|(_, parent)| parent == rest),
        None => name == host,
    }
}

/// The service hosts that are not named, in one line.
fn services(certificate: &X509Certificate<'_>, domain: &Domain, hosts: &Hosts) -> Option<Finding> {
    let missing: Vec<_> = domain
        .hosts(hosts)
        .into_iter()
        .filter(|host| !is_named(certificate, host, None))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let text = format!(
        "it does not name {}, and need not: your people reach these through {}",
        missing.join(", "),
        domain.name
    );
    Some(Finding::note(ABOUT, text))
}

/// What is wrong with the order of the chain: each certificate has to be by the next one's subject (RFC 8446 §4.4.2
/// is laxer, and many clients are not).
fn order(chain: &[X509Certificate<'_>], path: &Path) -> Option<Finding> {
    let pairs = chain.iter().zip(chain.iter().skip(1)).enumerate();
    for (at, (certificate, next)) in pairs {
        if certificate.issuer().as_raw() != next.subject().as_raw() {
            let text = format!(
                "{}: certificate {} is by '{}', and the one behind it is of '{}'",
                path.display(),
                at + 1,
                certificate.issuer(),
                next.subject(),
            );
            return Some(Finding::bad(ABOUT, text).mend(WRONG_ORDER));
        }
    }
    None
}

/// The authorities that this machine trusts: those of `SSL_CERT_FILE`, as other programs have it, or of the first file that there is
/// where systems keep them.
pub(crate) fn system_authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let configured = std::env::var_os("SSL_CERT_FILE");
    let paths = configured
        .iter()
        .map(Path::new)
        .chain(SYSTEM_AUTHORITIES.iter().map(Path::new));
    for path in paths {
        let Ok(certificates) = CertificateDer::pem_file_iter(path) else {
            continue;
        };
        // Some systems keep what the library does not take.
        roots.add_parsable_certificates(certificates.filter_map(Result::ok));
        break;
    }
    roots
}

/// Whether somebody who trusts these authorities trusts the chain.
fn trust(
    chain: &[CertificateDer<'_>],
    leaf: &X509Certificate<'_>,
    now: i64,
    roots: &RootCertStore,
) -> Finding {
    if roots.is_empty() {
        return Finding::note(
            ABOUT,
            "this machine trusts no authorities, so whether clients do cannot be said",
        );
    }
    let (names, addresses) = names(leaf);
    // Which names are there has been said: this asks only who vouches for them.
    let name = names
        .first()
        .map(|name| name.replace('*', "any"))
        .or_else(|| addresses.first().map(IpAddr::to_string))
        .and_then(|name| ServerName::try_from(name).ok());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots.clone()), provider()).build();
    let (Some(name), Ok(verifier), Some((first, rest))) = (name, verifier, chain.split_first())
    else {
        return Finding::bad(ABOUT, "it names no host: clients refuse to connect")
            .mend("get a certificate that names your domains");
    };
    if leaf.is_ca() {
        let text = "it is the certificate of an authority (CA:TRUE), not of a server: clients refuse to connect";
        return Finding::bad(ABOUT, text).mend(
            "put the server's own certificate first, or make one with `waxwing certificate local`",
        );
    }
    let now = u64::try_from(now).unwrap_or(0);
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
    let issuer = leaf.issuer();
    match verifier.verify_server_cert(first, rest, &name, &[], now) {
        Ok(_) => Finding::good(
            ABOUT,
            "its chain leads to an authority that this machine trusts",
        ),
        Err(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)) => {
            let text = format!(
                "its chain ({} in the file) leads to no authority that this machine trusts; it is by '{issuer}'",
                chain.len()
            );
            Finding::warning(ABOUT, text).mend(
                "from a public authority: put its whole chain (fullchain.pem) into 'certificate'\nfrom an authority of your own: have every client trust it",
            )
        }
        // The end has been said.
        Err(rustls::Error::InvalidCertificate(
            rustls::CertificateError::Expired
            | rustls::CertificateError::ExpiredContext { .. }
            | rustls::CertificateError::NotValidYet
            | rustls::CertificateError::NotValidYetContext { .. },
        )) => Finding::note(
            ABOUT,
            "who vouches for it is not looked at while it is not valid",
        ),
        Err(error) => Finding::bad(ABOUT, format!("clients refuse it: {error}"))
            .mend("get a certificate for a TLS server"),
    }
}

fn readable_by_all(key: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(key).ok()?.permissions().mode();
    (mode & 0o004 != 0).then(|| {
        let key = key.display();
        Finding::warning(
            ABOUT,
            format!("every user of this machine can read the key {key}"),
        )
        .mend(format!("chmod o-rwx '{key}'"))
    })
}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;
