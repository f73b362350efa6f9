//! What can be configured of a node (XEP-0060 §16.4.4): one file and one line an option.

pub(crate) mod access_model;
pub(crate) mod body_xslt;
pub(crate) mod contact;
pub(crate) mod dataform_xslt;
pub(crate) mod deliver_notifications;
pub(crate) mod deliver_payloads;
pub(crate) mod description;
pub(crate) mod item_expire;
pub(crate) mod itemreply;
pub(crate) mod language;
pub(crate) mod max_items;
pub(crate) mod max_payload_size;
pub(crate) mod node_type;
pub(crate) mod notification_type;
pub(crate) mod notify_config;
pub(crate) mod notify_delete;
pub(crate) mod notify_retract;
pub(crate) mod notify_sub;
pub(crate) mod payload_type;
pub(crate) mod persist_items;
pub(crate) mod presence_based_delivery;
pub(crate) mod publish_model;
pub(crate) mod publish_node_full;
pub(crate) mod purge_offline;
pub(crate) mod roster_groups_allowed;
pub(crate) mod send_last_published_item;
pub(crate) mod subscribe;
pub(crate) mod tempsub;
pub(crate) mod title;

use crate::pubsub::fields::Field;

/// All of them, in the order of the form.
pub(crate) static FIELDS: &[&Field] = &[
    &title::FIELD,
    &description::FIELD,
    &payload_type::FIELD,
    &language::FIELD,
    &contact::FIELD,
    &access_model::FIELD,
    &roster_groups_allowed::FIELD,
    &publish_model::FIELD,
    &subscribe::FIELD,
    &tempsub::FIELD,
    &deliver_notifications::FIELD,
    &deliver_payloads::FIELD,
    &presence_based_delivery::FIELD,
    &notification_type::FIELD,
    &send_last_published_item::FIELD,
    &notify_config::FIELD,
    &notify_delete::FIELD,
    &notify_retract::FIELD,
    &notify_sub::FIELD,
    &persist_items::FIELD,
    &max_items::FIELD,
    &item_expire::FIELD,
    &publish_node_full::FIELD,
    &purge_offline::FIELD,
    &max_payload_size::FIELD,
    &itemreply::FIELD,
    &node_type::FIELD,
    &body_xslt::FIELD,
    &dataform_xslt::FIELD,
];
