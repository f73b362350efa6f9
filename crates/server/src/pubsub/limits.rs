//! How much there may be of anything.

use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::{BareJid, Condition, StanzaError};
use waxwing_store::KeyRange;
use waxwing_store::limits::ROWS_MAX;

use crate::options::{OptionDefault, OptionSpec};
use crate::pubsub::fields::Settings;
use crate::pubsub::node::Node;
use crate::pubsub::node_options::{item_expire, max_items, max_payload_size};
use crate::pubsub::request::Request;
use crate::pubsub::service::{Service, ServiceKind};
use crate::pubsub::stored::{BY_CREATOR, BY_FORMER_OWNER, GONE, NODES};
use crate::pubsub::subscribe_options::expire;
use crate::pubsub::subscriptions;
use crate::server::{Server, unavailable};

/// Most nodes of an account, and of what it owns at a service.
pub(crate) const NODES_MAX: OptionSpec = OptionSpec {
    name: "pubsub_nodes_max",
    default: OptionDefault::Number {
        value: 2_000,
        min: 10,
        max: 10_000,
    },
    unit: "nodes",
    doc: "Most nodes of an account's own, and as many that it may make at a pubsub service, and redirects of nodes that it has deleted; more is refused with <resource-constraint/>.",
};

/// Most items of a node.
pub(crate) const ITEMS_MAX: OptionSpec = OptionSpec {
    name: "pubsub_items_max",
    default: OptionDefault::Number {
        value: 100_000,
        min: 1,
        max: 1_000_000,
    },
    unit: "items",
    doc: "Most items that a node keeps, whatever its configuration says; the oldest make room for new ones.",
};

/// Most bytes of a payload.
pub(crate) const PAYLOAD_BYTES_MAX: OptionSpec = OptionSpec {
    name: "pubsub_payload_bytes_max",
    default: OptionDefault::Number {
        value: 192 * 1024,
        min: 1024,
        max: 512 * 1024,
    },
    unit: "bytes",
    doc: "Most bytes of the payload of an item; a larger one is refused with <payload-too-big/>.",
};

/// Most subscriptions of one account at one service.
pub(crate) const SUBSCRIPTIONS_MAX: OptionSpec = OptionSpec {
    name: "pubsub_subscriptions_max",
    default: OptionDefault::Number {
        value: 1_000,
        min: 1,
        max: 10_000,
    },
    unit: "subscriptions",
    doc: "Most subscriptions of one account at one service; more is refused with <too-many-subscriptions/>.",
};

/// Longest lease of a subscription.
pub(crate) const LEASE_DAYS_MAX: OptionSpec = OptionSpec {
    name: "pubsub_lease_days_max",
    default: OptionDefault::Number {
        value: 366,
        min: 1,
        max: 36_500,
    },
    unit: "days",
    doc: "How far in the future a subscription that has an end may end; a later end becomes this.",
};

/// All of them.
pub(crate) const OPTIONS: &[OptionSpec] = &[
    NODES_MAX,
    ITEMS_MAX,
    PAYLOAD_BYTES_MAX,
    SUBSCRIPTIONS_MAX,
    LEASE_DAYS_MAX,
];

/// Most items that one commit removes one by one.
pub(crate) const REMOVED_AT_ONCE_MAX: usize = 100;

/// Most bytes of a node's configuration, or of a subscription's options.
const SETTINGS_BYTES_MAX: usize = 16 * 1024;

const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// Refuses one node more than there may be.
pub(crate) async fn check_nodes(
    server: &Server,
    service: &Service,
    who: &BareJid,
) -> Result<(), StanzaError> {
    let most = server.options().number(&NODES_MAX);
    let count = match service.kind {
        ServiceKind::Account => {
            let count = server
                .store()
                .count(&NODES, &service.owner, &KeyRange::all());
            count.await.map_err(|error| unavailable(&error))?
        }
        // Whoever owns them now: who gives them away has no more, and who is given some has no fewer.
        ServiceKind::Host => {
            let key = KeyRange::exactly(&(who.as_ref(), service.jid.as_ref()));
            let made = server
                .store()
                .find(&NODES, &BY_CREATOR, &key, at_most(most));
            made.await.map_err(|error| unavailable(&error))?.len() as u64
        }
    };
    check(count, most, "nodes")
}

/// Refuses one more redirect of a deleted node than there may be: as many as nodes.
pub(crate) async fn check_redirects(
    server: &Server,
    service: &Service,
    who: &BareJid,
) -> Result<(), StanzaError> {
    let most = server.options().number(&NODES_MAX);
    let key = KeyRange::exactly(&(who.as_ref(), service.jid.as_ref()));
    let store = server.store();
    let gone = store.find(&GONE, &BY_FORMER_OWNER, &key, at_most(most));
    let gone = gone.await.map_err(|error| unavailable(&error))?;
    check(gone.len() as u64, most, "nodes that have gone elsewhere")
}

fn at_most(most: u64) -> usize {
    usize::try_from(most).unwrap_or(ROWS_MAX).min(ROWS_MAX)
}

fn check(count: u64, most: u64, what: &str) -> Result<(), StanzaError> {
    match count < most {
        true => Ok(()),
        false => Err(StanzaError::from(Condition::ResourceConstraint)
            .with_text(format!("there are {most} {what} already"))),
    }
}

/// Refuses one subscription more than an account, or a node, may have.
pub(crate) async fn check_subscriptions(request: &Request, node: &Node) -> Result<(), StanzaError> {
    let server = request.server();
    let most = server.options().number(&SUBSCRIPTIONS_MAX);
    let own = subscriptions::of_entity(server, &request.service, &request.who).await?;
    let mut of_node = subscriptions::count(server, node).await?;
    if of_node >= subscriptions::SUBSCRIPTIONS_MAX as u64 {
        // Those that are over count no longer.
        subscriptions::sweep(server).await?;
        of_node = subscriptions::count(server, node).await?;
    }
    match (own.len() as u64) < most && of_node < subscriptions::SUBSCRIPTIONS_MAX as u64 {
        true => Ok(()),
        false => Err(Fault::TooManySubscriptions.error()),
    }
}

/// How many items a node keeps.
pub(crate) fn items(server: &Server, node: &Node) -> u64 {
    let most = server.options().number(&ITEMS_MAX);
    node.number(&max_items::FIELD)
        .map_or(most, |own| own.min(most))
}

/// How many bytes a payload has at most.
pub(crate) fn payload_bytes(server: &Server, node: &Node) -> u64 {
    let most = server.options().number(&PAYLOAD_BYTES_MAX);
    let own = node.number(&max_payload_size::FIELD);
    own.map_or(most, |own| own.min(most))
}

/// Refuses a configuration that is too large, or that would keep nothing.
pub(crate) fn check_settings(kind: ServiceKind, settings: &Settings) -> Result<(), StanzaError> {
    let refuse = |text: &str| Err(StanzaError::from(Condition::NotAcceptable).with_text(text));
    let values = settings.all.iter().flat_map(|set| &set.values);
    let bytes: usize = values.map(String::len).sum();
    if bytes > SETTINGS_BYTES_MAX {
        return refuse("the configuration is too large");
    }
    if settings.number(&max_items::FIELD, kind) == Some(0) {
        return refuse("a node that keeps items keeps one at least");
    }
    if settings.number(&item_expire::FIELD, kind) == Some(0) {
        return refuse(
            "an item stays for a second at least; persist_items says whether it is kept",
        );
    }
    Ok(())
}

/// A subscription's end that is later than there may be is brought forward (§12.18).
pub(crate) fn lease(server: &Server, mut settings: Settings) -> Result<Settings, StanzaError> {
    let text = settings.text(&expire::FIELD, ServiceKind::Host);
    let Ok(until) = text.parse::<DateTime>() else {
        return Ok(settings);
    };
    let now = i64::try_from(server.now_micros()).unwrap_or(i64::MAX);
    if until.micros() <= now {
        return Err(Fault::InvalidOptions.error().with_text("that time is over"));
    }
    let days = i64::try_from(server.options().number(&LEASE_DAYS_MAX)).unwrap_or(i64::MAX);
    let latest = DateTime::from_micros(now.saturating_add(days.saturating_mul(DAY_MICROS)));
    if until > latest {
        settings.set(&expire::FIELD, &[&latest.to_string()]);
    }
    Ok(settings)
}
