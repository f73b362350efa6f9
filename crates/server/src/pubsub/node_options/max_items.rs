//! `pubsub#max_items` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};
use crate::pubsub::service::ServiceKind;

/// How many items are kept.
pub(crate) static FIELD: Field = Field {
    name: "max_items",
    label: "The maximum number of items to persist; `max` for the most that the service keeps",
    kind: Kind::NumberOrMax,
    default: |kind| match kind {
        ServiceKind::Account => &["1"],
        ServiceKind::Host => &["max"],
    },
};
