//! `pubsub#max_payload_size` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// How large a payload may be.
pub(crate) static FIELD: Field = Field {
    name: "max_payload_size",
    label: "The maximum payload size in bytes",
    kind: Kind::Number,
    default: |_| &[],
};
