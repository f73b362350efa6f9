//! What is read in forms that people fill in, apart from everything else: for tests that fill in anything.

use waxwing_stanza::xep::xep_0004_forms::DataForm;
use waxwing_stanza::xep::xep_0060_pubsub::{
    FORM_NODE_CONFIG, FORM_PUBLISH_OPTIONS, FORM_SUBSCRIBE_OPTIONS,
};

pub use crate::pubsub::authorization::Decision;
pub use crate::pubsub::fields::{VALUE_BYTES_MAX, VALUES_MAX, Wrong};

use crate::pubsub::fields::{self, Unknown};
use crate::pubsub::{node_options, subscribe_options};

/// A form of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settings {
    /// A node's configuration (XEP-0060 §16.4.4).
    Node,
    /// Conditions for publishing (XEP-0060 §7.1.5).
    Conditions,
    /// Options of a subscription (XEP-0060 §16.4.2).
    Subscription,
}

impl Settings {
    /// All of them.
    pub const ALL: [Settings; 3] = [Settings::Node, Settings::Conditions, Settings::Subscription];

    /// The settings that a form has: each by its name without `pubsub#`, with its values as they are stored.
    ///
    /// # Errors
    ///
    /// [`Wrong`] for a form that is refused.
    pub fn read(self, form: &DataForm) -> Result<Vec<(String, Vec<String>)>, Wrong> {
        let (form_type, fields, unknown) = match self {
            Settings::Node => (FORM_NODE_CONFIG, node_options::FIELDS, Unknown::Ignored),
            Settings::Conditions => (FORM_PUBLISH_OPTIONS, node_options::FIELDS, Unknown::Refused),
            Settings::Subscription => {
                let fields = subscribe_options::FIELDS;
                (FORM_SUBSCRIBE_OPTIONS, fields, Unknown::Ignored)
            }
        };
        let settings = fields::accept(form, form_type, fields, unknown)?;
        let pair = |setting: fields::Setting| (setting.name, setting.values);
        Ok(settings.all.into_iter().map(pair).collect())
    }
}
