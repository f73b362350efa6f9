//! Why the server does not serve, or goes on as before.

use std::io;
use std::path::PathBuf;

use waxwing_server::StartError;

use crate::certificates::CertificateError;
use crate::config::{At, Config, ConfigError};
use crate::domain::DomainError;
use crate::listen::ListenError;
use crate::storage::StorageError;
use crate::token_keys::TokenKeysError;

/// What TLS cannot be made of; `at` says which key of the configuration is to blame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenTlsError {
    /// A listener without its certificate: the configuration's fault.
    #[error(
        "{at}a listener needs TLS, but [tls] names no certificate and key; `waxwing certificate local` makes some"
    )]
    NoCertificate {
        /// The first such listener, if the file names one.
        at: At,
    },
    /// A certificate or its key.
    #[error("{at}{error}")]
    Certificate {
        /// The key that names the file.
        at: At,
        /// What is wrong with it.
        error: CertificateError,
    },
    /// The hosts that certificates are for.
    #[error(transparent)]
    Hosts(#[from] SettingsError),
    /// A domain with a certificate of its own.
    #[error("{at}{error}")]
    Domain {
        /// Its section.
        at: At,
        /// Why it is none.
        error: DomainError,
    },
    /// The library.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
}

/// Settings that the server refuses.
#[derive(Debug, thiserror::Error)]
#[error("{at}{error}")]
pub(crate) struct SettingsError {
    /// The key that is to blame.
    at: At,
    /// Why.
    error: StartError,
}

impl SettingsError {
    /// With the key of the configuration that is to blame, if one is.
    pub(crate) fn new(config: &Config, error: StartError) -> SettingsError {
        let keys = match &error {
            StartError::Domain(..) | StartError::NoDomain => vec!["domains".to_owned()],
            StartError::Host { domain, option, .. } => vec![
                format!("domain.{domain}.{option}"),
                format!("options.{option}"),
                "domains".to_owned(),
            ],
            StartError::Component { host, .. } => {
                vec![format!("component.{host}"), "component".to_owned()]
            }
            StartError::External { name, .. } => vec![format!("external.{name}")],
            StartError::Option(_) => vec!["options".to_owned()],
            StartError::PushKey | StartError::Registry(_) | StartError::Store(_) => Vec::new(),
        };
        let at = match keys.as_slice() {
            [] => At::nowhere(),
            keys => config.places.at(keys),
        };
        SettingsError { at, error }
    }
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The system gives no signals.
    #[error("signals cannot be received: {0}")]
    Signals(io::Error),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] OpenTlsError),
    /// The keys of tokens.
    #[error(transparent)]
    TokenKeys(#[from] TokenKeysError),
    /// The data directory or the database.
    #[error(transparent)]
    Store(#[from] StorageError),
    /// The settings of the server.
    #[error(transparent)]
    Start(#[from] SettingsError),
    /// The socket for admin commands.
    #[error("{}: {error}", .path.display())]
    AdminSocket {
        /// Where it would be.
        path: PathBuf,
        /// Why it is not.
        error: io::Error,
    },
    /// An address.
    #[error("{at}{error}")]
    Listen {
        /// The key that names it.
        at: At,
        /// Why it cannot listen.
        error: ListenError,
    },
}

/// Why nothing was reloaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    /// The configuration's file.
    #[error("{}: {error}", .path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: ConfigError,
    },
    /// Its certificates.
    #[error(transparent)]
    Tls(#[from] OpenTlsError),
    /// The keys of tokens.
    #[error(transparent)]
    TokenKeys(#[from] TokenKeysError),
    /// Its settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}
