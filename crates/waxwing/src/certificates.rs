//! Certificates and keys, chosen by the name that the client asks for (SNI).

mod key;
mod pem;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, InconsistentKeys, ServerConfig, crypto};
use waxwing_stream::sasl::server_end_point;

use crate::exporter::{ExporterSecrets, server_name};
use crate::one_port::HTTP;

pub(crate) use pem::read_chain;

/// Why a certificate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CertificateError {
    /// The file of the chain cannot be read or holds nothing of use.
    #[error("{}: {reason}", .path.display())]
    Chain {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file of the key cannot be read or holds nothing of use.
    #[error("{}: {reason}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key is not the certificate's.
    #[error("{}: the key does not belong to the certificate{}", .path.display(), behind(*.of))]
    Mismatch {
        /// The key's file.
        path: PathBuf,
        /// Which certificate of the chain it belongs to, counted from 1.
        of: Option<usize>,
    },
}

fn behind(of: Option<usize>) -> String {
    of.map(|of| {
        format!(
            " that stands first in the chain, but to number {of}: the order of the chain is wrong"
        )
    })
    .unwrap_or_default()
}

/// A certificate with its key and what log-ins bind to.
#[derive(Debug)]
struct Certified {
    key: Arc<CertifiedKey>,
    end_point: Option<Vec<u8>>,
}

/// Certificates by domain.
pub(crate) struct Certificates {
    /// For domains without one of their own, and for clients that name none.
    any: Certified,
    /// By domain or service host, in A-labels.
    by_name: HashMap<String, Arc<Certified>>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificates")
    }
}

/// Of the suites that are all safe, the one that servers here prefer: processors compute its hash by themselves. With
/// SHA-384 the keys of a handshake cost as much as its key exchange.
const QUICK: CipherSuite = CipherSuite::TLS13_AES_128_GCM_SHA256;

/// The provider of cryptography.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    let mut provider = crypto::aws_lc_rs::default_provider();
    let suites = &mut provider.cipher_suites;
    // Stable: all else stays as the library orders it.
    suites.sort_by_key(|suite| suite.suite() != QUICK);
    Arc::new(provider)
}

impl Certified {
    fn load(chain: &Path, key: &Path) -> Result<Certified, CertificateError> {
        let certificates = pem::read_chain(chain)?;
        let end_point = certificates.first().and_then(|leaf| server_end_point(leaf));
        let private = pem::read_key(key)?;
        let provider = provider();
        let loaded = provider
            .key_provider
            .load_private_key(private.clone_key())
            .map_err(|error| CertificateError::Key {
                path: key.to_owned(),
                reason: key::refused(&private, &error),
            })?;
        let of = |at: usize| {
            let chain = certificates.get(at..).unwrap_or_default().to_vec();
            CertifiedKey::new(chain, loaded.clone())
        };
        let certified = of(0);
        match certified.keys_match() {
            // A key that does not say which certificate is its own cannot be compared.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                let belongs = |at: &usize| of(*at).keys_match().is_ok();
                return Err(CertificateError::Mismatch {
                    path: key.to_owned(),
                    of: (1..certificates.len()).find(belongs).map(|at| at + 1),
                });
            }
            Err(error) => {
                return Err(CertificateError::Chain {
                    path: chain.to_owned(),
                    reason: format!("its first certificate cannot be used: {error}"),
                });
            }
        }
        Ok(Certified {
            key: Arc::new(certified),
            end_point,
        })
    }
}

impl Certificates {
    /// Reads a chain and its key, for all domains that get none of their own.
    pub(crate) fn load(chain: &Path, key: &Path) -> Result<Certificates, CertificateError> {
        Ok(Certificates {
            any: Certified::load(chain, key)?,
            by_name: HashMap::new(),
        })
    }

    /// Reads those of one domain and its service hosts; their names are written in A-labels.
    pub(crate) fn add(
        &mut self,
        names: impl IntoIterator<Item = String>,
        chain: &Path,
        key: &Path,
    ) -> Result<(), CertificateError> {
        let certified = Arc::new(Certified::load(chain, key)?);
        let names = names.into_iter().map(|name| name.to_ascii_lowercase());
        self.by_name
            .extend(names.map(|name| (name, certified.clone())));
        Ok(())
    }

    /// The one of what a client names.
    fn choose(&self, name: Option<&str>) -> &Certified {
        let name = name.map(str::to_ascii_lowercase).unwrap_or_default();
        self.by_name
            .get(&name)
            .map_or(&self.any, |certified| certified)
    }

    /// `tls-server-end-point` of the certificate that a client which asked for `name` was shown.
    pub(crate) fn end_point(&self, name: Option<&str>) -> Option<Vec<u8>> {
        self.choose(name).end_point.clone()
    }
}

#[derive(Debug)]
struct ByName(Arc<Certificates>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = server_name(hello.server_name());
        Some(self.0.choose(name.as_deref()).key.clone())
    }
}

/// TLS settings of a listener; `protocols` are those that it accepts by ALPN, none for STARTTLS.
pub(crate) fn server_config(
    certificates: &Arc<Certificates>,
    protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByName(certificates.clone())));
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    config.ignore_client_order = true;
    config.key_log = Arc::new(ExporterSecrets);
    config.max_early_data_size = 0;
    // Browsers come back many times a minute, XMPP's clients stay for hours: what is kept for those would be for nobody.
    if !protocols.contains(&HTTP) {
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
    }
    Ok(Arc::new(config))
}
