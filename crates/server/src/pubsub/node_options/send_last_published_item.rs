//! `pubsub#send_last_published_item` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// When the newest item is sent by itself (§6.1.7, §9.2).
pub(crate) static FIELD: Field = Field {
    name: "send_last_published_item",
    label: "When to send the last published item",
    kind: Kind::Choice(TIMES),
    default: |_| &["on_sub_and_presence"],
};

/// What can be chosen.
const TIMES: &[(&str, &str)] = &[
    ("never", "Never"),
    ("on_sub", "When a new subscription is processed"),
    (
        "on_sub_and_presence",
        "When a new subscription is processed and whenever a subscriber comes online",
    ),
];
