//! `pubsub#dataform_xslt` (XEP-0060 §16.4.4).

use crate::pubsub::fields::{Field, Kind};

/// Where clients find a transformation of payloads to forms.
pub(crate) static FIELD: Field = Field {
    name: "dataform_xslt",
    label: "The URL of an XSL transformation which can be applied to payloads in order to generate a data form",
    kind: Kind::Text,
    default: |_| &[],
};
