//! XEP-0313: Message Archive Management.
//!
//! <https://xmpp.org/extensions/xep-0313.html>
//!
//! An account's archive is its log (`archive.rs`); here it is asked.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use waxwing_stanza::xep::xep_0059_rsm::{First, ResultSet};
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0203_delay::Delay;
use waxwing_stanza::xep::xep_0313_archive::{
    End, FEATURE_EXTENDED, FEATURE_GROUPCHAT_FIELD, Fin, Metadata, NS, Query, Start, found,
};
use waxwing_stanza::{Condition, IqType, Payload, StanzaError};
use waxwing_store::{Batch, LogId};
use waxwing_wire::{Element, Writer, ns};

use crate::addressee::Addressee;
use crate::archive::{self, BYTES_MAX, DAYS_MAX, Found, Message, Question, SIZES};
use crate::cx::{Answer, Cx, Handled, Iq};
use crate::registry::{Feature, Registrar, Source};
use crate::server::{Server, unavailable};
use crate::session::{Out, Session};
use crate::undelivered;

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(313),
    title: "Message Archive Management",
    version: "1.1.3",
    domain_options: &[DAYS_MAX, BYTES_MAX],
    shapes: || vec![SIZES.shape()],
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.iq(&[Addressee::OwnAccount], IqType::Set, query);
    registrar.iq(&[Addressee::OwnAccount], IqType::Get, form);
    registrar.iq(&[Addressee::OwnAccount], IqType::Get, metadata);
    // Whether there is such an account, nobody learns from it.
    registrar.iq(&[Addressee::OtherAccount], IqType::Set, of_others);
    registrar.iq(&[Addressee::OtherAccount], IqType::Get, of_others);
    registrar.iq(&[Addressee::OtherAccount], IqType::Get, metadata_of_others);
    registrar.bind2_result(|server, session| metadata_together(server, session).boxed());
    for feature in [NS, FEATURE_EXTENDED, FEATURE_GROUPCHAT_FIELD] {
        registrar.disco(&[Addressee::OwnAccount], feature);
    }
}

/// §7.1: of a user's archive, that user alone is authorized.
async fn of_others(_: Cx, _: Iq<Query>) -> Handled {
    Err(Condition::Forbidden.into())
}

async fn metadata_of_others(_: Cx, _: Iq<Metadata>) -> Handled {
    Err(Condition::Forbidden.into())
}

/// §4.1.5.
async fn form(_: Cx, _: Iq<Query>) -> Handled {
    Ok(Answer::with(&Query {
        query_id: None,
        node: None,
        form: Some(archive::form()),
        set: None,
        is_flipped: false,
    }))
}

/// §5.
async fn metadata(cx: Cx, _: Iq<Metadata>) -> Handled {
    let ends = archive::ends(&cx.server, &cx.session.account).await?;
    Ok(Answer::with(&reach(&cx.server, ends)).behind_commits())
}

/// Together with a resource (XEP-0386 §3.2): from there on everything comes by itself. What waits is not cleared: not each
/// client that binds so asks for what it lacks, and what it does ask for waits no longer.
async fn metadata_together(
    server: Server,
    session: Arc<Session>,
) -> Result<Option<Element>, StanzaError> {
    // What is told of must be there.
    let durable = server.store().commit(Batch::new()).await;
    durable.map_err(|error| unavailable(&error))?;
    let ends = archive::ends(&server, &session.account).await?;
    Ok(Some(reach(&server, ends).write()))
}

fn reach(server: &Server, ends: Option<(LogId, LogId)>) -> Metadata {
    let ids = server.stanza_ids();
    Metadata {
        start: ends.map(|(start, _)| Start {
            id: ids.text(start),
            timestamp: DateTime::from_unix_micros(start.0),
        }),
        end: ends.map(|(_, end)| End {
            id: ids.text(end),
            timestamp: DateTime::from_unix_micros(end.0),
        }),
    }
}

/// §4.
async fn query(cx: Cx, iq: Iq<Query>) -> Handled {
    let query = iq.payload;
    let ids = cx.server.stanza_ids();
    let question = Question::read(ids, &query)?;
    let found = archive::find(&cx.server, &cx.session.account, question).await?;
    let fin = Fin {
        is_complete: found.is_complete,
        set: Some(which(&cx, &found)),
    };
    let query_id = query.query_id.as_deref();
    let messages = found.messages.iter();
    let mut results: Vec<Out> = messages
        .map(|message| result(&cx, message, query_id))
        .collect();
    if query.is_flipped {
        results.reverse();
    }
    Ok(Answer::with(&fin).after(results).behind_commits())
}

/// Which page was found (§4.3.2).
fn which(cx: &Cx, found: &Found) -> ResultSet {
    let name = |message: &Message| cx.server.stanza_ids().text(message.id);
    ResultSet {
        first: found.messages.first().map(|message| First {
            index: None,
            id: name(message),
        }),
        last: found.messages.last().map(name),
        count: found.count,
        ..ResultSet::NONE
    }
}

/// A message of the archive on its way (§4.2). The session that gets it there needs not get it again (§6.1.1); nobody needs
/// to, once a client that takes messages has acknowledged it.
fn result(cx: &Cx, message: &Message, query_id: Option<&str>) -> Out {
    let delay = Delay {
        from: None,
        stamp: DateTime::from_unix_micros(message.id.0),
        reason: String::new(),
    };
    let id = cx.server.stanza_ids().text(message.id);
    let session = &cx.session;
    let mut writer = Writer::new(ns::CLIENT);
    writer.start(ns::CLIENT, "message");
    writer.attr("from", session.account.jid.as_ref());
    writer.attr("to", session.jid.as_ref());
    writer.raw(&found(&message.stanza, &id, query_id, &delay));
    writer.end();
    let bytes: Bytes = writer.finish();
    let waits = message.is_undelivered && undelivered::is_for(&cx.server, session, &message.stanza);
    let settles = waits && session.settles_by_reading();
    if waits && !settles {
        session.note_given(message.id);
    }
    Out::answering(bytes, settles.then_some(message.id))
}
