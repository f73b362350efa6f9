//! Why the server does not serve, or goes on as before.

use std::io;
use std::path::PathBuf;

use waxwing_server::StartError;
use waxwing_store::{OpenError, StoreError};

use crate::certificates::CertificateError;
use crate::config::ConfigError;
use crate::data_dir::mend;
use crate::domain::DomainError;
use crate::listen::ListenError;

/// What TLS cannot be made of.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenTlsError {
    /// A listener without its certificate: the configuration's fault.
    #[error(
        "a listener needs TLS, but [tls] names no certificate and key; `waxwing certificate local` makes some"
    )]
    NoCertificate,
    /// A certificate or its key.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The hosts that certificates are for.
    #[error(transparent)]
    Hosts(#[from] StartError),
    /// A domain with a certificate of its own.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// The library.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
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
    /// The data directory.
    #[error("the data directory {} cannot be opened: {error}{}", .path.display(), mended(.error))]
    Store {
        /// The directory.
        path: PathBuf,
        /// Why.
        error: OpenError,
    },
    /// What is stored, when the server looks for what it needs.
    #[error("the data directory {} cannot be used: {error}{}", .path.display(), lost(.error))]
    Data {
        /// The directory.
        path: PathBuf,
        /// Why.
        error: StoreError,
    },
    /// The settings of the server.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The socket for admin commands.
    #[error("{}: {error}", .path.display())]
    AdminSocket {
        /// Where it would be.
        path: PathBuf,
        /// Why it is not.
        error: io::Error,
    },
    /// An address.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

fn mended(error: &OpenError) -> String {
    mend(error).map_or_else(String::new, |mend| format!("; {mend}"))
}

fn lost(error: &StoreError) -> &'static str {
    match error {
        StoreError::Damaged { .. } => "; `waxwing doctor` says what is damaged, and saves the rest",
        _ => "",
    }
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
    /// Its settings.
    #[error(transparent)]
    Settings(#[from] StartError),
}
