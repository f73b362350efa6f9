//! `pubsub#persist_items` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// Whether items are kept (§4.3).
pub(crate) static FIELD: Field = Field {
    name: "persist_items",
    label: "Whether to persist items to storage",
    kind: Kind::Boolean,
    default: |_| &["1"],
};
