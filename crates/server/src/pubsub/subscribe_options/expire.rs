//! `pubsub#expire` (XEP-0060 §12.18, §12.3).

use crate::pubsub::fields::{Field, Kind};

/// When the subscription ends by itself: a time, or `presence` for as long as the subscriber is there.
pub(crate) static FIELD: Field = Field {
    name: "expire",
    label: "The DateTime at which a leased subscription will end or has ended, or `presence`",
    kind: Kind::Lease,
    default: |_| &[],
};
