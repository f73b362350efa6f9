//! `pubsub#contact` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// Whom to ask about the node.
pub(crate) static FIELD: Field = Field {
    name: "contact",
    label: "The JIDs of those to contact with questions",
    kind: Kind::Jids,
    default: |_| &[],
};
