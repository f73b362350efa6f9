//! What can be configured of a subscription (XEP-0060 §16.4.2): one file and one line an option.

pub(crate) mod deliver;
pub(crate) mod expire;
pub(crate) mod show_values;

use crate::pubsub::fields::Field;

/// All of them, in the order of the form.
pub(crate) static FIELDS: &[&Field] = &[&deliver::FIELD, &show_values::FIELD, &expire::FIELD];
