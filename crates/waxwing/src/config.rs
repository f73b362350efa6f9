//! The configuration file: TOML, every key known, every mistake named with its line.

mod blobs;
mod components;
mod error;
mod external;
mod nearest;
mod places;
mod reached;
mod reader;
mod secret_file;
mod sections;
mod store;
#[cfg(test)]
mod tests;
mod unique;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use toml::de::DeTable;
use waxwing_server::{OptionValue, Registration, Settings};

use crate::files::{self, FileError};
use crate::proxy::Proxies;
use reader::{KEYS, Reader, TLS_KEYS};

pub(crate) use blobs::Blobs;
pub(crate) use components::ComponentConfig;
pub(crate) use error::ConfigError;
pub(crate) use external::ExternalConfig;
pub(crate) use nearest::nearest;
pub(crate) use places::{At, Places};
pub(crate) use store::Database;

/// Most bytes of a configuration file.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The socket for admin commands, in the data directory.
const ADMIN_SOCKET: &str = "admin.sock";
/// How often the files of certificate and key are looked at by default, in seconds.
const TLS_WATCH_SECS: u64 = 60;
/// The least and greatest that can be set.
const TLS_WATCH_SECS_RANGE: RangeInclusive<u64> = 1..=86_400;

/// Addresses that listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    /// Clients, STARTTLS.
    pub c2s: Vec<SocketAddr>,
    /// Clients, TLS from the first byte.
    pub c2s_tls: Vec<SocketAddr>,
    /// Clients without TLS, on this machine only.
    pub c2s_plain_loopback: Vec<SocketAddr>,
    /// External components, on this machine only.
    pub components_loopback: Vec<SocketAddr>,
    /// External components, TLS from the first byte.
    pub components_tls: Vec<SocketAddr>,
    /// Byte streams between clients, relayed.
    pub bytestreams: Vec<SocketAddr>,
    /// HTTP over TLS.
    pub https: Vec<SocketAddr>,
    /// Clients and HTTP over TLS, on one port.
    pub tls: Vec<SocketAddr>,
    /// HTTP for this machine only: metrics too.
    pub http_loopback: Vec<SocketAddr>,
    /// HTTP without TLS, for trusted proxies alone.
    pub http_proxied: Vec<SocketAddr>,
    /// Reverse proxies.
    pub proxies: Proxies,
}

/// What pages in browsers are told and allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Web {
    /// Where clients reach the HTTP listener, without a slash at its end.
    pub public_url: Option<String>,
    /// Origins whose pages may connect, besides those of the same host.
    pub allowed_origins: Vec<String>,
}

/// Files of one domain's certificate, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateFiles {
    /// The chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// Served domains.
    pub domains: Vec<String>,
    /// Where everything is stored, and the socket for admin commands is.
    pub data_dir: PathBuf,
    /// Where everything is stored instead, but for that socket.
    pub store: Option<Database>,
    /// Where files are instead of beside the rest.
    pub blobs: Option<Blobs>,
    /// Addresses that listen.
    pub listen: Listen,
    /// HTTP for browsers.
    pub web: Web,
    /// Certificate chain, PEM.
    pub certificate: Option<PathBuf>,
    /// Private key, PEM.
    pub key: Option<PathBuf>,
    /// Certificates of single domains.
    pub domain_certificates: BTreeMap<String, CertificateFiles>,
    /// How often the files of certificate and key are looked at, in seconds.
    pub tls_watch_secs: u64,
    /// Who may make an account.
    pub registration: Registration,
    /// Who may at domains that differ.
    pub domain_registration: BTreeMap<String, Registration>,
    /// Settings of features.
    pub options: BTreeMap<String, OptionValue>,
    /// What domains set for themselves, by domain and name.
    pub domain_options: BTreeMap<String, BTreeMap<String, OptionValue>>,
    /// External components by host.
    pub components: BTreeMap<String, ComponentConfig>,
    /// Services beside the server, by name.
    pub external: BTreeMap<String, ExternalConfig>,
    /// Where all of this stands.
    pub places: Places,
}

/// The commented example; the features' options follow it.
pub(crate) const EXAMPLE: &str = r#"# Waxwing's configuration. Keys that are commented out show their defaults.

# Domains that this server serves; accounts are user@domain.
domains = ["example.org"]

# Where everything is stored. A relative path starts at this file's folder.
data_dir = "/var/lib/waxwing"

[store]
# A PostgreSQL database in place of data_dir, where only the socket for commands remains then:
# "postgresql://waxwing@db.example.org/waxwing?sslmode=verify-full". `waxwing store copy` moves what is stored.
# url = ""
# The file that holds the database's password, for the server's user alone to read; the URL may hold it instead.
# password_file = "/etc/waxwing/database.password"

[blobs]
# A bucket of an object store (S3) for files, or a part of one, which nobody else uses: "s3://chat-files" or
# "s3://bucket/prefix". Without it they are in data_dir, or in the database. `waxwing store copy` moves them.
# url = ""
# The server that has it, such as "https://minio.example.org:9000"; without one it is Amazon's for the region.
# endpoint = ""
# region = "us-east-1"
# The key, and the file with its secret, for the server's user alone to read.
# access_key_id = ""
# secret_file = "/etc/waxwing/s3.secret"
# Whether the bucket stands in the path of requests, or before the host's name: true with an endpoint, false at Amazon's.
# path_style = true
# Whether files may go in the clear (http) to another machine than this, on a network where nobody listens.
# plain_http = false
# The file of those who are trusted to say who the server is, PEM, in place of those that this machine trusts.
# authorities_file = "/etc/waxwing/s3-authority.pem"

[listen]
# Clients: STARTTLS, and TLS from the first byte (XEP-0368).
# c2s = ["[::]:5222"]
# c2s_tls = ["[::]:5223"]
# Clients without TLS. Only addresses of this machine are accepted, for tests and proxies beside the server.
# c2s_plain_loopback = []
# External components (XEP-0114), which the sections [component."..."] name: without TLS, only on addresses of this
# machine; and with TLS from the first byte. Port 5347 is usual.
# components_loopback = []
# components_tls = []
# Relays files between clients that cannot, or would not, reach each other (XEP-0065); port 7777 is usual. The option
# bytestreams_host makes it known.
# bytestreams = []
# HTTP over TLS: /xmpp-websocket, /http-bind, /.well-known/host-meta, /upload, /invite, /healthz.
# https = []
# Both on one port, such as 443: ALPN tells clients from HTTP, without it the first bytes.
# tls = []
# HTTP without TLS, only on addresses of this machine, for a proxy there: the same, and /metrics.
# http_loopback = ["127.0.0.1:5280"]
# HTTP without TLS, for reverse proxies on other machines, on a network where nobody listens: the same without /metrics.
# Whoever is not in trusted_proxies is turned away.
# http_proxied = []
# Reverse proxies, by address or network ("127.0.0.1", "10.0.0.0/8"): what they say in X-Forwarded-For and
# X-Forwarded-Proto about the client counts.
# trusted_proxies = []
# Where connections of trusted proxies begin with a PROXY header (version 1 or 2): "c2s", "c2s_tls", "https", "tls".
# proxy_protocol = []

[web]
# Where clients reach the HTTP listener, if that is not its own address: "https://chat.example.org".
# public_url = ""
# Pages of other hosts that may connect: "https://app.example.org", or "*" for all.
# allowed_origins = []

[tls]
# Certificate chain and private key, PEM. The certificate must name every domain that has none of its own below.
certificate = "/etc/waxwing/fullchain.pem"
key = "/etc/waxwing/privkey.pem"
# How often these files are looked at, in seconds: new ones are used without a restart.
# watch_secs = 60

[registration]
# "closed": accounts come from the command line only.
# "open": anybody may make an account in band (XEP-0077).
# mode = "closed"

# Certificate, registration and options of one domain, where they differ from those of all.
# [domain."example.org"]
# certificate = "/etc/waxwing/example.org/fullchain.pem"
# key = "/etc/waxwing/example.org/privkey.pem"
# registration = "open"
# abuse_addresses = ["mailto:abuse@example.org"]

# An external component (XEP-0114), by its host, which is below a domain: who knows the secret serves it. The file holds
# nothing but the secret, and nobody may read it but its owner and group.
# [component."irc.example.org"]
# secret_file = "/etc/waxwing/irc.secret"
# What it may do with the domain's accounts (XEP-0356): their rosters ("none", "get", "set", "both"), with or without being
# told of changes; messages in their names ("none", "outgoing"); whose presence it is shown ("none", "managed_entity",
# "roster"); requests in their names, each a namespace with "get", "set" or "both".
# roster = "none"
# roster_push = true
# message = "none"
# presence = "none"
# iq = []
# The namespaces whose requests it answers for the domain and its accounts (XEP-0355), each with the attributes that the
# request must have: "urn:xmpp:mam:2 node".
# delegate = []

# A STUN or TURN server that clients are told of (XEP-0215), by a name of your own: "stun", "stuns", "turn", "turns".
# [external.relay]
# type = "turn"
# host = "turn.example.org"
# By default 3478 by "udp", and for "stuns" and "turns" 5349 by "tcp".
# port = 3478
# transport = "udp"
# The file with the secret that the TURN server has too (coturn: static-auth-secret), for the server's user alone to read;
# and for how long the credentials are good that are made of it, in seconds.
# secret_file = "/etc/waxwing/turn.secret"
# lifetime_secs = 86400
# Whether it takes nobody without credentials; true if there is a secret.
# restricted = true

"#;

impl Default for Listen {
    fn default() -> Self {
        let any = |port| vec![SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port))];
        Listen {
            c2s: any(5222),
            c2s_tls: any(5223),
            c2s_plain_loopback: Vec::new(),
            components_loopback: Vec::new(),
            components_tls: Vec::new(),
            bytestreams: Vec::new(),
            https: Vec::new(),
            tls: Vec::new(),
            http_loopback: vec![SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 5280))],
            http_proxied: Vec::new(),
            proxies: Proxies::default(),
        }
    }
}

impl Listen {
    /// Every address, with the key that it stands under.
    pub(crate) fn all(&self) -> Vec<(&'static str, SocketAddr)> {
        let lists = [
            ("listen.c2s", &self.c2s),
            ("listen.c2s_tls", &self.c2s_tls),
            ("listen.c2s_plain_loopback", &self.c2s_plain_loopback),
            ("listen.components_loopback", &self.components_loopback),
            ("listen.components_tls", &self.components_tls),
            ("listen.bytestreams", &self.bytestreams),
            ("listen.https", &self.https),
            ("listen.tls", &self.tls),
            ("listen.http_loopback", &self.http_loopback),
            ("listen.http_proxied", &self.http_proxied),
        ];
        let all = lists.into_iter();
        all.flat_map(|(key, list)| list.iter().map(move |&address| (key, address)))
            .collect()
    }

    /// The key that an address stands under.
    pub(crate) fn key_of(&self, address: SocketAddr) -> Option<&'static str> {
        let all = self.all().into_iter();
        let mut found = all.filter(|(_, listening)| *listening == address);
        found.next().map(|(key, _)| key)
    }
}

/// The text of a file, and the folder that relative paths in it start at.
fn read(path: &Path) -> Result<(String, PathBuf), ConfigError> {
    let unreadable = |error: FileError| ConfigError::Unreadable(error.to_string());
    let bytes = files::read(path, FILE_BYTES_MAX).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error
            .as_bytes()
            .iter()
            .take(error.utf8_error().valid_up_to());
        ConfigError::Syntax {
            line: good.filter(|byte| **byte == b'\n').count() + 1,
            text: "this is no UTF-8 text".to_owned(),
        }
    })?;
    let path = std::path::absolute(path).map_err(|error| unreadable(error.into()))?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    Ok((text, folder.to_owned()))
}

impl Config {
    /// Reads a file; relative paths in it start at its folder.
    pub(crate) fn load(path: &Path) -> Result<Config, ConfigError> {
        let (text, folder) = read(path)?;
        let mut config = Config::parse(&text, &folder)?;
        // What is said of it later may be read in another folder.
        let file = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        config.places = config.places.in_file(&file);
        config.read_secrets()?;
        Ok(config)
    }

    /// The socket for admin commands of a server that was started with a file which cannot be used any more.
    pub(crate) fn admin_socket_of_bad(path: &Path) -> Option<PathBuf> {
        let bytes = files::read(path, FILE_BYTES_MAX).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        // Line by line: a bracket that is missing may have swallowed the rest.
        let dir = text.lines().find_map(|line| {
            let table = DeTable::parse(line).ok()?;
            let dir = table.get_ref().get("data_dir")?.get_ref().as_str()?;
            Some(dir.to_owned())
        })?;
        let folder = std::path::absolute(path).ok()?;
        Some(folder.parent()?.join(dir).join(ADMIN_SOCKET))
    }

    /// Reads a configuration whose relative paths start at `folder`.
    pub(crate) fn parse(text: &str, folder: &Path) -> Result<Config, ConfigError> {
        let reader = Reader { text };
        let table = DeTable::parse(text).map_err(|error| ConfigError::syntax(&reader, &error))?;
        reader.check_lengths(table.get_ref())?;
        let (mut domains, mut data_dir, mut of_domains) = (None, None, None);
        let mut config = Config {
            domains: Vec::new(),
            data_dir: PathBuf::new(),
            store: None,
            blobs: None,
            listen: Listen::default(),
            web: Web::default(),
            certificate: None,
            key: None,
            domain_certificates: BTreeMap::new(),
            tls_watch_secs: TLS_WATCH_SECS,
            registration: Registration::default(),
            domain_registration: BTreeMap::new(),
            options: BTreeMap::new(),
            domain_options: BTreeMap::new(),
            components: BTreeMap::new(),
            external: BTreeMap::new(),
            places: Places::default(),
        };
        for entry in table.get_ref().iter() {
            reader.known("", entry, KEYS)?;
            let value = entry.1;
            match entry.0.get_ref().as_ref() {
                "domains" => domains = Some(reader.domains(value)?),
                "data_dir" => data_dir = Some(folder.join(reader.text("data_dir", value)?)),
                "store" => config.store = reader.store(reader.section("store", value)?, folder)?,
                "blobs" => config.blobs = reader.blobs(reader.section("blobs", value)?, folder)?,
                "listen" => config.listen = reader.listen(reader.section("listen", value)?)?,
                "web" => config.web = reader.web(reader.section("web", value)?)?,
                "registration" => {
                    config.registration =
                        reader.registration(reader.section("registration", value)?)?;
                }
                // What it looks like where the list is meant.
                "domain" if value.get_ref().as_table().is_none() => {
                    return Err(ConfigError::UnknownKey {
                        line: reader.line(entry.0.span().start),
                        key: "domain".to_owned(),
                        nearest: Some("domains".to_owned()),
                    });
                }
                "domain" => of_domains = Some(reader.section("domain", value)?),
                "component" => {
                    let sections = reader.section("component", value)?;
                    config.components = reader.components(sections, folder)?;
                }
                "external" => {
                    let sections = reader.section("external", value)?;
                    config.external = reader.external(sections, folder)?;
                }
                "options" => config.options = reader.options(reader.section("options", value)?)?,
                _ => config.tls(&reader, reader.section("tls", value)?, folder)?,
            }
        }
        config.domains = domains.ok_or(ConfigError::Missing("domains"))?;
        if let Some(sections) = of_domains {
            let of = reader.sections(sections, &config.domains, folder)?;
            config.domain_options = of.options;
            config.domain_certificates = of.certificates;
            config.domain_registration = of.registration;
        }
        config.data_dir = data_dir.ok_or(ConfigError::Missing("data_dir"))?;
        config.places = Places::of(text, table.get_ref());
        Ok(config)
    }

    fn tls(
        &mut self,
        reader: &Reader<'_>,
        table: &DeTable<'_>,
        folder: &Path,
    ) -> Result<(), ConfigError> {
        for entry in table.iter() {
            reader.known("tls", entry, TLS_KEYS)?;
            let key = entry.0.get_ref().as_ref();
            if key == "watch_secs" {
                self.tls_watch_secs =
                    reader.number("tls.watch_secs", entry.1, TLS_WATCH_SECS_RANGE)?;
                continue;
            }
            let other = if key == "key" { "certificate" } else { "key" };
            if !table.contains_key(other) {
                let text = format!("needs 'tls.{other}' beside it, which is missing");
                return Err(reader.invalid(&format!("tls.{key}"), entry.1, text));
            }
            let path = Some(folder.join(reader.text(&format!("tls.{key}"), entry.1)?));
            *(if key == "key" {
                &mut self.key
            } else {
                &mut self.certificate
            }) = path;
        }
        Ok(())
    }

    /// What the server takes of it.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            domains: self.domains.clone(),
            registration: self.registration,
            domain_registration: self.domain_registration.clone(),
            options: self.options.clone(),
            domain_options: self.options_of_domains(),
            // They are no setting, and not in this file.
            token_keys: Vec::new(),
            push_key: None,
            components: self.component_settings(),
            external: self.external_settings(),
        }
    }

    /// Forgets what is said of domains that are not served.
    pub(crate) fn forget_others(&mut self) {
        let served = &self.domains;
        self.domain_options
            .retain(|domain, _| served.contains(domain));
        self.domain_certificates
            .retain(|domain, _| served.contains(domain));
        self.domain_registration
            .retain(|domain, _| served.contains(domain));
    }

    /// Whether something listens that needs a certificate.
    pub(crate) fn needs_certificate(&self) -> bool {
        !(self.listen.c2s.is_empty()
            && self.listen.c2s_tls.is_empty()
            && self.listen.components_tls.is_empty()
            && self.listen.https.is_empty()
            && self.listen.tls.is_empty())
    }

    /// The socket for admin commands.
    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.data_dir.join(ADMIN_SOCKET)
    }
}
