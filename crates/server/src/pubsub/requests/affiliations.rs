//! Retrieve affiliations (XEP-0060 §5.7).

use waxwing_stanza::StanzaError;
use waxwing_stanza::xep::xep_0059_rsm::ResultSet;
use waxwing_stanza::xep::xep_0060_pubsub::Affiliation;
use waxwing_stanza::xep::xep_0060_pubsub::request::{Affiliated, Affiliations, Part, Pubsub};

use crate::cx::{Answer, Handled};
use crate::pubsub::lists::{self, Listed};
use crate::pubsub::request::Request;
use crate::pubsub::{affiliations, items, node};

impl Listed for (String, Affiliation) {
    fn name(&self) -> String {
        self.0.clone()
    }

    fn bytes(&self) -> usize {
        items::listed_bytes(&[&self.0])
    }
}

/// Those of who asks, with all nodes or one.
pub(super) async fn get(
    request: &Request,
    asked: &Affiliations,
    set: Option<&ResultSet>,
) -> Handled {
    let affiliated = |(node, affiliation)| Affiliated {
        node: Some(node),
        jid: None,
        affiliation,
    };
    let mut all = all(request).await?;
    if let Some(node) = &asked.node {
        all.retain(|(name, _)| name == node);
    }
    let (found, page) = lists::page(all, set)?;
    let mut answer = Pubsub::of(Affiliations {
        node: asked.node.clone(),
        affiliations: found.into_iter().map(affiliated).collect(),
    });
    answer.parts.extend(page.map(Part::Set));
    Ok(Answer::with(&answer))
}

async fn all(request: &Request) -> Result<Vec<(String, Affiliation)>, StanzaError> {
    let (server, service) = (request.server(), &request.service);
    if !request.is_own() {
        return affiliations::of_entity(server, service, &request.who).await;
    }
    // An account owns whatever it has.
    let nodes = node::all(server, service).await?.into_iter();
    Ok(nodes.map(|node| (node.name, Affiliation::Owner)).collect())
}
