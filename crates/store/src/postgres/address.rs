//! What connections to a database are made with.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_postgres::Config;

use super::PostgresOptions;
use super::tls::Tls;
use super::url::PostgresAddress;
use crate::error::OpenError;

/// An address with everything that a connection needs.
#[derive(Clone)]
pub(super) struct Address {
    /// One for each server of the URL, in its order.
    servers: Arc<[Config]>,
    /// Which of them has the database, once that was found out: nobody asks another one, which may lack something.
    chosen: Arc<AtomicUsize>,
    tls: Tls,
    name: String,
    noted: Option<PathBuf>,
}

/// No server was found to have the database yet.
const NONE: usize = usize::MAX;

impl Address {
    /// Reads the authorities that the address names.
    pub(super) fn new(
        place: &PostgresAddress,
        options: &PostgresOptions,
    ) -> Result<Self, OpenError> {
        let mut servers = place.servers();
        for config in &mut servers {
            config.tcp_user_timeout(options.answer_wait());
        }
        Ok(Self {
            servers: servers.into(),
            chosen: Arc::new(AtomicUsize::new(NONE)),
            noted: place.notes().map(Path::to_owned),
            tls: Tls::new(place.protection(), place.authorities())?,
            name: place.to_string(),
        })
    }

    /// Where what was acknowledged is noted.
    pub(super) fn noted(&self) -> Option<&Path> {
        self.noted.as_deref()
    }

    /// From now on everybody asks this one.
    pub(super) fn choose(&self, server: usize) {
        self.chosen.store(server, Ordering::Release);
    }

    /// All servers, by their numbers: the chosen one comes first.
    pub(super) fn all(&self) -> impl Iterator<Item = usize> + use<> {
        let chosen = self.chosen.load(Ordering::Acquire);
        let (count, first) = (self.servers.len(), Some(chosen));
        let first = first.filter(|first| *first < count);
        first
            .into_iter()
            .chain((0..count).filter(move |one| *one != chosen))
    }

    /// Those that may be asked: the chosen one, or all.
    pub(super) fn askable(&self) -> impl Iterator<Item = usize> + use<> {
        let one = self.chosen.load(Ordering::Acquire) != NONE;
        self.all().take(if one { 1 } else { usize::MAX })
    }

    pub(super) fn config(&self, server: usize) -> &Config {
        &self.servers[server]
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
