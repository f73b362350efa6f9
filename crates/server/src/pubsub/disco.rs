//! What a service says of itself and of its nodes (XEP-0060 §5.1 to §5.5).

use waxwing_stanza::StanzaError;
use waxwing_stanza::xep::xep_0004_forms::{DataForm, Field, FieldKind, FormKind};
use waxwing_stanza::xep::xep_0030_disco::{DiscoInfo, Feature, Identity, Item};
use waxwing_stanza::xep::xep_0059_rsm::{First, ResultSet};
use waxwing_stanza::xep::xep_0060_pubsub::{Affiliation, FORM_META_DATA, NS};
use waxwing_stanza::xep::xep_0082_datetime::DateTime;

use crate::cx::{Cx, IqHead};
use crate::pubsub::items::{self, Question};
use crate::pubsub::node::{self, Node};
use crate::pubsub::node_options::{
    access_model, contact, description, language, max_items, payload_type, persist_items,
    publish_model, title,
};
use crate::pubsub::request::{Request, Standing};
use crate::pubsub::{affiliations, lists, subscriptions};

/// What is said of a node: only to whom may read it.
pub(crate) async fn info(cx: Cx, head: &IqHead, name: &str) -> Result<DiscoInfo, StanzaError> {
    let request = Request::new(cx, head);
    let standing = request.node(Some(name)).await?;
    request.check_read(&standing).await?;
    Ok(DiscoInfo {
        node: Some(name.to_owned()),
        identities: vec![Identity::new(
            "pubsub",
            "leaf",
            title_of(&standing.node).as_deref(),
        )],
        features: vec![Feature::new(NS)],
        forms: vec![meta_data(&request, &standing.node).await?],
    })
}

fn title_of(node: &Node) -> Option<String> {
    let title = node.text(&title::FIELD);
    (!title.is_empty()).then(|| title.to_owned())
}

/// What is known of a node (§5.4).
async fn meta_data(request: &Request, node: &Node) -> Result<DataForm, StanzaError> {
    let server = request.server();
    let all = affiliations::all(server, node).await?;
    let of = |wanted: Affiliation| -> Vec<String> {
        let found = all.iter().filter(|(_, affiliation)| *affiliation == wanted);
        found.map(|(jid, _)| jid.to_string()).collect()
    };
    let created = DateTime::from_unix_micros(node.stored.created_micros).to_string();
    let subscribers = subscriptions::count(server, node).await?.to_string();
    let line = |text: &str| vec![text.to_owned()];
    let contacts = node.values(&contact::FIELD).map(str::to_owned).collect();
    let rows = [
        (
            "type",
            FieldKind::TextSingle,
            line(node.text(&payload_type::FIELD)),
        ),
        ("creator", FieldKind::JidSingle, line(&node.stored.creator)),
        ("creation_date", FieldKind::TextSingle, line(&created)),
        (
            "title",
            FieldKind::TextSingle,
            line(node.text(&title::FIELD)),
        ),
        (
            "description",
            FieldKind::TextSingle,
            line(node.text(&description::FIELD)),
        ),
        (
            "language",
            FieldKind::ListSingle,
            line(node.text(&language::FIELD)),
        ),
        ("contact", FieldKind::JidMulti, contacts),
        (
            "access_model",
            FieldKind::ListSingle,
            line(node.text(&access_model::FIELD)),
        ),
        (
            "publish_model",
            FieldKind::ListSingle,
            line(node.text(&publish_model::FIELD)),
        ),
        (
            "max_items",
            FieldKind::TextSingle,
            line(node.text(&max_items::FIELD)),
        ),
        ("owner", FieldKind::JidMulti, of(Affiliation::Owner)),
        ("publisher", FieldKind::JidMulti, of(Affiliation::Publisher)),
        ("num_subscribers", FieldKind::TextSingle, line(&subscribers)),
    ];
    let form = DataForm::of_type(FormKind::Result, FORM_META_DATA);
    Ok(rows.into_iter().fold(form, |form, (name, kind, values)| {
        let values: Vec<&str> = values
            .iter()
            .map(String::as_str)
            .filter(|value| !value.is_empty())
            .collect();
        match values.is_empty() {
            true => form,
            false => form.with_field(Field::new(&format!("pubsub#{name}"), values).with_kind(kind)),
        }
    }))
}

/// Nodes that are read at once to be listed.
const NODES_AT_ONCE: usize = 100;

/// The nodes that who asks may read (§5.2), by name, or those behind one of them (XEP-0059); and which page that is, where
/// there is more. Those that are not shown do not count.
pub(crate) async fn nodes(
    cx: Cx,
    head: &IqHead,
    set: Option<&ResultSet>,
) -> Result<(Vec<Item>, Option<ResultSet>), StanzaError> {
    let request = Request::new(cx, head);
    lists::check_forward(set)?;
    if request.is_closed().await? {
        return Ok((Vec::new(), None));
    }
    let most = set.and_then(|set| set.max).unwrap_or(u64::MAX);
    let after = set.and_then(|set| set.after.clone());
    let mut after = after.filter(|name| !name.is_empty());
    let is_first = after.is_none();
    let (mut found, mut bytes, mut looked_at) = (Vec::new(), 0, 0);
    let is_whole = 'walk: loop {
        let (server, service) = (request.server(), &request.service);
        let some = node::following(server, service, after.as_deref(), NODES_AT_ONCE).await?;
        let is_end = some.len() < NODES_AT_ONCE;
        for node in some {
            after = Some(node.name.clone());
            let Some(node) = seen(&request, node).await? else {
                continue;
            };
            bytes += items::listed_bytes(&[&node.name, node.text(&title::FIELD)]);
            if bytes > items::PAGE_BYTES_MAX || found.len() as u64 >= most {
                break 'walk false;
            }
            after = Some(node.name.clone());
            found.push(Item {
                jid: request.service.jid.clone().into(),
                name: title_of(&node),
                node: Some(node.name),
            });
        }
        looked_at += NODES_AT_ONCE;
        if is_end || looked_at >= node::NODES_LISTED_MAX {
            break is_end;
        }
    };
    if set.is_none() && is_whole {
        return Ok((found, None));
    }
    let page = ResultSet {
        first: found.first().and_then(|first| {
            Some(First {
                index: is_first.then_some(0),
                id: first.node.clone()?,
            })
        }),
        last: found.last().and_then(|last| last.node.clone()),
        ..ResultSet::NONE
    };
    Ok((found, Some(page)))
}

/// A node, where who asks may read it.
async fn seen(request: &Request, node: Node) -> Result<Option<Node>, StanzaError> {
    let standing = Standing {
        affiliation: affiliations::of(request.server(), &node, &request.who).await?,
        node,
    };
    let may_read = request.check_read(&standing).await.is_ok();
    Ok(may_read.then_some(standing.node))
}

/// The items of a node, by name alone (§5.5), and which page that is, where there is more.
pub(crate) async fn items(
    cx: Cx,
    head: &IqHead,
    name: &str,
    set: Option<&ResultSet>,
) -> Result<(Vec<Item>, Option<ResultSet>), StanzaError> {
    let request = Request::new(cx, head);
    let standing = request.node(Some(name)).await?;
    request.check_read(&standing).await?;
    let node = &standing.node;
    if !node.is(&persist_items::FIELD) {
        return Ok((Vec::new(), None));
    }
    let question = Question {
        set: set.cloned(),
        ..Question::default()
    };
    let found = items::page(request.server(), node, &question).await?;
    let item = |id| Item {
        jid: request.service.jid.clone().into(),
        node: None,
        name: Some(id),
    };
    let names = found.items.into_iter().map(|found| item(found.id));
    Ok((names.collect(), found.set))
}
