//! `pubsub#notify_sub` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// Whether owners are told who subscribes and unsubscribes.
pub(crate) static FIELD: Field = Field {
    name: "notify_sub",
    label: "Whether to notify owners about new subscribers and unsubscribes",
    kind: Kind::Boolean,
    default: |_| &["0"],
};
