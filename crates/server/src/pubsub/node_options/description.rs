//! `pubsub#description` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// What the node is about.
pub(crate) static FIELD: Field = Field {
    name: "description",
    label: "A description of the node",
    kind: Kind::Text,
    default: |_| &[],
};
