//! `pubsub#title` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// What people call the node.
pub(crate) static FIELD: Field = Field {
    name: "title",
    label: "A friendly name for the node",
    kind: Kind::Text,
    default: |_| &[],
};
