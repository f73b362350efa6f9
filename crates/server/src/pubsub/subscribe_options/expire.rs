//! `pubsub#expire` (XEP-0060 §12.18, §12.3).

use waxwing_stanza::xep::xep_0082_datetime::DateTime;

use crate::pubsub::fields::{Field, Kind, Settings};
use crate::pubsub::service::ServiceKind;

/// When the subscription ends by itself: a time, or `presence` for as long as the subscriber is there.
pub(crate) static FIELD: Field = Field {
    name: "expire",
    label: "The DateTime at which a leased subscription will end or has ended, or `presence`",
    kind: Kind::Lease,
    default: |_| &[],
};

/// The time, in microseconds since the Unix epoch.
pub(crate) fn micros(settings: &Settings) -> Option<i64> {
    let text = settings.text(&FIELD, ServiceKind::Host);
    let time: DateTime = text.parse().ok()?;
    Some(time.micros())
}
