//! `pubsub#node_type` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// What the node is: a leaf, as collections are left out.
pub(crate) static FIELD: Field = Field {
    name: "node_type",
    label: "Whether the node is a leaf (default)",
    kind: Kind::Choice(TYPES),
    default: |_| &["leaf"],
};

/// What can be chosen.
const TYPES: &[(&str, &str)] = &[("leaf", "The node is a leaf node (default)")];
