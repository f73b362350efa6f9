//! `pubsub#type` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// What is published here: mostly the namespace of the payloads.
pub(crate) static FIELD: Field = Field {
    name: "type",
    label: "The semantic type information of data in the node",
    kind: Kind::Text,
    default: |_| &[],
};
