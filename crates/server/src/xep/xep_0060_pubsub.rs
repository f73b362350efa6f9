//! XEP-0060: Publish-Subscribe, on a host of its own; the engine is in `pubsub.rs`.
//!
//! <https://xmpp.org/extensions/xep-0060.html>

use waxwing_stanza::IqType;
use waxwing_stanza::xep::xep_0030_disco::Identity;
use waxwing_stanza::xep::xep_0060_pubsub::{NS, feature};

use crate::addressee::Addressee;
use crate::hosts::Service;
use crate::pubsub::{limits, owner, pending, requests, stored};
use crate::registry::{Feature, Registrar, Source, Status};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(60),
    title: "Publish-Subscribe",
    version: "1.30.0",
    status: Status::Partial("collections (XEP-0248), digests, and subscribers of other servers"),
    options: limits::OPTIONS,
    shapes: stored::shapes,
    register,
    ..Feature::NONE
};

const HOST: Addressee = Addressee::Host(Service::Pubsub);

/// Who answers.
const SERVICES: &[Addressee] = &[HOST, Addressee::OwnAccount, Addressee::OtherAccount];

/// What a host and an account can alike (§10).
pub(crate) const FEATURES: &[&str] = &[
    "auto-create",
    "config-node",
    "config-node-max",
    "create-and-configure",
    "create-nodes",
    "delete-items",
    "delete-nodes",
    "get-pending",
    "instant-nodes",
    "item-ids",
    "last-published",
    "leased-subscription",
    "manage-subscriptions",
    "member-affiliation",
    "meta-data",
    "modify-affiliations",
    "multi-items",
    "multi-subscribe",
    "outcast-affiliation",
    "persistent-items",
    "presence-notifications",
    "publish",
    "publish-node-full",
    "publish-only-affiliation",
    "publish-options",
    "publisher-affiliation",
    "purge-nodes",
    "retract-items",
    "retrieve-affiliations",
    "retrieve-default",
    "retrieve-default-sub",
    "retrieve-items",
    "retrieve-subscriptions",
    "rsm",
    "subscribe",
    "subscription-notifications",
    "subscription-options",
];

fn register(registrar: &mut Registrar<'_>) {
    registrar.iq(SERVICES, IqType::Get, requests::get);
    registrar.iq(SERVICES, IqType::Set, requests::set);
    registrar.iq(SERVICES, IqType::Get, owner::get);
    registrar.iq(SERVICES, IqType::Set, owner::set);
    // Of a stranger's account nothing is told, not even that it is there.
    registrar.ad_hoc(&[HOST, Addressee::OwnAccount], pending::COMMAND);
    registrar.identity(
        &[HOST],
        &Identity::new("pubsub", "service", Some("Publish-Subscribe")),
    );
    registrar.disco(SERVICES, NS);
    for name in FEATURES {
        registrar.disco(SERVICES, &feature(name));
    }
    registrar.disco(&[HOST], &feature("access-open"));
}
