//! `waxwing check`: examines what the server needs and says in plain words what to mend.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::{ServerName, UnixTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::certificates::{Certificates, read_chain};
use crate::config::Config;
use crate::{Outcome, say};

/// Days before its end from which a certificate is complained about.
const EXPIRY_WARNING_DAYS: i64 = 14;
const DAY_SECS: i64 = 86_400;

/// What was found about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Finding {
    /// It is well.
    Good(String),
    /// It works, but not for long or not for all.
    Warning(String),
    /// The server would not start or not serve.
    Bad(String),
}

/// Examines everything that the configuration at `path` names.
pub(crate) fn run(path: &Path) -> Outcome {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => return Outcome::Misused(format!("{}: {error}", path.display())),
    };
    let mut findings = vec![Finding::Good(format!("{} can be read", path.display()))];
    findings.extend(options(&config));
    findings.extend(certificate(&config));
    findings.push(data_dir(&config));
    findings.extend(ports(&config));
    let mut bad = 0;
    for finding in &findings {
        match finding {
            Finding::Good(text) => say(&format!("good     {text}")),
            Finding::Warning(text) => say(&format!("warning  {text}")),
            Finding::Bad(text) => {
                bad += 1;
                say(&format!("bad      {text}"));
            }
        }
    }
    match bad {
        0 => Outcome::Done,
        1 => Outcome::Failed("1 thing has to be mended before the server can run".to_owned()),
        bad => Outcome::Failed(format!(
            "{bad} things have to be mended before the server can run"
        )),
    }
}

fn options(config: &Config) -> Vec<Finding> {
    let settings = waxwing_server::Settings {
        domains: config.domains.clone(),
        registration: config.registration,
        options: config.options.clone(),
        domain_options: config.domain_options.clone(),
    };
    match settings.check() {
        Ok(()) => vec![Finding::Good(format!(
            "domains: {}",
            config.domains.join(", ")
        ))],
        Err(error) => vec![Finding::Bad(error.to_string())],
    }
}

fn certificate(config: &Config) -> Vec<Finding> {
    if !config.needs_certificate() {
        return vec![Finding::Warning(
            "nothing listens with TLS; only programs on this machine can connect".to_owned(),
        )];
    }
    let (Some(chain), Some(key)) = (&config.certificate, &config.key) else {
        return vec![Finding::Bad(
            "[tls] names no certificate and key; get some from a public authority, or make some with `waxwing certificate local`".to_owned(),
        )];
    };
    if let Err(error) = Certificates::load(chain, key) {
        return vec![Finding::Bad(format!(
            "{error}; put the chain (PEM) into 'certificate' and its private key (PEM) into 'key'"
        ))];
    }
    let leaf = match read_chain(chain) {
        Ok(certificates) => certificates.into_iter().next(),
        Err(error) => return vec![Finding::Bad(error.to_string())],
    };
    let Some((_, parsed)) = leaf
        .as_deref()
        .and_then(|der| X509Certificate::from_der(der).ok())
    else {
        return vec![Finding::Bad(format!(
            "{}: the first certificate cannot be read",
            chain.display()
        ))];
    };
    let mut findings = vec![expiry(&parsed, now_secs())];
    for domain in &config.domains {
        findings.push(name(&parsed, domain, true));
        findings.push(name(&parsed, &format!("rooms.{domain}"), false));
        findings.push(name(&parsed, &format!("pubsub.{domain}"), false));
    }
    findings
}

fn now_secs() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(UnixTime::since_unix_epoch(since).as_secs()).unwrap_or(i64::MAX)
}

fn expiry(certificate: &X509Certificate<'_>, now: i64) -> Finding {
    let from = certificate.validity().not_before.timestamp();
    let until = certificate.validity().not_after.timestamp();
    let days = (until - now) / DAY_SECS;
    if now < from {
        Finding::Bad("the certificate is not valid yet; is this machine's clock right?".to_owned())
    } else if now >= until {
        Finding::Bad(format!(
            "the certificate ended {} days ago; renew it",
            (now - until) / DAY_SECS
        ))
    } else if days < EXPIRY_WARNING_DAYS {
        Finding::Warning(format!("the certificate ends in {days} days; renew it"))
    } else {
        Finding::Good(format!("the certificate is valid for {days} more days"))
    }
}

fn name(certificate: &X509Certificate<'_>, domain: &str, needed: bool) -> Finding {
    let names: Vec<String> = certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|names| {
            names
                .value
                .general_names
                .iter()
                .filter_map(dns_name)
                .collect()
        })
        .unwrap_or_default();
    if ServerName::try_from(domain.to_owned()).is_err() {
        return Finding::Bad(format!("'{domain}' cannot stand in a certificate"));
    }
    if names.iter().any(|name| covers(name, domain)) {
        return Finding::Good(format!("the certificate names {domain}"));
    }
    let text = format!(
        "the certificate does not name {domain}, but {}",
        names.join(", ")
    );
    if needed {
        Finding::Bad(format!("{text}; clients will refuse to connect"))
    } else {
        Finding::Warning(format!(
            "{text}; other servers need it to reach that service"
        ))
    }
}

fn dns_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_ascii_lowercase()),
        _ => None,
    }
}

/// RFC 6125 §6.4: equal, or a wildcard for exactly the leftmost label.
fn covers(name: &str, domain: &str) -> bool {
    let domain = domain.to_ascii_lowercase();
    match name.strip_prefix("*.") {
        Some(rest) => domain
            .split_once('.')
            .is_some_and(|(_, parent)| parent == rest),
        None => name == domain,
    }
}

fn data_dir(config: &Config) -> Finding {
    let dir = &config.data_dir;
    // Making it is left to the server: it gives it to its own user, and closes it to all others.
    let Some(existing) = dir.ancestors().find(|dir| dir.exists()) else {
        return Finding::Bad(format!("{} cannot be made", dir.display()));
    };
    let probe = existing.join(".waxwing-check");
    let attempt = std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe));
    match attempt {
        Ok(()) if existing == dir => Finding::Good(format!("{} can be written", dir.display())),
        Ok(()) => Finding::Good(format!("{} can be made", dir.display())),
        Err(error) => Finding::Bad(format!(
            "{} cannot be written: {error}; give it to the user that runs the server",
            existing.display()
        )),
    }
}

fn ports(config: &Config) -> Vec<Finding> {
    let running = std::os::unix::net::UnixStream::connect(config.admin_socket()).is_ok();
    let listen = &config.listen;
    let all = [
        &listen.c2s,
        &listen.c2s_tls,
        &listen.c2s_plain_loopback,
        &listen.https,
        &listen.http_loopback,
    ];
    all.into_iter()
        .flatten()
        .map(|&address| port(address, running))
        .collect()
}

fn port(address: SocketAddr, running: bool) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::Good(format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && running => Finding::Good(
            format!("{address} is in use, most likely by this server, which is running"),
        ),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Finding::Bad(format!(
            "{address} is in use by another program; `ss -ltnp` names it"
        )),
        Err(error) => Finding::Bad(format!("{address} cannot listen: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_cover_one_label() {
        assert!(covers("*.example.org", "rooms.example.org"));
        assert!(!covers("*.example.org", "example.org"));
        assert!(!covers("*.example.org", "a.b.example.org"));
        assert!(covers("example.org", "EXAMPLE.org"));
    }

    #[test]
    fn a_local_certificate_is_good_for_its_domain() {
        let dir = std::env::temp_dir().join(format!("waxwing-check-{}", std::process::id()));
        let files = crate::authority::make(&crate::authority::Order {
            dir: &dir,
            domains: &[crate::domain::Domain::new("example.org").unwrap()],
            replace: false,
            replace_authority: false,
        });
        let files = files.unwrap();
        let chain = read_chain(&files.certificate).unwrap();
        let (_, parsed) = X509Certificate::from_der(&chain[0]).unwrap();
        assert_eq!(
            name(&parsed, "example.org", true),
            Finding::Good("the certificate names example.org".to_owned())
        );
        assert!(matches!(
            name(&parsed, "other.example", true),
            Finding::Bad(_)
        ));
        assert!(matches!(expiry(&parsed, now_secs()), Finding::Good(_)));
        assert!(matches!(
            expiry(&parsed, now_secs() + 900 * DAY_SECS),
            Finding::Bad(_)
        ));
        assert!(matches!(
            expiry(&parsed, now_secs() + 815 * DAY_SECS),
            Finding::Warning(_)
        ));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
