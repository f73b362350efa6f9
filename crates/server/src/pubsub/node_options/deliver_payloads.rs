//! `pubsub#deliver_payloads` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// Whether notifications have the payload (§4.3).
pub(crate) static FIELD: Field = Field {
    name: "deliver_payloads",
    label: "Whether to deliver payloads with event notifications",
    kind: Kind::Boolean,
    default: |_| &["1"],
};
