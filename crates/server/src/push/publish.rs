//! One notification: what it says, and the way to its app server (XEP-0357 §7).

use std::sync::Arc;

use waxwing_stanza::xep::xep_0004_forms::{DataForm, Field, FormKind};
use waxwing_stanza::xep::xep_0060_pubsub::request::{Item, Publish, PublishOptions, Pubsub};
use waxwing_stanza::xep::xep_0357_push::{
    FORM_SUMMARY, LAST_BODY, LAST_SENDER, MESSAGE_COUNT, Notification,
};
use waxwing_stanza::{Condition, IqType, Jid, Payload, StanzaError};

use super::due::Due;
use super::{PRIVATE_ENDPOINTS, REVEALS, WEB_PUSH, web};
use crate::addressee::{Addressee, Destination, destination};
use crate::asks::{self, Unanswered};
use crate::blocking;
use crate::directory::Account;
use crate::outside::WebError;
use crate::server::Server;
use crate::session::Session;

/// How long an app server has for its answer.
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
    /// This server has too much to post at the moment.
    Busy,
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
        matches!(self, Failed::Busy)
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

impl From<Unanswered> for Failed {
    fn from(unanswered: Unanswered) -> Failed {
        match unanswered {
            Unanswered::Gone => Failed::Unreachable,
            Unanswered::Refused => Failed::Refused,
            Unanswered::Late | Unanswered::Busy => Failed::Late,
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
        }
    }
}

/// Where an app server is.
enum Way {
    /// It is built in.
    Here,
    /// It is a session of this server.
    Session(waxwing_stanza::FullJid),
}

fn way(server: &Server, account: &Account, jid: &Jid) -> Option<Way> {
    let to = destination(&account.jid, Some(jid), |domain| server.place(domain));
    match to {
        Destination::Here(Addressee::Domain, domain)
            if domain.domain() == account.jid.domain() && server.options().flag(&WEB_PUSH) =>
        {
            Some(Way::Here)
        }
        Destination::Session(full) => Some(Way::Session(full)),
        _ => None,
    }
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
        Some(Way::Session(_)) => Ok(()),
        None if server.place(jid.domain()).is_none() => Err(server.beyond(session)),
        None => Err(Condition::ServiceUnavailable.into()),
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
        Some(Way::Session(full)) => {
            let session = server.directory().session(&full);
            let session = session.ok_or(Failed::Unreachable)?;
            // It could not be sent there by the account either.
            if blocking::is_kept_from(&session.account, &account.jid.clone().into()) {
                return Err(Failed::Unreachable);
            }
            let question = publication(server, due).write();
            let asked =
                asks::request(server, &session, IqType::Set, &question, ANSWER_SECS_MAX).await;
            asked.map(|_| ()).map_err(Failed::from)
        }
        None => Err(Failed::Unreachable),
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

/// As much as the operator wants revealed.
fn summary(server: &Server, due: &Due) -> Option<DataForm> {
    if server.options().text(&REVEALS) == "nothing" {
        return None;
    }
    let count = due.count.to_string();
    let mut form = DataForm::of_type(FormKind::Submit, FORM_SUMMARY)
        .with_field(Field::new(MESSAGE_COUNT, [count.as_str()]));
    if let Some(sender) = &due.about.sender {
        form = form.with_field(Field::new(LAST_SENDER, [sender.as_str()]));
    }
    if let Some(body) = &due.about.body {
        form = form.with_field(Field::new(LAST_BODY, [body.as_str()]));
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
            (Failed::from(Unanswered::Gone), "unreachable", false),
            (Failed::from(Unanswered::Refused), "refused", false),
            (Failed::from(WebError::Late), "late", false),
            (Failed::from(WebError::Private), "private-address", false),
            (Failed::from(WebError::Busy), "busy", false),
            (Failed::Options, "bad-options", true),
        ] {
            assert_eq!((failed.word(), failed.is_final()), (word, is_final));
            assert_eq!(failed.is_ours(), failed == Failed::Busy);
        }
    }
}
