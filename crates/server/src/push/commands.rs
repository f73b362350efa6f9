//! Who is notified, and how that goes: the admin command `push list`, and what everybody can see of their own.

use futures_util::FutureExt;
use serde_json::{Value, json};
use waxwing_stanza::xep::proto_push::SERVICES;
use waxwing_stanza::xep::xep_0004_forms::{DataForm, Field, FormKind, Item, Reported};
use waxwing_stanza::xep::xep_0050_commands::NoteKind;
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::{BareJid, StanzaError};

use super::stored::{self, StoredPush};
use crate::admin::{Access, AdminError, Arguments, Command, Kind, Member, Shape, member, required};
use crate::cx::Cx;
use crate::effects::Effects;
use crate::server::{Server, unavailable};
use crate::xep::xep_0050_commands::{AdHoc, Outcome};

const TITLE: &str = "Notifications of your devices";

/// What somebody's own devices have asked for, as an ad-hoc command (XEP-0050) of their account.
pub(crate) const OWN: AdHoc = AdHoc {
    node: SERVICES,
    name: TITLE,
    faces: &[],
    stages: 0,
    may: |cx, _| async move { Ok(!cx.session.account.is_guest()) }.boxed(),
    run: |cx, _, _| own(cx).boxed(),
};

/// The columns, with what people call them.
const COLUMNS: [(&str, &str); 6] = [
    ("device", "Device"),
    ("app-server", "App server"),
    ("state", "State"),
    ("reason", "Why"),
    ("worked", "Worked last"),
    ("failed", "Failed last"),
];

async fn own(cx: Cx) -> Result<Outcome, StanzaError> {
    let account = &cx.session.account;
    let services = stored::load(&cx.server, account).await;
    let services = services.map_err(|error| unavailable(&error))?;
    if services.is_empty() {
        let text = "None of your devices has asked for notifications.";
        return Ok(Outcome::done(NoteKind::Info, text, Effects::none()));
    }
    let columns = COLUMNS.map(|(var, label)| Field::new(var, []).with_label(label));
    let rows = services.into_iter().map(|((app_server, _), push)| {
        let device = push.device.as_ref();
        let device = device.map(|id| cx.server.client_id(&account.jid, id));
        let at = |secs| match since(secs) {
            Some(secs) => DateTime::from_unix_micros(secs * 1_000_000).to_string(),
            None => String::new(),
        };
        let row = [
            device.unwrap_or_else(|| push.resource.clone()),
            push.host().unwrap_or(app_server),
            state(&push).to_owned(),
            push.reason.clone(),
            at(push.succeeded_secs),
            at(push.failed_secs),
        ];
        let fields = COLUMNS.iter().zip(row);
        let fields = fields.map(|((var, _), value)| Field::new(var, [value.as_str()]));
        Item {
            fields: fields.collect(),
        }
    });
    let form = DataForm {
        title: Some(TITLE.to_owned()),
        reported: Some(Reported {
            fields: columns.to_vec(),
        }),
        items: rows.collect(),
        ..DataForm::new(FormKind::Result)
    };
    Ok(Outcome::Shown { form, note: None })
}

const ANSWERED: &[Member] = &[
    member("app_server", Shape::Text, "The push service's address."),
    member("node", Shape::Text, "Its name for the device."),
    member(
        "device",
        Shape::Maybe(&Shape::Text),
        "The device, as its owner sees it.",
    ),
    member(
        "resource",
        Shape::Text,
        "The resource that it had when it asked.",
    ),
    member(
        "state",
        Shape::Text,
        "How it goes: untried, works, failing or dead.",
    ),
    member(
        "enabled_secs",
        Shape::Number,
        "Since when, in seconds since 1970.",
    ),
    member(
        "succeeded_secs",
        Shape::Maybe(&Shape::Number),
        "When one was last taken.",
    ),
    member(
        "failed_secs",
        Shape::Maybe(&Shape::Number),
        "When one last was not.",
    ),
    member("errors", Shape::Number, "How many in a row were not."),
    member("reason", Shape::Text, "Why the last one was not."),
    member(
        "host",
        Shape::Maybe(&Shape::Text),
        "Where the server posts to, if it does that itself.",
    ),
];

/// The command.
pub(crate) const LIST: Command = Command {
    name: "push list",
    doc: "Lists the push services of an account by device: since when, when one last worked, and why one does not.",
    access: Access::Reads("push"),
    arguments: &[required(
        "jid",
        Kind::Account,
        "The account's address, user@domain.",
    )],
    answer: &[
        member("jid", Shape::Text, "The account's address."),
        member("services", Shape::List(ANSWERED), "The push services."),
    ],
    run: |server, arguments| list(server, arguments).boxed(),
};

async fn list(server: Server, arguments: Arguments) -> Result<Value, AdminError> {
    let text = arguments.text("jid")?;
    let jid: BareJid = text.parse().map_err(|error| {
        AdminError::argument("jid", format!("'{text}' is not an address: {error}"))
    })?;
    let account = server.account(&jid).await.map_err(|error| {
        AdminError::Failed(format!("the account cannot be read: {:?}", error.condition))
    })?;
    let Some(account) = account else {
        return Err(AdminError::Absent(format!(
            "there is no account '{jid}', or it is disabled"
        )));
    };
    let services = stored::load(&server, &account).await?;
    let services: Vec<Value> = services
        .into_iter()
        .map(|((app_server, node), push)| {
            let device = push.device.as_ref();
            // As its owner sees it (XEP-0494): the id of an installation is shown to nobody.
            let device = device.map(|id| server.client_id(&account.jid, id));
            json!({
                "app_server": app_server,
                "node": node,
                "device": device,
                "resource": push.resource,
                "state": state(&push),
                "enabled_secs": push.enabled_secs,
                "succeeded_secs": since(push.succeeded_secs),
                "failed_secs": since(push.failed_secs),
                "errors": push.errors,
                "host": push.host(),
                "reason": push.reason,
            })
        })
        .collect();
    Ok(json!({ "jid": jid.as_str(), "services": services }))
}

/// A time, if there was one.
pub(super) fn since(secs: u64) -> Option<u64> {
    (secs > 0).then_some(secs)
}

/// How a service is, in a word.
pub(super) fn state(push: &StoredPush) -> &'static str {
    match (push.is_dead, push.errors, push.succeeded_secs) {
        (true, _, _) => "dead",
        (false, 1.., _) => "failing",
        (false, 0, 0) => "untried",
        (false, 0, _) => "works",
    }
}
