//! `pubsub#notification_type` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// Of which type notifications are.
pub(crate) static FIELD: Field = Field {
    name: "notification_type",
    label: "Specify the delivery style for notifications",
    kind: Kind::Choice(TYPES),
    default: |_| &["headline"],
};

/// What can be chosen. A message of type *normal* waits for a subscriber who is not there (XEP-0160).
const TYPES: &[(&str, &str)] = &[
    ("normal", "Messages of type normal"),
    ("headline", "Messages of type headline"),
];
