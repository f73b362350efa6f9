//! Sessions of whoever has proved who they are: alone (RFC 6120 §7), or with everything together (XEP-0386).

use std::sync::Arc;

use futures_util::FutureExt;
use waxwing_stanza::{Condition, FullJid, StanzaError};
use waxwing_stream::server::{Bind2Request, Bound2};
use waxwing_wire::Element;

use super::clients;
use crate::connection::{Connection, Phase, Step};
use crate::lifecycle;
use crate::login::negotiate;
use crate::server::{Server, unavailable};
use crate::session::Session;

/// Binds a resource with everything that was asked for (XEP-0386 §3).
pub(crate) fn bind(connection: &mut Connection, request: Bind2Request) {
    let Bind2Request {
        jid,
        features,
        user_agent,
        ..
    } = request;
    let told = move |connection: &mut Connection, bound: Result<Arc<Session>, StanzaError>| {
        let session = match bound {
            Ok(session) => session,
            Err(error) => {
                tracing::debug!(condition = ?error.condition, "no resource was bound");
                return negotiate(connection, |negotiation| negotiation.provide_bind2(None));
            }
        };
        let server = connection.server.clone();
        connection.wait_for(async move {
            let results = results(&server, &session, &features).await;
            let seen = user_agent.and_then(|agent| clients::begin(&server, &session, agent));
            if let Some(seen) = seen {
                seen.keep(&server, &session.account).await;
            }
            Box::new(move |connection: &mut Connection| {
                let jid = session.jid.clone();
                let bound = Some(Bound2 { jid, results });
                negotiate(connection, |negotiation| negotiation.provide_bind2(bound));
            }) as Step
        });
    };
    bind_proven(connection, jid, Box::new(told));
}

/// Notes which client has a session that was not bound together with its log-in, or goes on.
pub(crate) fn note(connection: &Connection, session: &Arc<Session>) {
    let Phase::Negotiating(negotiation) = &connection.phase else {
        return;
    };
    let server = connection.server.clone();
    let agent = negotiation.user_agent().cloned();
    let Some(seen) = agent.and_then(|agent| clients::begin(&server, session, agent)) else {
        return;
    };
    let account = session.account.clone();
    let tasks = server.outside().tasks.clone();
    tasks.spawn(async move { seen.keep(&server, &account).await }.boxed());
}

/// How whoever wanted a resource is answered.
type Told = Box<dyn FnOnce(&mut Connection, Result<Arc<Session>, StanzaError>) + Send>;

/// Binds a resource for whoever has proved who they are. What was made worthless while it was proved is no proof: whoever
/// knew a former password is out with those who were in by it.
pub(crate) fn bind_proven(connection: &mut Connection, jid: FullJid, told: Told) {
    let (server, number) = (connection.server.clone(), connection.number);
    if let Some(pass) = connection.guest.take() {
        server.directory().note_guest(&jid.bare(), pass);
    }
    connection.wait_for(async move {
        let bound = match server.account(&jid.bare()).await {
            Ok(Some(account)) => lifecycle::bind(&server, &account, jid, number),
            Ok(None) => Err(Condition::NotAuthorized.into()),
            Err(error) => Err(error),
        };
        // Nothing is waited for between the session and what ends it with its connection.
        Box::new(move |connection: &mut Connection| match bound {
            Ok(session) => check(connection, session, told),
            Err(error) => told(connection, Err(error)),
        }) as Step
    });
}

fn check(connection: &mut Connection, session: Arc<Session>, told: Told) {
    connection.adopted = Some(session.clone());
    let (server, proof) = (connection.server.clone(), connection.proof.clone());
    // What changes from here on ends this session, too.
    if !proof.may_be_outdated(&server) {
        return told(connection, Ok(session));
    }
    connection.wait_for(async move {
        let holds = proof.holds(&server).await;
        Box::new(move |connection: &mut Connection| {
            let refusal = match holds {
                Ok(true) => return told(connection, Ok(session)),
                Ok(false) => Condition::NotAuthorized.into(),
                Err(error) => unavailable(&error),
            };
            connection.adopted = None;
            lifecycle::end(&connection.server, &session);
            told(connection, Err(refusal));
        }) as Step
    });
}

/// What the client is told of what it asked for, and of its archive.
async fn results(server: &Server, session: &Arc<Session>, features: &[Element]) -> Vec<Element> {
    let mut results = Vec::new();
    for asked in features {
        let feature = server.registry().bind2_feature(asked.ns());
        results.extend(feature.and_then(|feature| feature(server, session, asked)));
    }
    for told in server.registry().bind2_results() {
        match told(server.clone(), session.clone()).await {
            Ok(result) => results.extend(result),
            // It can be asked for.
            Err(error) => {
                tracing::warn!(condition = ?error.condition, "a client was not told all together with its resource");
            }
        }
    }
    results
}
