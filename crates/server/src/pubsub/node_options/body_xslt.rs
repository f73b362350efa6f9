//! `pubsub#body_xslt` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// Where clients find a transformation of payloads to message bodies.
pub(crate) static FIELD: Field = Field {
    name: "body_xslt",
    label: "The URL of an XSL transformation which can be applied to payloads in order to generate an appropriate message body element",
    kind: Kind::Text,
    default: |_| &[],
};
