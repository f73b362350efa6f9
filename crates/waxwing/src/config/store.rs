//! The section `[store]`: a database in place of the data directory.

use std::path::{Path, PathBuf};

use toml::de::DeTable;
use waxwing_store::{OpenError, PostgresAddress};

use super::ConfigError;
use super::reader::Reader;

pub(super) const KEYS: &[&str] = &["url", "password_file"];

/// A database, and how to be let in. It shows no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Database {
    /// Where it is.
    pub address: PostgresAddress,
    /// The file that holds its password, where the URL does not.
    pub password_file: Option<PathBuf>,
}

impl Reader<'_> {
    pub(super) fn store(
        &self,
        table: &DeTable<'_>,
        folder: &Path,
    ) -> Result<Option<Database>, ConfigError> {
        for entry in table.iter() {
            self.known("store", entry, KEYS)?;
        }
        let file = match table.get("password_file") {
            Some(value) => Some((self.text("store.password_file", value)?, value)),
            None => None,
        };
        let alone = |reason: &str| match &file {
            Some((_, value)) => Err(self.invalid("store.password_file", value, reason.to_owned())),
            None => Ok(()),
        };
        let Some(value) = table.get("url") else {
            alone("does nothing without 'store.url'")?;
            return Ok(None);
        };
        let url = self.text("store.url", value)?;
        let address = PostgresAddress::parse(&url).map_err(|error| {
            let reason = match error {
                OpenError::Url(reason) => reason,
                error => error.to_string(),
            };
            self.invalid("store.url", value, format!("cannot be used: {reason}"))
        })?;
        if address.has_password() {
            alone("is one password too many: 'store.url' has one")?;
        }
        Ok(Some(Database {
            address,
            password_file: file.map(|(path, _)| folder.join(path)),
        }))
    }
}
