//! The admin command `push list`: who is notified, and how that goes.

use futures_util::FutureExt;
use serde_json::{Value, json};
use waxwing_stanza::BareJid;

use super::stored::{self, StoredPush};
use crate::admin::{Access, AdminError, Arguments, Command, Kind, Member, Shape, member, required};
use crate::server::Server;

const SERVICES: &[Member] = &[
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
        member("services", Shape::List(SERVICES), "The push services."),
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
                "reason": push.reason,
            })
        })
        .collect();
    Ok(json!({ "jid": jid.as_str(), "services": services }))
}

/// A time, if there was one.
fn since(secs: u64) -> Option<u64> {
    (secs > 0).then_some(secs)
}

/// How a service is, in a word.
fn state(push: &StoredPush) -> &'static str {
    match (push.is_dead, push.errors, push.succeeded_secs) {
        (true, _, _) => "dead",
        (false, 1.., _) => "failing",
        (false, 0, 0) => "untried",
        (false, 0, _) => "works",
    }
}
