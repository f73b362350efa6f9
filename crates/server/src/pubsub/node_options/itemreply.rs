//! `pubsub#itemreply` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// Whom a reply to an item goes to, and with it whether items say who published them (§12.17).
pub(crate) static FIELD: Field = Field {
    name: "itemreply",
    label: "Whether owners or publisher should receive replies to items",
    kind: Kind::Choice(REPLIES),
    default: |_| &["none"],
};

/// What can be chosen.
const REPLIES: &[(&str, &str)] = &[
    ("owner", "Statically specify a replyto of the node owner(s)"),
    (
        "publisher",
        "Dynamically specify a replyto of the item publisher",
    ),
    ("none", "Specify nobody"),
];
