//! [XEP-0060: Publish-Subscribe](https://xmpp.org/extensions/xep-0060.html)
//!
//! Conversation: `xep_0060_pubsub.md`

pub mod errors;
pub mod event;
pub mod owner;
pub mod request;

use waxwing_wire::Element;

use crate::payload::{PayloadError, keywords};

/// Namespace of what subscribers and publishers ask, and the name of the feature.
pub const NS: &str = "http://jabber.org/protocol/pubsub";
/// Namespace of the conditions that errors have beside those of RFC 6120.
pub const NS_ERRORS: &str = "http://jabber.org/protocol/pubsub#errors";
/// Namespace of notifications.
pub const NS_EVENT: &str = "http://jabber.org/protocol/pubsub#event";
/// Namespace of what owners ask.
pub const NS_OWNER: &str = "http://jabber.org/protocol/pubsub#owner";

/// Type of the form with a node's configuration (§16.4.4).
pub const FORM_NODE_CONFIG: &str = "http://jabber.org/protocol/pubsub#node_config";
/// Type of the form with what is known of a node (§16.4.3).
pub const FORM_META_DATA: &str = "http://jabber.org/protocol/pubsub#meta-data";
/// Type of the form with what must be so for an item to be published (§7.1.5).
pub const FORM_PUBLISH_OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";
/// Type of the form by which an owner approves a subscription (§16.4.1).
pub const FORM_AUTHORIZATION: &str = "http://jabber.org/protocol/pubsub#subscribe_authorization";
/// Type of the form with options of a subscription (§16.4.2).
pub const FORM_SUBSCRIBE_OPTIONS: &str = "http://jabber.org/protocol/pubsub#subscribe_options";
/// Name of the command that asks for requests that wait for approval (§8.7).
pub const GET_PENDING: &str = "http://jabber.org/protocol/pubsub#get-pending";

keywords! {
    /// What an entity may do with a node (§4.1).
    pub enum Affiliation {
        /// Everything.
        Owner = "owner",
        /// Publish, subscribe and read.
        Publisher = "publisher",
        /// Publish alone.
        PublishOnly = "publish-only",
        /// Subscribe and read.
        Member = "member",
        /// What the access model gives.
        None = "none",
        /// Nothing.
        Outcast = "outcast",
    }
}

keywords! {
    /// How far a subscription has come (§4.2).
    pub enum SubscriptionState {
        /// There is none.
        None = "none",
        /// An owner has yet to approve it.
        Pending = "pending",
        /// Its options have yet to be given.
        Unconfigured = "unconfigured",
        /// It is in force.
        Subscribed = "subscribed",
    }
}

/// A feature of disco#info: `#name` of the namespace (§10).
pub fn feature(name: &str) -> String {
    format!("{NS}#{name}")
}

#[expect(clippy::unnecessary_wraps, reason = "the payload macro wants it")]
fn read_elements(parent: &Element) -> Result<Vec<Element>, PayloadError> {
    Ok(parent.children().cloned().collect())
}

fn write_elements(parent: &mut Element, elements: &[Element]) {
    for element in elements {
        parent.push(element.clone());
    }
}
