//! `pubsub#access_model` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};
use crate::pubsub::service::ServiceKind;

/// Who may subscribe and read (§4.5).
pub(crate) static FIELD: Field = Field {
    name: "access_model",
    label: "Who may subscribe and retrieve items",
    kind: Kind::Choice(MODELS),
    default: |kind| match kind {
        ServiceKind::Account => &["presence"],
        ServiceKind::Host => &["open"],
    },
};

/// All models, in the order of openness.
const MODELS: &[(&str, &str)] = &[
    ("open", "Anyone may subscribe and retrieve items"),
    (
        "presence",
        "Anyone who may see the owner's presence may subscribe and retrieve items",
    ),
    (
        "roster",
        "Anyone in the specified roster groups may subscribe and retrieve items",
    ),
    (
        "authorize",
        "Subscription requests must be approved and only subscribers may retrieve items",
    ),
    (
        "whitelist",
        "Only those on a whitelist may subscribe and retrieve items",
    ),
];
