//! `pubsub#subscribe` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// Whether anybody may subscribe.
pub(crate) static FIELD: Field = Field {
    name: "subscribe",
    label: "Whether to allow subscriptions",
    kind: Kind::Boolean,
    default: |_| &["1"],
};
