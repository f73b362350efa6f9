//! `pubsub#language` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// The language of what is published.
pub(crate) static FIELD: Field = Field {
    name: "language",
    label: "The default language of the node",
    kind: Kind::Text,
    default: |_| &[],
};
