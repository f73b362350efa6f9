//! `pubsub#roster_groups_allowed` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// With the access model *roster*: in which groups one must be.
pub(crate) static FIELD: Field = Field {
    name: "roster_groups_allowed",
    label: "The roster group(s) allowed to subscribe and retrieve items",
    kind: Kind::Texts,
    default: |_| &[],
};
