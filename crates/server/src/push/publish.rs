//! One notification: what it says, and the way to its app server (XEP-0357 §7).

use std::sync::Arc;

use waxwing_stanza::xep::xep_0004_forms::{DataForm, Field, FormKind};
use waxwing_stanza::xep::xep_0060_pubsub::request::{Item, Publish, PublishOptions, Pubsub};
use waxwing_stanza::xep::xep_0357_push::{
    FORM_SUMMARY, LAST_BODY, LAST_SENDER, MESSAGE_COUNT, Notification,
};
use waxwing_stanza::{Condition, Jid, Payload, StanzaError};
use waxwing_wire::{Element, ns};

use super::due::Due;
use super::{PRIVATE_ENDPOINTS, REVEALS, WEB_PUSH, web};
use crate::addressee::{Addressee, Destination, destination};
use crate::component::Question;
use crate::directory::Account;
use crate::outside::WebError;
use crate::server::Server;
use crate::session::{Out, Session};

/// How long a push service has for its answer.
pub(super) const ANSWER_SECS_MAX: u64 = 30;

/// Why a notification did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// There is no way to the app server, or it is not there.
    Unreachable,
    /// It has said no.
    Refused,
    /// It has not answered.
    Late,
    /// It has answered by this status code.
    Status {
        /// RFC 8030 §5, RFC 9110 §15.
        status: u16,
        /// When it wants to be asked again.
        retry_after_secs: Option<u64>,
    },
    /// Its address may not be reached.
    Private,
    /// This server has too much to send at the moment.
    Busy,
    /// This server is not set up to send it.
    Unready,
    /// What the client has said of it is nothing that can be posted to.
    Options,
}

impl Failed {
    /// Whether no attempt will ever be better.
    pub(super) fn is_final(&self) -> bool {
        // RFC 8030 §7.3: 404, where the subscription has ended; 410 is what most send.
        matches!(
            self,
            Failed::Status {
                status: 404 | 410,
                ..
            } | Failed::Options
        )
    }

    /// Whether it says nothing of the service.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self, Failed::Busy | Failed::Unready)
    }

    /// Whether it is to be tried again by itself: where an operator has to do something first, the next message says it.
    pub(super) fn passes(&self) -> bool {
        !self.is_final() && *self != Failed::Unready
    }

    pub(super) fn retry_after_secs(&self) -> Option<u64> {
        match self {
            Failed::Status {
                retry_after_secs, ..
            } => *retry_after_secs,
            _ => None,
        }
    }

    /// For lists.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Failed::Unreachable => "unreachable",
            Failed::Refused => "refused",
            Failed::Late => "late",
            Failed::Busy => "busy",
            Failed::Unready => "not-set-up",
            Failed::Private => "private-address",
            Failed::Options => "bad-options",
            Failed::Status { status, .. } => match status {
                404 | 410 => "gone",
                429 => "too-many",
                300..=399 => "redirect",
                400..=499 => "rejected",
                _ => "service-error",
            },
        }
    }
}

impl From<WebError> for Failed {
    fn from(error: WebError) -> Failed {
        match error {
            WebError::Private => Failed::Private,
            WebError::Unreachable => Failed::Unreachable,
            WebError::Late => Failed::Late,
            WebError::Malformed => Failed::Refused,
            WebError::Busy => Failed::Busy,
            WebError::Unready => Failed::Unready,
        }
    }
}

/// Where an app server is.
enum Way {
    /// It is built in.
    Here,
    /// It is somebody at an external component of this server.
    Component,
}

fn way(server: &Server, account: &Account, jid: &Jid) -> Option<Way> {
    let to = destination(&account.jid, Some(jid), |domain| server.place(domain));
    match to {
        Destination::Here(Addressee::Domain, domain)
            if domain.domain() == account.jid.domain() && server.options().flag(&WEB_PUSH) =>
        {
            Some(Way::Here)
        }
        Destination::Component(_) => Some(Way::Component),
        _ => None,
    }
}

/// Whether it is the server itself that was asked to post.
fn is_own(account: &Account, jid: &Jid) -> bool {
    *jid == *account.jid.domain()
}

/// Refuses what could never be pushed to, where the client learns of it.
///
/// # Errors
/// What is said to the client.
pub(crate) fn check(
    server: &Server,
    session: &Session,
    jid: &Jid,
    form: Option<&DataForm>,
) -> Result<(), StanzaError> {
    let account = &session.account;
    match way(server, account, jid) {
        Some(Way::Here) => {
            let private = server.options().flag(&PRIVATE_ENDPOINTS);
            let none = DataForm::new(FormKind::Submit);
            let wrong = match web::Subscription::read(form.unwrap_or(&none)) {
                Ok(subscription) if private || !subscription.is_private() => return Ok(()),
                Ok(_) => "the endpoint has a private address, and this server posts to none",
                Err(wrong) => wrong.text(),
            };
            Err(StanzaError::from(Condition::NotAcceptable).with_text(wrong))
        }
        Some(Way::Component) => Ok(()),
        None if server.place(jid.domain()).is_none() => Err(server.beyond(session)),
        None if is_own(account, jid) => Err(StanzaError::from(Condition::ServiceUnavailable)
            .with_text("this server does not post notifications itself")),
        None => Err(StanzaError::from(Condition::ServiceUnavailable)
            .with_text("there is no app server at this address")),
    }
}

/// Sends a notification.
pub(super) async fn publish(
    server: &Server,
    account: &Arc<Account>,
    due: &Due,
) -> Result<(), Failed> {
    let jid: Jid = due.place.0.parse().map_err(|_| Failed::Options)?;
    match way(server, account, &jid) {
        Some(Way::Here) => web::post(server, account, due).await,
        Some(Way::Component) => tell(server, account, jid, due).await,
        None if is_own(account, &jid) => Err(Failed::Unready),
        None => Err(Failed::Unreachable),
    }
}

/// Publishes to an app server that is a component.
async fn tell(server: &Server, account: &Arc<Account>, jid: Jid, due: &Due) -> Result<(), Failed> {
    let connected = server.component(jid.domain());
    let session = connected.and_then(|component| component.session());
    let session = session.ok_or(Failed::Unreachable)?;
    let to = jid.as_str().to_owned();
    let question = Question::to(server, jid, &account.jid).map_err(|_| Failed::Busy)?;
    let iq = Element::new(ns::CLIENT, "iq")
        .with_attr("type", "set")
        .with_attr("id", &question.id)
        .with_attr("from", account.jid.domain())
        .with_attr("to", to)
        .with_child(publication(server, due).write())
        .to_bytes(ns::CLIENT);
    // It does not read as fast as it is told; nothing of that may end its stream.
    if session.state().is_behind(iq.len()) {
        return Err(Failed::Busy);
    }
    session.push(Out::stanza(iq));
    let answer = question.answer(server).await;
    match answer.ok_or(Failed::Late)?.kind().as_deref() {
        Some("result") => Ok(()),
        _ => Err(Failed::Refused),
    }
}

/// What is published.
fn publication(server: &Server, due: &Due) -> Pubsub {
    let notification = Notification {
        form: summary(server, due),
    };
    let item = Item {
        id: None,
        publisher: None,
        payload: vec![notification.write()],
    };
    let node = Some(due.place.1.clone()).filter(|node| !node.is_empty());
    let mut publication = Pubsub::of(Publish {
        node,
        items: vec![item],
    });
    if let Some(form) = due.stored.form() {
        let options = PublishOptions { form: Some(form) };
        publication.parts.push(options.into());
    }
    publication
}

/// As much of a notification as is revealed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Revealed<'a> {
    pub(super) count: Option<usize>,
    pub(super) sender: Option<&'a str>,
    pub(super) body: Option<&'a str>,
}

/// As much as the operator wants revealed now, whatever it was when the message came.
pub(super) fn revealed<'a>(reveals: &str, due: &'a Due) -> Revealed<'a> {
    let about = &due.about;
    let (count, sender, body) = match reveals {
        "nothing" => (false, false, false),
        "count" => (true, false, false),
        "sender" => (true, true, false),
        _ => (true, true, true),
    };
    Revealed {
        count: count.then_some(due.count),
        sender: about.sender.as_deref().filter(|_| sender),
        body: about.body.as_deref().filter(|_| body),
    }
}

fn summary(server: &Server, due: &Due) -> Option<DataForm> {
    let revealed = revealed(server.options().text(&REVEALS), due);
    let count = revealed.count?.to_string();
    let mut form = DataForm::of_type(FormKind::Submit, FORM_SUMMARY)
        .with_field(Field::new(MESSAGE_COUNT, [count.as_str()]));
    if let Some(sender) = revealed.sender {
        form = form.with_field(Field::new(LAST_SENDER, [sender]));
    }
    if let Some(body) = revealed.body {
        form = form.with_field(Field::new(LAST_BODY, [body]));
    }
    Some(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_it() {
        let status = |status| Failed::Status {
            status,
            retry_after_secs: None,
        };
        for (failed, word, is_final) in [
            (status(404), "gone", true),
            (status(410), "gone", true),
            (status(429), "too-many", false),
            (status(302), "redirect", false),
            (status(413), "rejected", false),
            (status(500), "service-error", false),
            (Failed::from(WebError::Unreachable), "unreachable", false),
            (Failed::from(WebError::Malformed), "refused", false),
            (Failed::from(WebError::Unready), "not-set-up", false),
            (Failed::from(WebError::Late), "late", false),
            (Failed::from(WebError::Private), "private-address", false),
            (Failed::from(WebError::Busy), "busy", false),
            (Failed::Options, "bad-options", true),
        ] {
            assert_eq!((failed.word(), failed.is_final()), (word, is_final));
            let is_ours = matches!(failed, Failed::Busy | Failed::Unready);
            assert_eq!(failed.is_ours(), is_ours);
        }
    }
}
