//! `pubsub#notify_config` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// Whether subscribers are told of another configuration (§8.2.5.3).
pub(crate) static FIELD: Field = Field {
    name: "notify_config",
    label: "Whether to notify subscribers when the node configuration changes",
    kind: Kind::Boolean,
    default: |_| &["0"],
};
