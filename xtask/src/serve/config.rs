//! The folder that a served instance lives in, and its configuration.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder};
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Everything of one instance is in one folder, readable by its owner only.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The path is absolute: the server may be started from anywhere.
    pub(crate) fn at(path: PathBuf) -> Folder {
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.0.join("waxwing.toml")
    }

    pub(crate) fn accounts(&self) -> PathBuf {
        self.0.join("accounts")
    }

    /// Accounts that are still to be made: there until the first start is over.
    pub(crate) fn accounts_waiting(&self) -> PathBuf {
        self.0.join("accounts.new")
    }

    pub(crate) fn tls(&self) -> PathBuf {
        self.0.join("tls")
    }

    pub(crate) fn authority(&self) -> PathBuf {
        self.tls().join("ca.pem")
    }

    pub(crate) fn create(&self) -> Result<(), Failure> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        [self.0.clone(), self.tls()]
            .iter()
            .try_for_each(|path| builder.create(path).map_err(Failure::file(path)))
    }

    /// Takes away again what [`create`](Self::create) made, as far as nothing is in it.
    pub(crate) fn remove_empty(&self) {
        for path in [self.tls(), self.0.clone()] {
            // What is not empty stays, as it should.
            let _stays = fs::remove_dir(path);
        }
    }

    /// A folder with something in it that is no instance is not touched.
    pub(crate) fn refuse_foreign(&self) -> Result<(), Failure> {
        // An interrupted first start leaves these, and no configuration.
        let ours = ["tls", "accounts", "accounts.new"];
        let Ok(entries) = fs::read_dir(&self.0) else {
            return Ok(());
        };
        let names = entries.flatten().map(|entry| entry.file_name());
        let foreign = names
            .filter(|name| ours.iter().all(|own| name != *own))
            .count();
        if foreign == 0 || self.config().exists() {
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "{} has something else in it; choose another --data",
            self.0.display()
        )))
    }
}

/// What the task needs to know of a configuration, which a person may have edited.
#[derive(Debug, PartialEq)]
pub(crate) struct Config {
    pub(crate) domains: Vec<String>,
    pub(crate) c2s: Vec<String>,
    pub(crate) c2s_tls: Vec<String>,
    pub(crate) c2s_plain_loopback: Vec<String>,
    pub(crate) https: Vec<String>,
    pub(crate) http_loopback: Vec<String>,
}

impl Config {
    pub(crate) fn read(path: &Path) -> Result<Config, Failure> {
        let text = fs::read_to_string(path).map_err(Failure::file(path))?;
        Config::parse(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
    }

    fn parse(text: &str) -> Result<Config, toml::de::Error> {
        let table: toml::Table = text.parse()?;
        let list = |value: Option<&toml::Value>| -> Vec<String> {
            let values = value
                .and_then(|value| value.as_array())
                .into_iter()
                .flatten();
            values
                .filter_map(|value| value.as_str())
                .map(str::to_owned)
                .collect()
        };
        let listen = |key: &str| list(table.get("listen").and_then(|listen| listen.get(key)));
        Ok(Config {
            domains: list(table.get("domains")),
            c2s: listen("c2s"),
            c2s_tls: listen("c2s_tls"),
            c2s_plain_loopback: listen("c2s_plain_loopback"),
            https: listen("https"),
            http_loopback: listen("http_loopback"),
        })
    }

    /// Every address that the server will listen on, with the key that it stands under.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (&'static str, &String)> {
        [
            ("c2s", &self.c2s),
            ("c2s_tls", &self.c2s_tls),
            ("c2s_plain_loopback", &self.c2s_plain_loopback),
            ("https", &self.https),
            ("http_loopback", &self.http_loopback),
        ]
        .into_iter()
        .flat_map(|(key, list)| list.iter().map(move |address| (key, address)))
    }
}

pub(crate) fn write(folder: &Folder, domain: &str) -> Result<(), Failure> {
    let text = first(domain, has_ipv6());
    fs::write(folder.config(), text).map_err(Failure::file(folder.config()))
}

/// The configuration of a first start. A server for `localhost` is for this machine alone. Paths
/// start at the configuration's folder, so that the folder can move.
fn first(domain: &str, ipv6: bool) -> String {
    let hosts: &[&str] = match (is_local(domain), ipv6) {
        (true, true) => &["127.0.0.1", "[::1]"],
        (true, false) => &["127.0.0.1"],
        (false, true) => &["[::]"],
        (false, false) => &["0.0.0.0"],
    };
    let all = |port: u16| {
        let addresses = hosts.iter().map(|host| format!("\"{host}:{port}\""));
        addresses.collect::<Vec<_>>().join(", ")
    };
    let mut text = String::new();
    let _ = write!(
        text,
        r#"# Written once by `cargo xtask serve`; change what you like.
domains = [{domain}]
data_dir = "data"

[listen]
c2s = [{c2s}]
c2s_tls = [{c2s_tls}]
http_loopback = ["127.0.0.1:5280"]

[tls]
certificate = "tls/cert.pem"
key = "tls/key.pem"

[registration]
mode = "closed"
"#,
        domain = serde_json::Value::from(domain), // a JSON string is a TOML basic string
        c2s = all(5222),
        c2s_tls = all(5223),
    );
    text
}

/// Whether every machine takes the domain for itself (RFC 6761 §6.3).
pub(crate) fn is_local(domain: &str) -> bool {
    domain == "localhost" || domain.ends_with(".localhost")
}

fn has_ipv6() -> bool {
    TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_configuration_reads_back() {
        let config = Config::parse(&first("localhost", true)).unwrap();
        assert_eq!(config.domains, ["localhost"]);
        assert_eq!(config.c2s, ["127.0.0.1:5222", "[::1]:5222"]);
        let addresses: Vec<_> = config.addresses().map(|(key, _)| key).collect();
        assert_eq!(
            addresses,
            ["c2s", "c2s", "c2s_tls", "c2s_tls", "http_loopback"]
        );
    }

    #[test]
    fn only_localhost_stays_on_this_machine() {
        let config = |domain| Config::parse(&first(domain, true)).unwrap();
        assert_eq!(config("chat.example").c2s, ["[::]:5222"]);
        assert_eq!(
            config("test.localhost").c2s_tls,
            ["127.0.0.1:5223", "[::1]:5223"]
        );
        let old = Config::parse(&first("localhost", false)).unwrap();
        assert_eq!(old.c2s, ["127.0.0.1:5222"]);
    }

    #[test]
    fn foreign_folders_are_not_touched() {
        let path = std::env::temp_dir().join(format!("waxwing-foreign-{}", std::process::id()));
        let folder = Folder::at(path.clone());
        assert!(
            folder.refuse_foreign().is_ok(),
            "a folder that is not there"
        );
        folder.create().unwrap();
        assert!(
            folder.refuse_foreign().is_ok(),
            "an interrupted first start"
        );
        fs::write(path.join("thesis.txt"), "").unwrap();
        assert!(matches!(folder.refuse_foreign(), Err(Failure::Usage(_))));
        write(&folder, "localhost").unwrap();
        assert!(folder.refuse_foreign().is_ok(), "an instance");
        fs::remove_dir_all(path).unwrap();
    }
}
