//! `pubsub#tempsub` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// Whether subscriptions end when the subscriber goes (§12.3).
pub(crate) static FIELD: Field = Field {
    name: "tempsub",
    label: "Whether to make all subscriptions temporary, based on subscriber presence",
    kind: Kind::Boolean,
    default: |_| &["0"],
};
