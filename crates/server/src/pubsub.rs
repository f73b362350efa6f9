//! Publish-subscribe: one engine for the host of a domain and for every account (XEP-0060, XEP-0163).
//!
//! A request comes in by `requests.rs` or `owner.rs`, which say what belongs together in one, and goes to a file of its
//! own below them. It finds its node (`request.rs`, `node.rs`), asks what who sent it may do (`privilege.rs`,
//! `access.rs`), changes what is stored (`change.rs`, `items.rs`, `subscriptions.rs`, `affiliations.rs`), and tells others
//! (`notify.rs`). Features that keep other things in step with a node join in there (`links.rs`). Some nodes belong to
//! others, and are stored as none (`attachments.rs`). An access model, an option of a node, a request: each is one file and
//! one line.
//!
//! Who changes a node has its turn, from the first read to the staging of what is written; `links.rs` says in which order
//! turns are taken.

mod access;
mod affiliations;
mod arrivals;
pub(crate) mod attachments;
pub(crate) mod authorization;
pub(crate) mod change;
mod departures;
pub(crate) mod disco;
pub(crate) mod fields;
pub mod forms;
pub(crate) mod items;
mod last;
pub(crate) mod limits;
pub(crate) mod links;
mod lists;
pub(crate) mod node;
pub(crate) mod node_options;
mod notices;
mod notify;
pub(crate) mod owner;
pub(crate) mod pending;
mod privilege;
pub mod profile;
mod request;
pub(crate) mod requests;
pub(crate) mod service;
pub(crate) mod stored;
mod subscribe_options;
mod subscriptions;
mod sweeping;

pub(crate) use arrivals::{Word, arrived, gained, interested, regrouped, shared};
pub(crate) use attachments::sweep_all as sweep_attachments;
pub(crate) use departures::{departed, everybody, removed, removed_later};
pub(crate) use sweeping::{expire_all as expire, sweep_all as sweep};

use waxwing_stanza::xep::xep_0004_forms::DataForm;
use waxwing_stanza::xep::xep_0060_pubsub::FORM_AUTHORIZATION;
use waxwing_stanza::{MessageType, Payload, StanzaError};

use crate::addressee::{Addressee, Destination};
use crate::hooks::Sending;
use crate::hosts::Service as HostService;
use service::Service;

/// An owner's decision in a message (§8.6), and which service it is for; `None` for all other messages.
pub(crate) fn decision(sending: &Sending) -> Result<Option<(Service, DataForm)>, StanzaError> {
    let service = match &sending.destination {
        Destination::Here(Addressee::OwnAccount, account) => Service::of_account(account),
        // Most messages are chat to others.
        Destination::Here(Addressee::OtherAccount, account)
            if sending.kind == MessageType::Normal =>
        {
            Service::of_account(account)
        }
        Destination::Here(Addressee::Host(HostService::Pubsub), host) => Service::of_host(host),
        _ => return Ok(None),
    };
    if sending.kind == MessageType::Error {
        return Ok(None);
    }
    let form = DataForm::find_in(&sending.stanza)?;
    let is_decision = |form: &DataForm| form.form_type() == Some(FORM_AUTHORIZATION);
    Ok(form.filter(is_decision).map(|form| (service, form)))
}
