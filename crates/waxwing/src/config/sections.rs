//! The sections `[domain."…"]`: what one domain has of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::DeTable;
use waxwing_server::settings::check_domain_option;
use waxwing_server::{OptionValue, Registration};

use super::reader::Reader;
use super::{CertificateFiles, ConfigError};
use crate::domain::Domain;

/// What may stand in such a section besides options.
pub(super) const KEYS: [&str; 3] = ["certificate", "key", "registration"];

/// All sections, each of a domain that is served.
#[derive(Debug, Default)]
pub(super) struct Sections {
    /// Options by domain and name.
    pub(super) options: BTreeMap<String, BTreeMap<String, OptionValue>>,
    /// The files of domains that have a certificate of their own.
    pub(super) certificates: BTreeMap<String, CertificateFiles>,
    /// Who may make an account, where that differs.
    pub(super) registration: BTreeMap<String, Registration>,
}

impl Reader<'_> {
    pub(super) fn sections(
        &self,
        table: &DeTable<'_>,
        domains: &[String],
        folder: &Path,
    ) -> Result<Sections, ConfigError> {
        let mut names = waxwing_server::generate::domain_option_names();
        names.extend(KEYS);
        let domains: Vec<&str> = domains.iter().map(String::as_str).collect();
        let mut found = Sections::default();
        for entry in table.iter() {
            let written = entry.0.get_ref().as_ref();
            let domain =
                Domain::new(written).map_or_else(|_| written.to_owned(), |domain| domain.name);
            if !domains.contains(&&*domain) {
                self.known("domain", entry, &domains)?;
            }
            let key = format!("domain.{domain}");
            let section = self.section(&key, entry.1)?;
            let wrong = |expected: &str| ConfigError::Value {
                line: self.line(entry.0.span().start),
                key: key.clone(),
                expected: expected.to_owned(),
            };
            let options = self.options_in(&key, section, &names, check_domain_option)?;
            if found.options.insert(domain.clone(), options).is_some() {
                return Err(wrong(&format!(
                    "is there in another spelling already, as {domain}"
                )));
            }
            let file = |name: &str| -> Result<Option<PathBuf>, ConfigError> {
                let value = section.get(name);
                let text = value.map(|value| self.text(&format!("{key}.{name}"), value));
                Ok(text.transpose()?.map(|path| folder.join(path)))
            };
            match (file("certificate")?, file("key")?) {
                (Some(certificate), Some(key)) => {
                    let files = CertificateFiles { certificate, key };
                    found.certificates.insert(domain.clone(), files);
                }
                (None, None) => {}
                _ => return Err(wrong("must have certificate and key, both or neither")),
            }
            if let Some(value) = section.get("registration") {
                let mode = self.registration_mode(&format!("{key}.registration"), value)?;
                found.registration.insert(domain, mode);
            }
        }
        Ok(found)
    }
}
