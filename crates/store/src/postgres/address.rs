//! Where the database is.

use std::fmt;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::PostgresOptions;
use crate::error::OpenError;

/// How long one server of the address may take to answer a connection, where the URL says nothing.
const CONNECT_WAIT: Duration = Duration::from_secs(3);
/// When a connection on which nothing comes is asked whether it is still there, how often, and how many times.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(10), Duration::from_secs(5), 3);

/// The servers that may have the database, and how to be let in.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    name: String,
}

impl Address {
    /// Reads `postgresql://user:password@host:port,host:port/database?option=value`.
    pub(super) fn parse(url: &str, options: &PostgresOptions) -> Result<Self, OpenError> {
        let wrong = |reason: &str| OpenError::Url(reason.to_owned());
        if !(url.starts_with("postgresql://") || url.starts_with("postgres://")) {
            return Err(wrong("it does not begin with postgresql://"));
        }
        // The parser's words may repeat a part of the URL, and with it the password.
        let mut config: Config = url.parse().map_err(|_| {
            wrong(
                "it is not postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or has an unknown option",
            )
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(wrong("it names no host"));
        }
        if config.get_user().is_none() {
            return Err(wrong("it names no user"));
        }
        if config.get_dbname().is_none() {
            return Err(wrong("it names no database"));
        }
        if config.get_ssl_mode() == SslMode::Require {
            return Err(wrong("TLS to the database is not supported yet"));
        }
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
            .keepalives_retries(retries)
            .tcp_user_timeout(options.answer_wait());
        let name = name(&config);
        Ok(Self { config, name })
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// What it is called in messages: without the password.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
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

    fn parse(url: &str) -> Result<Address, OpenError> {
        Address::parse(url, &PostgresOptions::default())
    }

    #[test]
    fn a_name_tells_no_password() {
        let url = "postgresql://wax:secret@one.example:6000,two.example:6001/xmpp";
        let address = parse(url).expect("an address");
        assert_eq!(
            address.name(),
            "postgresql://one.example:6000,two.example:6001/xmpp"
        );
        assert!(!format!("{address:?}").contains("secret"));
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_password() {
        for url in [
            "sqlite://secret",
            "postgresql://wax:secret@/xmpp",
            "postgresql://wax:secret@host:port/xmpp",
            "postgresql://wax:secret@host/",
            "postgresql://host/xmpp",
            "postgresql://wax:secret@host/xmpp?sslmode=require",
            "postgresql://wax:secret@host/xmpp?secret=1",
        ] {
            let refused = parse(url).map(|address| address.name().to_owned());
            let Err(OpenError::Url(reason)) = refused else {
                assert_eq!(refused, Ok(String::new()), "{url}");
                continue;
            };
            assert!(!reason.contains("secret"), "{reason}");
        }
    }
}
