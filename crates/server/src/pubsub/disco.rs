//! What a service says of itself and of its nodes (XEP-0060 §5.1 to §5.5).

use waxwing_stanza::StanzaError;
use waxwing_stanza::xep::xep_0004_forms::{DataForm, Field, FieldKind, FormKind};
use waxwing_stanza::xep::xep_0030_disco::{DiscoInfo, Feature, Identity, Item};
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
use crate::pubsub::{affiliations, subscriptions};

/// What is written around a name in a list.
const LISTED_AROUND_BYTES: usize = 64;

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

/// The nodes that who asks may read (§5.2).
pub(crate) async fn nodes(cx: Cx, head: &IqHead) -> Result<Vec<Item>, StanzaError> {
    let request = Request::new(cx, head);
    let (mut found, mut bytes) = (Vec::new(), 0);
    for node in node::all(request.server(), &request.service).await? {
        // A character may be written as six.
        bytes += 6 * (node.name.len() + node.text(&title::FIELD).len()) + LISTED_AROUND_BYTES;
        if bytes > items::PAGE_BYTES_MAX {
            break;
        }
        let affiliation = affiliations::of(request.server(), &node, &request.who).await?;
        let standing = Standing { node, affiliation };
        if request.check_read(&standing).await.is_ok() {
            found.push(Item {
                jid: request.service.jid.clone().into(),
                name: title_of(&standing.node),
                node: Some(standing.node.name),
            });
        }
    }
    Ok(found)
}

/// The items of a node, by name alone (§5.5).
pub(crate) async fn items(cx: Cx, head: &IqHead, name: &str) -> Result<Vec<Item>, StanzaError> {
    let request = Request::new(cx, head);
    let standing = request.node(Some(name)).await?;
    request.check_read(&standing).await?;
    let node = &standing.node;
    if !node.is(&persist_items::FIELD) {
        return Ok(Vec::new());
    }
    let found = items::page(request.server(), node, &Question::default()).await?;
    let item = |id| Item {
        jid: request.service.jid.clone().into(),
        node: None,
        name: Some(id),
    };
    Ok(found
        .items
        .into_iter()
        .map(|found| item(found.id))
        .collect())
}
