//! `pubsub#deliver_notifications` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// Whether anybody is told of anything.
pub(crate) static FIELD: Field = Field {
    name: "deliver_notifications",
    label: "Whether to deliver event notifications",
    kind: Kind::Boolean,
    default: |_| &["1"],
};
