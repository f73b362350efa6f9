//! `pubsub#deliver` (XEP-0060 §16.4.2).

use crate::pubsub::fields::{Field, Kind};

/// Whether the subscriber is told of anything.
pub(crate) static FIELD: Field = Field {
    name: "deliver",
    label: "Whether an entity wants to receive or disable notifications",
    kind: Kind::Boolean,
    default: |_| &["1"],
};
