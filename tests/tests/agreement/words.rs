//! How accounts, clients and acts are written, and what the server answers is read.

use std::collections::{BTreeMap, BTreeSet};

use waxwing_wire::Element;

use crate::model::{Account, Act, Blocked, Client, Item, account_of};

pub(crate) const ROSTER: &str = "jabber:iq:roster";
pub(crate) const BLOCKING: &str = "urn:xmpp:blocking";
pub(crate) const DOMAIN: &str = "example.org";
pub(crate) fn name_of(account: Account) -> String {
    format!("user{account}@{DOMAIN}")
}

pub(crate) fn resource_of(client: Client) -> String {
    format!("client{client}")
}

pub(crate) fn address_of(client: Client) -> String {
    format!("{}/{}", name_of(account_of(client)), resource_of(client))
}

pub(crate) fn account_named(jid: &str) -> Option<Account> {
    let (user, _) = jid.split_once('@')?;
    user.strip_prefix("user")?.parse().ok()
}

pub(crate) fn client_named(jid: &str) -> Option<Client> {
    let (_, resource) = jid.split_once('/')?;
    resource.strip_prefix("client")?.parse().ok()
}

pub(crate) fn written(blocked: Blocked) -> String {
    match blocked {
        Blocked::Account(account) => name_of(account),
        Blocked::Client(client) => address_of(client),
        Blocked::Domain => DOMAIN.to_owned(),
    }
}

pub(crate) fn read(jid: &str) -> Blocked {
    let account = account_named(jid).map_or(Blocked::Domain, Blocked::Account);
    client_named(jid).map_or(account, Blocked::Client)
}

pub(crate) fn presence(shown: Option<&str>) -> Option<String> {
    let shown = shown?;
    Some(match shown.split_once(' ') {
        Some((show, status)) => {
            format!("<presence><show>{show}</show><status>{status}</status></presence>")
        }
        None => "<presence/>".to_owned(),
    })
}

/// What is said to the server about an account.
pub(crate) fn request(id: &str, whom: Account, act: &Act) -> String {
    let contact = name_of(whom);
    let set = |payload: String| format!("<iq type='set' id='{id}'>{payload}</iq>");
    let item = |attributes: &str| {
        set(format!(
            "<query xmlns='{ROSTER}'><item jid='{contact}' {attributes}/></query>"
        ))
    };
    let change = |name: &str, blocked: Blocked| {
        let jid = written(blocked);
        set(format!(
            "<{name} xmlns='{BLOCKING}'><item jid='{jid}'/></{name}>"
        ))
    };
    let kind = match act {
        Act::Set { name } => return item(&format!("name='{name}'")),
        Act::Remove => return item("subscription='remove'"),
        Act::Block(blocked) => return change("block", *blocked),
        Act::Unblock(blocked) => return change("unblock", *blocked),
        Act::Subscribe => "subscribe",
        Act::Subscribed => "subscribed",
        Act::Unsubscribe => "unsubscribe",
        Act::Unsubscribed => "unsubscribed",
        Act::Show(_) | Act::Leave => panic!("{act:?} is about nobody"),
    };
    format!("<presence id='{id}' to='{contact}' type='{kind}'/>")
}

pub(crate) fn items(answer: &Element) -> BTreeMap<Account, Item> {
    let query = answer.child(ROSTER, "query").unwrap();
    let item = |item: &Element| {
        let subscription = item.attr("subscription").unwrap();
        let read = Item {
            name: item.attr("name").unwrap_or_default().to_owned(),
            to: matches!(subscription, "to" | "both"),
            from: matches!(subscription, "from" | "both"),
            ask: item.attr("ask") == Some("subscribe"),
        };
        (account_named(item.attr("jid").unwrap()).unwrap(), read)
    };
    query.children().map(item).collect()
}

pub(crate) fn listed(answer: &Element) -> BTreeSet<Blocked> {
    let list = answer.child(BLOCKING, "blocklist").unwrap();
    list.children()
        .map(|item| read(item.attr("jid").unwrap()))
        .collect()
}
