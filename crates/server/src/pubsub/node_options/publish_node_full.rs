//! `pubsub#publish_node_full` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// What happens where there is room for no more items (§7.1.2.6).
pub(crate) static FIELD: Field = Field {
    name: "publish_node_full",
    label: "Action to be performed by the service when publishing on a full node",
    kind: Kind::Choice(ACTIONS),
    default: |_| &["retract-oldest"],
};

/// What can be chosen.
const ACTIONS: &[(&str, &str)] = &[
    (
        "retract-oldest",
        "Retract the oldest item alongside publishing the new item",
    ),
    (
        "discard-oldest",
        "Discard the oldest item alongside publishing the new item",
    ),
    ("reject", "Reject publication of the new item"),
];
