//! `pubsub#presence_based_delivery` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// Whether only those who are there are told (§12.4).
pub(crate) static FIELD: Field = Field {
    name: "presence_based_delivery",
    label: "Whether to deliver notifications to available users only",
    kind: Kind::Boolean,
    default: |_| &["0"],
};
