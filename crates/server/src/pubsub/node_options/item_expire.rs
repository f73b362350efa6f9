//! `pubsub#item_expire` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// After how many seconds an item goes by itself.
pub(crate) static FIELD: Field = Field {
    name: "item_expire",
    label: "Number of seconds after which to automatically purge items; `max` for no limit",
    kind: Kind::NumberOrMax,
    default: |_| &["max"],
};
