//! What connections to a database are made with.

use std::fmt;

use tokio_postgres::Config;

use super::PostgresOptions;
use super::tls::Tls;
use super::url::PostgresAddress;
use crate::error::OpenError;

/// An address with everything that a connection needs.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    tls: Tls,
    name: String,
}

impl Address {
    /// Reads the authorities that the address names.
    pub(super) fn new(
        place: &PostgresAddress,
        options: &PostgresOptions,
    ) -> Result<Self, OpenError> {
        let mut config = Config::clone(place.config());
        config.tcp_user_timeout(options.answer_wait());
        Ok(Self {
            config,
            tls: Tls::new(place.protection(), place.authorities())?,
            name: place.to_string(),
        })
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn tls(&self) -> Tls {
        self.tls.clone()
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
