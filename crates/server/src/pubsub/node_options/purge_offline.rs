//! `pubsub#purge_offline` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// Whether what somebody published goes when they do.
pub(crate) static FIELD: Field = Field {
    name: "purge_offline",
    label: "Whether to purge all items when the relevant publisher goes offline",
    kind: Kind::Boolean,
    default: |_| &["0"],
};
