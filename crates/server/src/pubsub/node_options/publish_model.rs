//! `pubsub#publish_model` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// Who may publish.
pub(crate) static FIELD: Field = Field {
    name: "publish_model",
    label: "The publisher model",
    kind: Kind::Choice(MODELS),
    default: |_| &["publishers"],
};

/// What can be chosen.
const MODELS: &[(&str, &str)] = &[
    ("publishers", "Only publishers may publish"),
    ("subscribers", "Subscribers may publish"),
    ("open", "Anyone may publish"),
];
