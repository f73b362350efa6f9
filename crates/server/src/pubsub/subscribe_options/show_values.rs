//! `pubsub#show-values` (XEP-0060 §16.4.2).

use crate::pubsub::fields::{Field, Kind};

/// How available a subscriber must be to be told. Who chooses nothing is told whenever there is somebody to tell.
pub(crate) static FIELD: Field = Field {
    name: "show-values",
    label: "The presence states for which an entity wants to receive notifications",
    kind: Kind::Choices(VALUES),
    default: |_| &[],
};

/// What can be chosen; `online` is a `<show/>` that is not there.
const VALUES: &[(&str, &str)] = &[
    ("chat", "Want to Chat"),
    ("online", "Available"),
    ("away", "Away"),
    ("xa", "Extended Away"),
    ("dnd", "Do Not Disturb"),
];
