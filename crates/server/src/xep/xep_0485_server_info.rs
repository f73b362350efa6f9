//! XEP-0485: PubSub Server Information: what a domain says of itself at its pubsub service, where its operator agrees.
//!
//! <https://xmpp.org/extensions/xep-0485.html>

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use waxwing_stanza::xep::xep_0060_pubsub::request::Item;
use waxwing_stanza::xep::xep_0092_version::Version;
use waxwing_stanza::xep::xep_0485_server_info::{Domain, NODE, NS, ServerInfo};
use waxwing_stanza::{BareJid, Payload, StanzaError};
use waxwing_wire::Element;

use crate::hosts::{PUBSUB_HOST, Service as HostService};
use crate::options::{OptionDefault, OptionSpec, Options};
use crate::pubsub::change::Change;
use crate::pubsub::fields::Settings;
use crate::pubsub::items;
use crate::pubsub::node::{self, Node};
use crate::pubsub::node_options::max_items;
use crate::pubsub::owner::delete;
use crate::pubsub::service::Service;
use crate::registry::{Feature, Registrar, Source, Status};
use crate::server::{Server, unavailable};
use crate::xep::xep_0092_version as version;

/// Whether a domain agrees.
pub const SHOW: OptionSpec = OptionSpec {
    name: "server_info",
    default: OptionDefault::Flag(false),
    unit: "",
    doc: "Whether the domain says in the node 'serverinfo' of its pubsub service what it runs, and lets other servers name it there among those with which they federate (XEP-0485).",
};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(485),
    title: "PubSub Server Information",
    version: "1.0.0",
    status: Status::Partial("other domains, before there is federation"),
    domain_options: &[SHOW],
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.domain_disco(NS, is_shown);
    registrar.reserve_node(NODE);
    registrar.on_settings(bring_up_to_date);
}

/// Without a service of its own, a domain has no place for it.
fn is_shown(options: &Options) -> bool {
    options.flag(&SHOW) && !options.text(&PUBSUB_HOST).is_empty()
}

/// The name of the one item.
const CURRENT: &str = "current";

/// Makes the nodes of all domains say what is so, or removes them.
fn bring_up_to_date(server: Server) -> BoxFuture<'static, Result<(), StanzaError>> {
    async move {
        let hosts = server.hosts();
        for domain in server.domains() {
            let pubsub = hosts.of(domain).find(|(service, _)| *service == HostService::Pubsub);
            let (Some((_, host)), Ok(own)) = (pubsub, domain.parse::<BareJid>()) else {
                continue;
            };
            let Ok(host) = host.parse::<BareJid>() else {
                continue;
            };
            let service = Service::of_host(&host);
            let turn = server.node_turn(&service.jid, NODE).await;
            let change = Change::new(&server, service.clone(), own.clone(), turn);
            let node = node::find(&server, &service, NODE).await?;
            let is_foreign = |node: &Node| node.stored.creator != own.as_ref();
            if node.as_ref().is_some_and(is_foreign) {
                tracing::warn!(%host, node = NODE, "somebody else has this node: the domain says nothing there of itself");
                continue;
            }
            let effects = match (is_shown(&server.options_of(domain)), node) {
                (true, _) => published(change, &info(&server, domain)).await?,
                (false, Some(node)) => Some(delete::removed(change, &node, None).await?),
                (false, None) => None,
            };
            if let Some(effects) = effects {
                let done = server.carry_out(effects).await;
                done.map_err(|error| unavailable(&error))?;
            }
        }
        Ok(())
    }
    .boxed()
}

async fn published(
    mut change: Change,
    info: &Element,
) -> Result<Option<crate::effects::Effects>, StanzaError> {
    let mut settings = Settings::default();
    settings.set(&max_items::FIELD, &["1"]);
    let node = change.find_or_make(NODE, settings).await?;
    let newest = items::newest(change.server(), &node).await?;
    if newest.is_some_and(|item| item.payload == info.to_bytes("")) {
        return Ok(None);
    }
    let item = Item {
        payload: vec![info.clone()],
        ..Item::named(CURRENT)
    };
    change.publish(&node, &item).await?;
    Ok(Some(change.into_effects()))
}

fn info(server: &Server, domain: &str) -> Element {
    let version = server.options().flag(&version::SHOW).then(|| Version {
        name: Some("Waxwing".to_owned()),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        os: None,
    });
    let domains = vec![Domain {
        name: domain.to_owned(),
        federation: None,
    }];
    ServerInfo { domains, version }.write()
}
