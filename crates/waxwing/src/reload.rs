//! Reloading: configuration and certificates are read again while every stream goes on.
//!
//! What is read is first found to be good as a whole; then it takes effect. Otherwise everything stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use waxwing_server::{OptionValue, Server, Settings, TokenSecret};

use crate::admin_socket::CommandError;
use crate::check::finding::{self, Finding};
use crate::cli::Output;
use crate::client::TlsSettings;
use crate::config::{Config, Web};
use crate::serve::{ReloadError, SettingsError};
use crate::token_keys::TokenKeysError;
use crate::{Outcome, admin_socket, check, push_key, say, say_json, serve, token_keys};

/// TLS for connections that begin.
pub(crate) type LiveTls = watch::Receiver<Option<Arc<TlsSettings>>>;
/// Settings for browsers, for requests that come.
pub(crate) type LiveWeb = watch::Receiver<Arc<Web>>;
/// Asks for a reload; the answer says what it did.
pub(crate) type Request = oneshot::Sender<Result<Reloaded, ReloadError>>;
/// Where requests go.
pub(crate) type Requests = mpsc::Sender<Request>;

/// What a reload did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reloaded {
    /// Keys that are in effect with their new values.
    pub changed: Vec<String>,
    /// Keys that have new values, which take effect when the server is started again.
    pub after_restart: Vec<String>,
    /// What is wrong with certificates that are used nevertheless.
    pub warnings: Vec<Finding>,
}

impl Reloaded {
    /// As the admin socket answers.
    pub(crate) fn to_json(&self) -> Value {
        let warnings: Vec<_> = self.warnings.iter().map(Finding::to_json).collect();
        json!({
            "changed": self.changed,
            "after_restart": self.after_restart,
            "warnings": warnings,
        })
    }
}

/// What tells one content of a file from another without reading it: device, inode, size and time of change.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

fn stamp(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    Some((
        file.dev(),
        file.ino(),
        file.size(),
        file.mtime(),
        file.mtime_nsec(),
    ))
}

fn stamps(config: &Config) -> Vec<Stamp> {
    let own = config.domain_certificates.values();
    let own = own.flat_map(|files| [&files.certificate, &files.key]);
    let all = config.certificate.iter().chain(&config.key).chain(own);
    all.map(|path| stamp(path)).collect()
}

/// The keys that are files of their own in the data directory.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    /// Those that tokens are made by.
    pub tokens: Vec<TokenSecret>,
    /// The one by which push services know the server.
    pub push: Option<TokenSecret>,
}

impl Keys {
    /// Reads them, or makes those that there are not yet.
    ///
    /// # Errors
    /// What is wrong with a file, in the operator's words.
    pub(crate) fn open(data_dir: &Path) -> Result<Keys, TokenKeysError> {
        Ok(Keys {
            tokens: token_keys::open(data_dir)?,
            push: push_key::open(data_dir)?,
        })
    }

    fn read(data_dir: &Path) -> Result<Keys, TokenKeysError> {
        Ok(Keys {
            tokens: token_keys::read(data_dir)?,
            push: push_key::read(data_dir)?,
        })
    }

    /// The settings with them.
    pub(crate) fn with(&self, settings: Settings) -> Settings {
        Settings {
            token_keys: self.tokens.clone(),
            push_key: self.push.clone(),
            ..settings
        }
    }
}

/// What is in effect, and where it came from.
pub(crate) struct Reloader {
    path: PathBuf,
    config: Config,
    keys: Keys,
    server: Server,
    tls: watch::Sender<Option<Arc<TlsSettings>>>,
    web: watch::Sender<Arc<Web>>,
    /// Of the certificate and key that were read last, whether they were good or not.
    seen: Vec<Stamp>,
}

impl Reloader {
    /// Of a server that runs with `config`, read from `path`.
    pub(crate) fn new(
        path: PathBuf,
        config: Config,
        keys: Keys,
        server: Server,
        tls: watch::Sender<Option<Arc<TlsSettings>>>,
        web: watch::Sender<Arc<Web>>,
    ) -> Reloader {
        Reloader {
            seen: stamps(&config),
            // Who asks may be in another folder, and reads of it.
            path: std::path::absolute(&path).unwrap_or(path),
            config,
            keys,
            server,
            tls,
            web,
        }
    }

    /// How long until the certificate's files are looked at again.
    pub(crate) fn watch_interval(&self) -> Duration {
        Duration::from_secs(self.config.tls_watch_secs)
    }

    /// Reads configuration and certificates again.
    ///
    /// # Errors
    /// In plain words, with the line, what is wrong; nothing has changed then.
    pub(crate) fn reload(&mut self) -> Result<Reloaded, ReloadError> {
        let reloaded = self.try_reload();
        match &reloaded {
            Ok(done) => {
                tracing::info!(changed = %done.changed.join(", "), "reloaded");
                if !done.after_restart.is_empty() {
                    let keys = done.after_restart.join(", ");
                    tracing::warn!(%keys, "these have new values, which take effect with the next start");
                }
                check::log_warnings(&done.warnings);
            }
            Err(error) => tracing::warn!(%error, "not reloaded; everything stays as it was"),
        }
        reloaded
    }

    fn try_reload(&mut self) -> Result<Reloaded, ReloadError> {
        let new = Config::load(&self.path).map_err(|error| {
            let path = self.path.clone();
            ReloadError::Config { path, error }
        })?;
        let seen = stamps(&new);
        let mut done = differences(&self.config, &new);
        if seen != self.seen {
            done.changed.push("certificate".to_owned());
        }
        let mut new = Config {
            domains: self.config.domains.clone(),
            data_dir: self.config.data_dir.clone(),
            store: self.config.store.clone(),
            blobs: self.config.blobs.clone(),
            listen: self.config.listen.clone(),
            ..new
        };
        new.forget_others();
        let tls = serve::open_tls(&new)?;
        let keys = Keys::read(&new.data_dir)?;
        for (file, differs) in [
            (token_keys::FILE, keys.tokens != self.keys.tokens),
            (push_key::FILE, keys.push != self.keys.push),
        ] {
            if differs {
                done.changed.push(file.to_owned());
            }
        }
        let reloaded = self.server.reload(keys.with(new.settings()));
        reloaded.map_err(|error| SettingsError::new(&new, error))?;
        self.tls.send_replace(tls);
        self.web.send_replace(Arc::new(new.web.clone()));
        done.warnings = check::of_certificates(&new);
        self.config = new;
        self.keys = keys;
        self.seen = seen;
        Ok(done)
    }

    /// Reads the certificate and its key again if one of the files is another than before.
    pub(crate) fn look_at_certificates(&mut self) {
        let seen = stamps(&self.config);
        if seen == self.seen {
            return;
        }
        // Of two files that are replaced one after the other, the second is a change of its own.
        self.seen = seen;
        match serve::open_tls(&self.config) {
            Ok(tls) => {
                self.tls.send_replace(tls);
                tracing::info!("a new certificate is in use");
                check::log_warnings(&check::of_certificates(&self.config));
            }
            Err(error) => {
                tracing::warn!(%error, "a new certificate cannot be used; the old one stays");
            }
        }
    }
}

/// Options by name.
type Given = BTreeMap<String, OptionValue>;

/// The keys whose values differ and count at the next start only.
fn after_restart(old: &Config, new: &Config) -> Vec<String> {
    let (a, b) = (&old.listen, &new.listen);
    let keys = [
        ("domains", old.domains != new.domains),
        ("data_dir", old.data_dir != new.data_dir),
        ("store", old.store != new.store),
        ("blobs", old.blobs != new.blobs),
        ("listen.c2s", a.c2s != b.c2s),
        ("listen.c2s_tls", a.c2s_tls != b.c2s_tls),
        (
            "listen.c2s_plain_loopback",
            a.c2s_plain_loopback != b.c2s_plain_loopback,
        ),
        (
            "listen.components_loopback",
            a.components_loopback != b.components_loopback,
        ),
        (
            "listen.components_tls",
            a.components_tls != b.components_tls,
        ),
        ("listen.bytestreams", a.bytestreams != b.bytestreams),
        ("listen.https", a.https != b.https),
        ("listen.tls", a.tls != b.tls),
        ("listen.http_loopback", a.http_loopback != b.http_loopback),
        ("listen.http_proxied", a.http_proxied != b.http_proxied),
        (
            "listen.trusted_proxies",
            a.proxies.trusted != b.proxies.trusted,
        ),
        (
            "listen.proxy_protocol",
            a.proxies.announcing != b.proxies.announcing,
        ),
    ];
    let differing = keys.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(key, _)| key.to_owned()).collect()
}

/// The keys whose values differ.
fn differences(old: &Config, new: &Config) -> Reloaded {
    let mut done = Reloaded {
        after_restart: after_restart(old, new),
        ..Reloaded::default()
    };
    for (key, differs) in [
        ("tls.certificate", old.certificate != new.certificate),
        ("tls.key", old.key != new.key),
        ("tls.watch_secs", old.tls_watch_secs != new.tls_watch_secs),
        ("web.public_url", old.web.public_url != new.web.public_url),
        (
            "web.allowed_origins",
            old.web.allowed_origins != new.web.allowed_origins,
        ),
        ("registration.mode", old.registration != new.registration),
    ] {
        if differs {
            done.changed.push(key.to_owned());
        }
    }
    let mut more = Vec::new();
    let mut name = |section: &str, old: &Given, new: &Given| {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let changed = names
            .into_iter()
            .filter(|name| old.get(*name) != new.get(*name));
        done.changed
            .extend(changed.map(|name| format!("{section}.{name}")));
    };
    name("options", &old.options, &new.options);
    let of = |config: &Config, domain: &str| config.domain_options.get(domain).cloned();
    for domain in &old.domains {
        if old.domain_certificates.get(domain) != new.domain_certificates.get(domain) {
            more.push(format!("domain.{domain}.certificate"));
        }
        if old.domain_registration.get(domain) != new.domain_registration.get(domain) {
            more.push(format!("domain.{domain}.registration"));
        }
        let (old, new) = (of(old, domain), of(new, domain));
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        name(&format!("domain.{domain}"), &old, &new);
    }
    let hosts: BTreeSet<_> = old.components.keys().chain(new.components.keys()).collect();
    for host in hosts {
        if old.components.get(host) != new.components.get(host) {
            more.push(format!("component.{host}"));
        }
    }
    let names: BTreeSet<_> = old.external.keys().chain(new.external.keys()).collect();
    for name in names {
        if old.external.get(name) != new.external.get(name) {
            more.push(format!("external.{name}"));
        }
    }
    done.changed.extend(more);
    done
}

/// Has the running server reload the file that it was started with, which is this one unless it was started with
/// another.
pub(crate) fn command(path: &Path, output: Output) -> Outcome {
    let (socket, misread) = match Config::load(path) {
        Ok(config) => (Some(config.admin_socket()), None),
        // The server is asked all the same: it says the same, and its log does.
        Err(error) => {
            let said = format!("{}: {error}", path.display());
            (Config::admin_socket_of_bad(path), Some(said))
        }
    };
    let asked = socket.map_or_else(
        || Err(CommandError::Failed(String::new())),
        |socket| ask(&socket),
    );
    match (asked, misread) {
        (Ok(answer), _) if output.json => say_json(&answer),
        (Ok(answer), _) => show(&answer),
        (Err(CommandError::Refused(error)), misread) => {
            let text = format!("{error}; everything stays as it was");
            return match misread {
                Some(_) => Outcome::Misused(text),
                None => Outcome::Refused(text),
            };
        }
        (Err(_), Some(said)) => return Outcome::Misused(said),
        (Err(error), None) => return Outcome::Failed(error.to_string()),
    }
    Outcome::Done
}

fn ask(socket: &Path) -> Result<Value, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::Failed(error.to_string()))?;
    runtime.block_on(admin_socket::ask(socket, "reload", json!({})))
}

fn show(answer: &Value) {
    let all = |name: &str| {
        answer
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let keys = |name: &str| {
        let keys = all(name).filter_map(Value::as_str);
        keys.collect::<Vec<_>>().join(", ")
    };
    match keys("changed").as_str() {
        "" => say("Reloaded; nothing has changed."),
        changed => say(&format!("Reloaded; changed: {changed}.")),
    }
    let later = keys("after_restart");
    if !later.is_empty() {
        say(&format!(
            "These have new values, which take effect when the server is started again: {later}."
        ));
    }
    for warning in all("warnings") {
        let field = |name: &str| {
            warning
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (level, about) = (field("level"), field("about"));
        say(&finding::lines(
            level,
            about,
            field("text"),
            warning.get("mend").and_then(Value::as_str),
        ));
    }
}
