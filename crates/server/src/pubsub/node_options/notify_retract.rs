//! `pubsub#notify_retract` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// Whether subscribers are told that an item was removed, without being asked for it (§7.2.2.1).
pub(crate) static FIELD: Field = Field {
    name: "notify_retract",
    label: "Whether to notify subscribers when items are removed from the node",
    kind: Kind::Boolean,
    default: |_| &["1"],
};
