//! What nodes of certain names are by default: what is published there is of use only so. Features register them.

use crate::pubsub::fields::Settings;
use crate::pubsub::node_options::{self, access_model, max_items};
use crate::pubsub::service::ServiceKind;
use crate::registry::Registry;

/// Nodes of one purpose, at an account.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// The name, or what it begins with.
    pub name: Name,
    /// `pubsub#access_model`.
    pub access_model: &'static str,
    /// `pubsub#max_items`.
    pub max_items: &'static str,
    /// What else is other than of all nodes: a field of the configuration, without `pubsub#`, and its value.
    pub more: &'static [(&'static str, &'static str)],
}

/// Names of nodes.
#[derive(Clone, Copy, Debug)]
pub enum Name {
    /// Exactly this.
    Is(&'static str),
    /// Whatever begins so.
    Begins(&'static str),
}

impl Name {
    /// Whether it is the node's.
    pub fn is_of(self, node: &str) -> bool {
        match self {
            Name::Is(name) => node == name,
            Name::Begins(name) => node.starts_with(name),
        }
    }
}

/// The settings that differ from those of all nodes.
pub(crate) fn defaults(registry: &Registry, kind: ServiceKind, node: &str) -> Settings {
    let mut settings = Settings::default();
    let mut profiles = registry.profiles.iter();
    let found = profiles.find(|profile| profile.name.is_of(node));
    if let (ServiceKind::Account, Some(profile)) = (kind, found) {
        settings.set(&access_model::FIELD, &[profile.access_model]);
        settings.set(&max_items::FIELD, &[profile.max_items]);
        for (name, value) in profile.more {
            let mut fields = node_options::FIELDS.iter();
            if let Some(field) = fields.find(|field| field.name == *name) {
                settings.set(field, &[value]);
            }
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xep::FEATURES;

    #[test]
    fn what_features_ask_for_is_there_to_be_set() {
        let registry = Registry::new(FEATURES).ok().unwrap();
        assert!(!registry.profiles.is_empty());
        for profile in &registry.profiles {
            for (name, _) in profile.more {
                let known = node_options::FIELDS.iter().any(|field| field.name == *name);
                assert!(known, "{name}");
            }
        }
    }
}
