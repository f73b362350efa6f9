//! What may stand in a configuration only once, in whatever spelling.

use std::net::SocketAddr;

use toml::Spanned;
use toml::de::DeValue;

use super::reader::Reader;
use super::{ConfigError, Listen};
use crate::domain::Domain;

/// An address with its key and its line; a default has none.
pub(super) struct Place {
    pub(super) key: String,
    pub(super) address: SocketAddr,
    pub(super) line: Option<usize>,
}

impl Reader<'_> {
    /// The served domains, each in its one spelling.
    pub(super) fn domains(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, ConfigError> {
        let mut domains: Vec<String> = Vec::new();
        for (text, item) in self.texts("domains", value)? {
            let line = self.line(item.span().start);
            let wrong = |expected: String| ConfigError::Value {
                line,
                key: "domains".to_owned(),
                expected,
            };
            let domain =
                Domain::new(&text).map_err(|error| wrong(format!("must be domains: {error}")))?;
            if domains.contains(&domain.name) {
                return Err(wrong(format!(
                    "has {} twice; remove \"{text}\"",
                    domain.name
                )));
            }
            domains.push(domain.name);
        }
        if domains.is_empty() {
            let text = "must name at least one domain".to_owned();
            return Err(self.invalid("domains", value, text));
        }
        Ok(domains)
    }
}

/// Whether one socket takes what comes to the other one's address.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    // The system chooses another port for each.
    if a.port() != b.port() || a.port() == 0 {
        return false;
    }
    let (a, b) = (a.ip(), b.ip());
    // `[::]` takes IPv4 too.
    let takes = |all: std::net::IpAddr, other: std::net::IpAddr| {
        all.is_unspecified() && (all.is_ipv6() || other.is_ipv4())
    };
    a == b || takes(a, b) || takes(b, a)
}

/// Refuses addresses that take each other's connections; where the file gives a key, its default is not meant.
pub(super) fn check(
    listen: &Listen,
    written: &[Place],
    keys: &[String],
) -> Result<(), ConfigError> {
    let mut places: Vec<Place> = Vec::new();
    for (key, address) in listen.all() {
        if !keys.iter().any(|written| written == key) {
            places.push(Place {
                key: key.to_owned(),
                address,
                line: None,
            });
        }
    }
    let mut written: Vec<&Place> = written.iter().collect();
    written.sort_by_key(|place| place.line);
    let mut before: Vec<&Place> = places.iter().collect();
    for place in written {
        if let Some(taken) = before
            .iter()
            .find(|taken| overlap(taken.address, place.address))
        {
            let whose = match taken.line {
                Some(line) => format!("'{}' in line {line} has \"{}\"", taken.key, taken.address),
                None => format!("'{}' has \"{}\" by default", taken.key, taken.address),
            };
            return Err(ConfigError::Value {
                line: place.line.unwrap_or(1),
                key: place.key.clone(),
                expected: format!(
                    "cannot have \"{}\": {whose}, and one of them would get what is the other's",
                    place.address
                ),
            });
        }
        before.push(place);
    }
    Ok(())
}
