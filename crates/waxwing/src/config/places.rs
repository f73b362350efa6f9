//! Where each key of a configuration stands, for what is found wrong with its value once the file has been read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::domain::Domain;

/// The file and the line of each key that it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    file: PathBuf,
    lines: BTreeMap<String, usize>,
}

/// Which key is to blame for something, as it stands before what is said of it: `FILE: line 3: 'tls.key': `.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct At(String);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl At {
    /// What no key is to blame for.
    pub(crate) fn nowhere() -> At {
        At::default()
    }
}

impl Places {
    pub(super) fn of(text: &str, table: &DeTable<'_>) -> Places {
        let mut places = Places::default();
        let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
        places.add(&ends, "", table);
        places
    }

    pub(super) fn in_file(mut self, file: &Path) -> Places {
        file.clone_into(&mut self.file);
        self
    }

    /// `ends` are the ends of all lines.
    fn add(&mut self, ends: &[usize], section: &str, table: &DeTable<'_>) {
        for (key, value) in table.iter() {
            let name = key.get_ref().as_ref();
            let full = match section {
                "" => name.to_owned(),
                "domain" | "component" => {
                    let domain = Domain::new(name).map(|domain| domain.name);
                    format!("{section}.{}", domain.unwrap_or_else(|_| name.to_owned()))
                }
                _ => format!("{section}.{name}"),
            };
            let line = ends.partition_point(|end| *end < key.span().start) + 1;
            self.lines.entry(full.clone()).or_insert(line);
            if let DeValue::Table(table) = value.get_ref() {
                self.add(ends, &full, table);
            }
        }
    }

    /// The line of a key; the first where the file does not have it.
    pub(super) fn line(&self, key: &str) -> usize {
        self.lines.get(key).copied().unwrap_or(1)
    }

    /// The first of these keys that the file has; where it has none, the file.
    pub(crate) fn at(&self, keys: &[String]) -> At {
        let file = self.file.display();
        let found = keys
            .iter()
            .find_map(|key| Some((key, self.lines.get(key)?)));
        At(match found {
            Some((key, line)) => format!("{file}: line {line}: '{key}': "),
            None => format!("{file}: "),
        })
    }
}
