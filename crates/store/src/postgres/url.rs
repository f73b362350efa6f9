//! The URL of a database: which servers may have it, how to be let in, and how what passes is protected.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::error::OpenError;

/// How long one server of the address may take to answer a connection, where the URL says nothing.
const CONNECT_WAIT: Duration = Duration::from_secs(3);
/// When a connection on which nothing comes is asked whether it is still there, how often, and how many times.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(10), Duration::from_secs(5), 3);

/// How connections are protected, by the names that PostgreSQL's own programs have for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    /// Not at all.
    Disable,
    /// By TLS where the server has it.
    Prefer,
    /// By TLS with whoever answers.
    Require,
    /// By TLS with whom an authority knows.
    VerifyCa,
    /// By TLS with whom an authority knows by the host's name.
    VerifyFull,
}

impl Protection {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "disable" => Self::Disable,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }
}

/// Where a PostgreSQL database is, and how to be let in. Shown, it tells no password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresAddress {
    /// Large, and mostly empty.
    config: Box<Config>,
    protection: Protection,
    /// Those who are trusted, PEM; `None` for those that the machine trusts.
    authorities: Option<PathBuf>,
    name: String,
    notes: Option<PathBuf>,
}

impl PostgresAddress {
    /// Reads `postgresql://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?OPTION=VALUE`, in which user, host and database must be
    /// named. A host that begins with `%2F` is the directory of a socket. Of the options, `sslmode` says how connections
    /// are protected, and `sslrootcert` which authorities are trusted; without the former, servers of this machine are
    /// talked to in the clear, and others by TLS if they have it.
    ///
    /// # Errors
    /// [`OpenError::Url`], which tells no part of the URL.
    pub fn parse(url: &str) -> Result<Self, OpenError> {
        if !(url.starts_with("postgresql://") || url.starts_with("postgres://")) {
            return Err(wrong("it does not begin with postgresql://"));
        }
        let Options {
            rest,
            protection,
            authorities,
        } = Options::taken_out(url)?;
        // The parser's words may repeat a part of the URL, and with it the password.
        let mut config: Config = rest.parse().map_err(|_| {
            wrong(
                "it is not postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or has an unknown option",
            )
        })?;
        check_names(&config)?;
        let is_here = is_here(&config);
        let protection = match protection {
            None if authorities.is_some() => {
                return Err(wrong(
                    "sslrootcert does nothing without sslmode=verify-full",
                ));
            }
            // TLS needs the name of a host.
            None if is_here || config.get_hosts().is_empty() => Protection::Disable,
            None => Protection::Prefer,
            Some(Protection::Disable | Protection::Prefer) if authorities.is_some() => {
                return Err(wrong(
                    "sslrootcert does nothing without sslmode=verify-full",
                ));
            }
            // As PostgreSQL's own programs have it.
            Some(Protection::Require) if authorities.is_some() => Protection::VerifyCa,
            Some(protection) => protection,
        };
        let is_required = !matches!(protection, Protection::Disable | Protection::Prefer);
        let sockets = config.get_hosts().iter().filter(|host| is_socket(host));
        if is_required && sockets.count() > 0 {
            return Err(wrong(
                "there is no TLS on a socket of this machine: leave sslmode out",
            ));
        }
        config.ssl_mode(match protection {
            Protection::Disable => SslMode::Disable,
            Protection::Prefer => SslMode::Prefer,
            _ => SslMode::Require,
        });
        if config.get_application_name().is_none() {
            config.application_name("waxwing");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_WAIT);
        }
        let (idle, interval, retries) = KEEPALIVE;
        config
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .keepalives_idle(idle)
            .keepalives_interval(interval)
            .keepalives_retries(retries);
        let name = name(&config);
        Ok(Self {
            config: Box::new(config),
            protection,
            authorities,
            name,
            notes: None,
        })
    }

    /// With a file on this machine, in which is noted how many commits were acknowledged: a store that opens the database passes
    /// over servers that lack some, and with no other is refused ([`OpenError::Behind`]).
    #[must_use]
    pub fn with_notes(mut self, file: PathBuf) -> Self {
        self.notes = Some(file);
        self
    }

    /// With a password that comes from elsewhere, in place of the URL's.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.config.password(password);
        self
    }

    /// Whether the URL has a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// Whether what passes to another machine can be read or changed on its way: no certificate is asked for, or none is
    /// compared with the host's name.
    #[must_use]
    pub fn is_unprotected(&self) -> bool {
        self.protection != Protection::VerifyFull && !is_here(&self.config)
    }

    pub(super) fn notes(&self) -> Option<&Path> {
        self.notes.as_deref()
    }

    /// What to connect to each server with, in their order.
    pub(super) fn servers(&self) -> Vec<Config> {
        let (hosts, addresses) = (self.config.get_hosts(), self.config.get_hostaddrs());
        let ports = self.config.get_ports();
        let count = hosts.len().max(addresses.len());
        // What cannot be told apart is the library's to refuse.
        if count <= 1
            || (ports.len() > 1 && ports.len() != count)
            || (!hosts.is_empty() && hosts.len() != count)
        {
            return vec![Config::clone(&self.config)];
        }
        (0..count).map(|at| self.server(at)).collect()
    }

    fn server(&self, at: usize) -> Config {
        let all = &self.config;
        let mut one = Config::new();
        match all.get_hosts().get(at) {
            Some(Host::Tcp(host)) => drop(one.host(host)),
            #[cfg(unix)]
            Some(Host::Unix(path)) => drop(one.host_path(path)),
            None => {}
        }
        if let Some(address) = all.get_hostaddrs().get(at) {
            one.hostaddr(*address);
        }
        if let Some(port) = all.get_ports().get(at).or(all.get_ports().first()) {
            one.port(*port);
        }
        all.get_user().map(|text| one.user(text));
        all.get_password().map(|bytes| one.password(bytes));
        all.get_dbname().map(|text| one.dbname(text));
        all.get_options().map(|text| one.options(text));
        all.get_application_name()
            .map(|text| one.application_name(text));
        all.get_connect_timeout()
            .map(|wait| one.connect_timeout(*wait));
        all.get_keepalives_interval()
            .map(|wait| one.keepalives_interval(wait));
        all.get_keepalives_retries()
            .map(|count| one.keepalives_retries(count));
        one.ssl_mode(all.get_ssl_mode())
            .ssl_negotiation(all.get_ssl_negotiation())
            .keepalives(all.get_keepalives())
            .keepalives_idle(all.get_keepalives_idle())
            .target_session_attrs(all.get_target_session_attrs())
            .channel_binding(all.get_channel_binding())
            .load_balance_hosts(all.get_load_balance_hosts());
        one
    }

    pub(super) fn protection(&self) -> Protection {
        self.protection
    }

    pub(super) fn authorities(&self) -> Option<&Path> {
        self.authorities.as_deref()
    }
}

/// What it is called in messages.
impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

pub(super) fn wrong(reason: &str) -> OpenError {
    OpenError::Url(reason.to_owned())
}

/// The options that the parser of URLs does not know, and the URL without them.
struct Options {
    rest: String,
    protection: Option<Protection>,
    authorities: Option<PathBuf>,
}

impl Options {
    fn taken_out(url: &str) -> Result<Self, OpenError> {
        // A question mark before the first @ belongs to the password.
        let host = url.find('@').unwrap_or(0);
        let options = url[host..].find('?').map(|at| host + at);
        let (before, options) = options.map_or((url, ""), |at| (&url[..at], &url[at + 1..]));
        let (mut rest, mut protection, mut authorities) = (Vec::new(), None, None);
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslmode", value)) => {
                    protection = Some(Protection::named(value).ok_or_else(|| {
                        wrong("sslmode is disable, prefer, require, verify-ca or verify-full")
                    })?);
                }
                Some(("sslrootcert", "system")) => authorities = None,
                Some(("sslrootcert", value)) => {
                    let path = decoded(value).map(PathBuf::from);
                    let path = path.filter(|path| path.is_absolute());
                    let path = path.ok_or_else(|| {
                        wrong("sslrootcert is the whole path of a file, or \"system\"")
                    })?;
                    authorities = Some(path);
                }
                _ => rest.push(option),
            }
        }
        let mut url = before.to_owned();
        if !rest.is_empty() {
            url = format!("{url}?{}", rest.join("&"));
        }
        Ok(Self {
            rest: url,
            protection,
            authorities,
        })
    }
}

/// Without percent-encoding; `None` where that is not right.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

/// Refuses what names too little, and what the protocol has no place for.
fn check_names(config: &Config) -> Result<(), OpenError> {
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(wrong("it names no host"));
    }
    let Some(user) = config.get_user() else {
        return Err(wrong("it names no user"));
    };
    let Some(database) = config.get_dbname() else {
        return Err(wrong("it names no database"));
    };
    let password = config.get_password().unwrap_or_default();
    if [user.as_bytes(), database.as_bytes(), password]
        .iter()
        .any(|text| text.contains(&0))
    {
        return Err(wrong("user, password and database cannot have a byte 0"));
    }
    Ok(())
}

fn is_socket(host: &Host) -> bool {
    #[cfg(unix)]
    let is_socket = matches!(host, Host::Unix(_));
    #[cfg(not(unix))]
    let is_socket = false;
    is_socket
}

/// Whether nothing that passes leaves this machine.
fn is_here(config: &Config) -> bool {
    let addresses = config.get_hostaddrs();
    if !addresses.is_empty() {
        return addresses.iter().all(IpAddr::is_loopback);
    }
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(host) => {
            let address = host.parse::<IpAddr>();
            host == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    })
}

fn name(config: &Config) -> String {
    let ports = config.get_ports();
    let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5_432);
    let mut hosts: Vec<_> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(at, host)| match host {
            Host::Tcp(host) => format!("{host}:{}", port(at)),
            #[cfg(unix)]
            Host::Unix(path) => format!("{}:{}", path.display(), port(at)),
        })
        .collect();
    if hosts.is_empty() {
        let addresses = config.get_hostaddrs().iter().enumerate();
        hosts.extend(addresses.map(|(at, address)| format!("{address}:{}", port(at))));
    }
    let database = config.get_dbname().unwrap_or_default();
    format!("postgresql://{}/{database}", hosts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> PostgresAddress {
        PostgresAddress::parse(url).expect("an address")
    }

    #[test]
    fn a_name_tells_no_password() {
        let url = "postgresql://wax:secret@one.example:6000,two.example:6001/xmpp";
        let address = parse(url);
        assert_eq!(
            address.to_string(),
            "postgresql://one.example:6000,two.example:6001/xmpp"
        );
        assert!(address.has_password());
        assert!(!format!("{address:?}").contains("secret"));
        let other = parse("postgresql://wax@one.example/xmpp");
        assert!(!other.has_password());
        let other = other.with_password("secret");
        assert!(other.has_password() && !format!("{other:?} {other}").contains("secret"));
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_password() {
        for url in [
            "sqlite://secret",
            "postgresql://wax:secret@/xmpp",
            "postgresql://wax:secret@host:port/xmpp",
            "postgresql://wax:secret@host/",
            "postgresql://host/xmpp",
            "postgresql://wax:secret%00@host/xmpp",
            "postgresql://wax:secret@host/xm%00pp",
            "postgresql://wax:secret@host/xmpp?sslmode=secret",
            "postgresql://wax:secret@host/xmpp?sslmode=require&sslrootcert=secret.pem",
            "postgresql://wax:secret@host/xmpp?sslmode=require&sslrootcert=%2",
            "postgresql://wax:secret@host/xmpp?sslrootcert=%2Fca.pem",
            "postgresql://wax:secret@host/xmpp?sslmode=prefer&sslrootcert=%2Fca.pem",
            "postgresql://wax:secret@%2Frun%2Fpostgresql/xmpp?sslmode=require",
            "postgresql://wax:secret@host/xmpp?secret=1",
        ] {
            let refused = PostgresAddress::parse(url).map(|address| address.to_string());
            let Err(OpenError::Url(reason)) = refused else {
                assert_eq!(refused, Ok(String::new()), "{url}");
                continue;
            };
            assert!(!reason.contains("secret"), "{reason}");
        }
    }

    #[test]
    fn protection_is_what_the_url_says_or_fits_the_way() {
        for (url, protection, unprotected) in [
            ("u@localhost/d", Protection::Disable, false),
            ("u@127.0.0.1,[::1]/d", Protection::Disable, false),
            ("u@%2Frun%2Fpostgresql/d", Protection::Disable, false),
            ("u@db.example/d", Protection::Prefer, true),
            ("u@localhost,db.example/d", Protection::Prefer, true),
            ("u@db.example/d?sslmode=disable", Protection::Disable, true),
            ("u@db.example/d?sslmode=require", Protection::Require, true),
            (
                "u@db.example/d?sslmode=require&sslrootcert=%2Fca.pem",
                Protection::VerifyCa,
                true,
            ),
            (
                "u:a?b@db.example/d?connect_timeout=9&sslmode=verify-full",
                Protection::VerifyFull,
                false,
            ),
        ] {
            let address = parse(&format!("postgresql://{url}"));
            assert_eq!(address.protection(), protection, "{url}");
            assert_eq!(address.is_unprotected(), unprotected, "{url}");
        }
        let url =
            "postgresql://u@h/d?sslmode=verify-full&sslrootcert=/etc/a%20b.pem&connect_timeout=9";
        let address = parse(url);
        assert_eq!(address.authorities(), Some(Path::new("/etc/a b.pem")));
        let wait = address.config.get_connect_timeout();
        assert_eq!(wait, Some(&Duration::from_secs(9)));
    }
}
