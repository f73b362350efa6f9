//! Requests to subscribe that wait for an owner, who asks for them by a command (XEP-0060 §8.7).

use futures_util::FutureExt;
use waxwing_stanza::StanzaError;
use waxwing_stanza::xep::xep_0004_forms::{Choice, DataForm, Field, FieldKind, FormKind};
use waxwing_stanza::xep::xep_0050_commands::{Fault, NoteKind};
use waxwing_stanza::xep::xep_0060_pubsub::{
    Affiliation, FORM_AUTHORIZATION, GET_PENDING, SubscriptionState,
};
use waxwing_store::{Index, KeyRange};

use crate::cx::{Cx, IqHead};
use crate::effects::Effects;
use crate::pubsub::node::Node;
use crate::pubsub::request::Request;
use crate::pubsub::service::ServiceKind;
use crate::pubsub::stored::{SUBSCRIPTIONS, StoredSubscription};
use crate::pubsub::subscriptions::Subscription;
use crate::pubsub::{affiliations, authorization, fields, items};
use crate::server::{Server, unavailable};
use crate::xep::xep_0050_commands::{AdHoc, Outcome, Step};

/// Most nodes that the form has; fewer where their names are long, so that it fits a stanza.
const NODES_LISTED_MAX: usize = 500;

/// Most requests that are sent at once; when they are decided, the next ones are.
const REQUESTS_SENT_MAX: usize = 100;

/// The field that says which node.
const NODE: &str = "node";

/// Who waits for an owner, by service and node.
pub(crate) static BY_PENDING: Index<
    (String, String, String),
    StoredSubscription,
    (String, String),
> = Index::ordered("by-pending", |(node, _, _), stored| {
    let is_pending = stored.state == SubscriptionState::Pending.as_str();
    let key = is_pending.then(|| (stored.service.clone(), node.clone()));
    key.into_iter().collect()
});

/// The command.
pub(crate) const COMMAND: AdHoc = AdHoc {
    node: GET_PENDING,
    name: "Show who waits to subscribe to your nodes",
    faces: &[],
    stages: 1,
    may: |cx, head| async move { is_owner(&Request::new(cx, &head)).await }.boxed(),
    run: |cx, head, step| run(cx, head, step).boxed(),
};

/// Whether who asks owns any node, and so can approve anybody (§8.7.3.3).
async fn is_owner(request: &Request) -> Result<bool, StanzaError> {
    if request.service.kind == ServiceKind::Account {
        return Ok(request.is_own());
    }
    Ok(!owned(request).await?.is_empty())
}

/// The nodes of a host that who asks owns, by name.
async fn owned(request: &Request) -> Result<Vec<String>, StanzaError> {
    let (server, service) = (request.server(), &request.service);
    let all = affiliations::of_entity(server, service, &request.who).await?;
    let owned = all
        .into_iter()
        .filter(|(_, affiliation)| *affiliation == Affiliation::Owner);
    let mut owned: Vec<String> = owned.map(|(node, _)| node).collect();
    owned.sort_unstable();
    Ok(owned)
}

async fn run(cx: Cx, head: IqHead, step: Step) -> Result<Outcome, StanzaError> {
    let request = Request::new(cx, &head);
    match step {
        Step::Show { .. } => nodes(&request).await,
        Step::CarryOut(form) => {
            let name = fields::single(&form, NODE).map_err(|_| Fault::BadPayload)?;
            let name = name.ok_or(Fault::BadPayload)?;
            let node = request.owned(Some(name)).await?;
            requests(&request, &node).await
        }
    }
}

/// Asks for which node the requests are wanted.
async fn nodes(request: &Request) -> Result<Outcome, StanzaError> {
    let mut waiting = match request.service.kind {
        ServiceKind::Account => Waiting::of_all(request),
        ServiceKind::Host => Waiting::of(request, owned(request).await?),
    };
    let (mut found, mut bytes, mut is_more) = (Vec::new(), 0, false);
    while let Some(name) = waiting.next().await? {
        bytes += items::listed_bytes(&[&name]);
        is_more = found.len() == NODES_LISTED_MAX || bytes > items::PAGE_BYTES_MAX;
        if is_more {
            break;
        }
        found.push(name);
    }
    if found.is_empty() {
        let text = "Nobody waits to subscribe to any of your nodes.";
        return Ok(Outcome::done(NoteKind::Info, text, Effects::none()));
    }
    let choice = |name: &String| Choice {
        label: None,
        value: name.clone(),
    };
    let field = Field::new(&fields::var(NODE), [])
        .with_kind(FieldKind::ListSingle)
        .with_label("Node")
        .required();
    let mut form = DataForm::of_type(FormKind::Form, FORM_AUTHORIZATION).with_field(Field {
        options: found.iter().map(choice).collect(),
        ..field
    });
    form.title = Some("Requests to subscribe".to_owned());
    form.instructions = vec![
        "Choose a node. For each request that waits there you get a message by which you decide."
            .to_owned(),
    ];
    if is_more {
        let more = "There are more nodes; they are shown when the requests at these are decided.";
        form.instructions.push(more.to_owned());
    }
    Ok(Outcome::Ask(form))
}

/// A walk through the nodes of a service at which somebody waits, by name, that steps over those of other owners.
struct Waiting<'a> {
    server: &'a Server,
    service: String,
    /// The nodes that count, the last one first; nothing for all.
    owned: Option<Vec<String>>,
    /// The last one found.
    last: Option<String>,
}

impl<'a> Waiting<'a> {
    fn of_all(request: &'a Request) -> Waiting<'a> {
        Waiting {
            server: request.server(),
            service: request.service.jid.to_string(),
            owned: None,
            last: None,
        }
    }

    fn of(request: &'a Request, mut owned: Vec<String>) -> Waiting<'a> {
        owned.reverse();
        Waiting {
            owned: Some(owned),
            ..Waiting::of_all(request)
        }
    }

    async fn next(&mut self) -> Result<Option<String>, StanzaError> {
        loop {
            let range = KeyRange::prefix(&(self.service.as_str(),));
            let range = match (&self.owned, &self.last) {
                (Some(owned), _) => match owned.last() {
                    Some(least) => range.from(&(self.service.as_str(), least.as_str())),
                    None => return Ok(None),
                },
                (None, Some(last)) => range.after(&(self.service.as_str(), last.as_str())),
                (None, None) => range,
            };
            let store = self.server.store();
            let found = store.find(&SUBSCRIPTIONS, &BY_PENDING, &range, 1).await;
            let found = found.map_err(|error| unavailable(&error))?;
            let Some(found) = found.into_iter().next() else {
                return Ok(None);
            };
            let (name, _, _) = found.key;
            self.last = Some(name.clone());
            let Some(owned) = &mut self.owned else {
                return Ok(Some(name));
            };
            while owned.pop_if(|least| *least < name).is_some() {}
            if owned.pop_if(|least| *least == name).is_some() {
                return Ok(Some(name));
            }
        }
    }
}

/// Sends each request to the session that asks (§8.7.4). It is an answer: nothing of it waits for another session, or for
/// another time.
async fn requests(request: &Request, node: &Node) -> Result<Outcome, StanzaError> {
    let (server, session) = (request.server(), &request.cx.session);
    let service = node.service.jid.to_string();
    let rows = server.store().find(
        &SUBSCRIPTIONS,
        &BY_PENDING,
        &KeyRange::exactly(&(service.as_str(), node.name.as_str())),
        REQUESTS_SENT_MAX + 1,
    );
    let rows = rows.await.map_err(|error| unavailable(&error))?;
    let is_more = rows.len() > REQUESTS_SENT_MAX;
    let all = rows.into_iter().take(REQUESTS_SENT_MAX);
    let all = all.filter_map(|found| Subscription::read(found.key, found.value));
    let (mut effects, mut sent) = (Effects::none(), 0);
    for one in all.filter(|one| !one.is_over(server)) {
        let question = authorization::question(server, node, &one)?;
        effects.deliver(session, question.to(session.jid.as_str(), &[]));
        sent += 1;
    }
    let (kind, text) = match (sent, is_more) {
        (0, false) => (NoteKind::Info, "Nobody waits there.".to_owned()),
        (sent, false) => (NoteKind::Info, format!("Requests that were sent: {sent}.")),
        (sent, true) => (
            NoteKind::Warn,
            format!("Requests that were sent: {sent}. Ask again for more when these are decided."),
        ),
    };
    Ok(Outcome::done(kind, text, effects))
}
