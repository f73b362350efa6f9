//! One node to which all but one are subscribed, and what that one publishes there, at a rate (XEP-0060).

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::timeout;
use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0030_disco::{DiscoInfo, DiscoItems};
use waxwing_stanza::xep::xep_0060_pubsub::owner::{self, Delete, PubsubOwner};
use waxwing_stanza::xep::xep_0060_pubsub::request::{Create, Item, Publish, Pubsub, Subscribe};
use waxwing_wire::{Element, Stanza, ns};

use super::{Need, Scenario};
use crate::run::{Client, Run, Steered, leave};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "pubsub",
    about: "all clients but one subscribe to a node, to which that one publishes, at a rate",
    rate: Need::Must,
    clients_min: 2,
    play: |run| Box::pin(play(run)),
};

/// How long a server may take for a request that is not measured.
const ANSWER_SECS_MAX: u64 = 60;

async fn play(run: Rc<Run>) {
    let mut others = run.login_all(|_, _| ()).await.into_iter();
    let mut publisher = match others.next() {
        Some(first) => first.release().await,
        None => None,
    };
    let node = match &mut publisher {
        Some(publisher) => made(&run, publisher).await,
        None => None,
    };
    let publisher = publisher.map(|client| Steered::new(&run, client, |_| ()));
    let (Some((service, node)), Some(publisher)) = (node, publisher) else {
        // There is nothing to measure, but others may wait for it to begin.
        run.begin_measuring().await;
        run.end_measuring();
        return leave(&run, others).await;
    };
    let readers = subscribed(&run, others, &service, &node).await;
    let numbers: Vec<u32> = readers.iter().map(|reader| reader.number).collect();
    run.enter("publishing");
    run.begin_measuring().await;
    if let (Some(rate), false) = (run.plan.rate, numbers.is_empty()) {
        let mut ticks = run.ticks(rate);
        while let Some(tick) = ticks.recv().await {
            if !publisher.orders.is_closed()
                && run.has_room()
                && let Some(id) = run.item(publisher.number, &numbers, tick.planned_micros)
            {
                let item = published(&service, &node, &id, &run.plan.body);
                publisher.orders.send(item, numbers.len() as u64);
            }
        }
    }
    run.end_measuring();
    run.settle().await;
    if let Some(mut publisher) = publisher.release().await {
        let delete = PubsubOwner::of(owner::Part::Delete(Delete {
            node: Some(node),
            redirect: None,
        }));
        let _told = ask(&mut publisher, Some(&service), "set", &delete.write()).await;
        publisher.stream.close().await;
    }
    leave(&run, readers).await;
}

/// Asks for something and waits for the answer; the error is for people.
async fn ask(
    client: &mut Client,
    to: Option<&str>,
    kind: &str,
    payload: &Element,
) -> Result<Element, String> {
    let mut iq = Element::new(ns::CLIENT, "iq")
        .with_attr("type", kind)
        .with_attr("id", "load")
        .with_child(payload.clone());
    if let Some(to) = to {
        iq.set_attr("to", to);
    }
    let answer = timeout(Duration::from_secs(ANSWER_SECS_MAX), async {
        let sent = client.stream.send(iq.to_bytes(ns::CLIENT)).await;
        sent.map_err(|error| error.to_string())?;
        loop {
            let stanza = client.stream.next().await.map_err(|end| end.to_string())?;
            if stanza.name() == "iq" && stanza.id().as_deref() == Some("load") {
                return answered(&stanza);
            }
        }
    });
    answer
        .await
        .unwrap_or_else(|_elapsed| Err("no answer came".to_owned()))
}

fn answered(stanza: &Stanza) -> Result<Element, String> {
    if stanza.kind().as_deref() == Some("result") {
        return Ok(stanza.element());
    }
    let error = waxwing_stanza::StanzaError::find_in(stanza);
    Err(error.map_or_else(
        || "refused".to_owned(),
        |error| error.condition.as_str().to_owned(),
    ))
}

/// Finds the service and makes a node there.
async fn made(run: &Rc<Run>, publisher: &mut Client) -> Option<(String, String)> {
    run.enter("making a node");
    let made = async {
        let service = service(publisher).await?;
        let create = Pubsub::of(Create { node: None });
        let answer = ask(publisher, Some(&service), "set", &create.write()).await?;
        let answer = Pubsub::find(&answer).map_err(|error| error.to_string())?;
        let node = answer.into_iter().flat_map(|answer| answer.parts);
        let node = node.filter_map(|part| match part {
            waxwing_stanza::xep::xep_0060_pubsub::request::Part::Create(made) => made.node,
            _ => None,
        });
        let node = node.into_iter().next();
        Ok::<_, String>((service, node.ok_or("the node has no name")?))
    };
    match made.await {
        Ok(made) => Some(made),
        Err(error) => {
            run.figures(|figures| figures.error(format!("node: {error}")));
            None
        }
    }
}

/// The service of the domain, which lists it (XEP-0030).
async fn service(client: &mut Client) -> Result<String, String> {
    let domain = client.stream.jid().domain().to_owned();
    let items = DiscoItems::question(None).write();
    let answer = ask(client, Some(&domain), "get", &items).await?;
    let items = DiscoItems::find(&answer).map_err(|error| error.to_string())?;
    for item in items.into_iter().flat_map(|items| items.items) {
        let info = DiscoInfo::question(None).write();
        let Ok(answer) = ask(client, Some(item.jid.as_str()), "get", &info).await else {
            continue;
        };
        if let Ok(Some(info)) = DiscoInfo::find(&answer)
            && info.has_identity("pubsub", "service")
        {
            return Ok(item.jid.to_string());
        }
    }
    Err(format!("{domain} lists no publish-subscribe service"))
}

/// Has all of them subscribe, a few at a time; who cannot is counted and goes.
async fn subscribed(
    run: &Rc<Run>,
    clients: impl Iterator<Item = Steered>,
    service: &str,
    node: &str,
) -> Vec<Steered> {
    run.enter("subscribing");
    let visits = clients.map(|one| async {
        let mut client = one.release().await?;
        let subscribe = Pubsub::of(Subscribe {
            node: Some(node.to_owned()),
            jid: Some(client.stream.jid().bare().into()),
        });
        let answer = ask(&mut client, Some(service), "set", &subscribe.write()).await;
        if let Err(error) = answer {
            run.figures(|figures| figures.error(format!("subscription: {error}")));
            return None;
        }
        Some(Steered::new(run, client, |_| ()))
    });
    let visits = futures_util::stream::iter(visits).buffer_unordered(run.plan.at_once);
    let mut readers: Vec<Steered> = visits.filter_map(|one| async { one }).collect().await;
    readers.retain(|reader| !reader.orders.is_closed());
    readers
}

fn published(service: &str, node: &str, id: &str, body: &str) -> Bytes {
    let entry = Element::new("http://www.w3.org/2005/Atom", "entry");
    let title = Element::new("http://www.w3.org/2005/Atom", "title").with_text(body);
    let publish = Pubsub::of(Publish {
        node: Some(node.to_owned()),
        items: vec![Item {
            payload: vec![entry.with_child(title)],
            ..Item::named(id)
        }],
    });
    Element::new(ns::CLIENT, "iq")
        .with_attr("type", "set")
        .with_attr("id", "item")
        .with_attr("to", service)
        .with_child(publish.write())
        .to_bytes(ns::CLIENT)
}
