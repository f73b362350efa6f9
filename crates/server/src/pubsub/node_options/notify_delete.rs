//! `pubsub#notify_delete` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// Whether subscribers are told that the node was deleted. §8.4.2 has them told; who sets this to no does not want it.
pub(crate) static FIELD: Field = Field {
    name: "notify_delete",
    label: "Whether to notify subscribers when the node is deleted",
    kind: Kind::Boolean,
    default: |_| &["1"],
};
