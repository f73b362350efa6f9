//! What admins are shown of one user: their roster (§4.8) and when they last logged in (§4.9).

use futures_util::FutureExt;
use serde_json::{Value, json};
use waxwing_stanza::xep::rfc6121_roster::{Item, Roster, Subscription};
use waxwing_stanza::xep::xep_0004_forms::{DataForm, Field, FieldKind, FormKind};
use waxwing_stanza::xep::xep_0050_commands::{Note, NoteKind};
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0133_admin::{FORM, LAST_LOGIN, USER_ROSTER, field};
use waxwing_stanza::{BareJid, Condition, Payload, StanzaError};

use super::{addresses_in, checked, command, done, form, to_fill_in};
use crate::accounts;
use crate::cx::{Cx, IqHead};
use crate::roster::{self, StoredItem};
use crate::server::unavailable;
use crate::xep::xep_0050_commands::{AdHoc, Outcome, Step};

pub(super) const COMMANDS: [AdHoc; 2] = [
    command(
        USER_ROSTER,
        "Get a user's roster",
        &["account roster"],
        1,
        |cx, head, step| roster_of(cx, head, step).boxed(),
    ),
    command(
        LAST_LOGIN,
        "Get the time of a user's last log-in",
        &[],
        1,
        |cx, head, step| last_login(cx, head, step).boxed(),
    ),
];

/// Most bytes of a roster in an answer, as it is written: with more, and the same for people to read, it might not fit a
/// stanza.
const ROSTER_BYTES_MAX: usize = 64 * 1024;

fn ask(title: &str, instructions: &str) -> Outcome {
    let field = to_fill_in(field::ACCOUNTS, FieldKind::JidMulti, "Address");
    Outcome::Ask(form(title, instructions).with_field(field))
}

/// The account that was filled in: forms of XEP-0133 have room for many, and answers for one.
fn one_account(head: &IqHead, filled: &DataForm) -> Result<BareJid, StanzaError> {
    let refuse = |text: &str| StanzaError::from(Condition::NotAcceptable).with_text(text);
    let all = addresses_in(head, filled)?;
    let [jid] = all.as_slice() else {
        return Err(refuse("one address at a time"));
    };
    match jid.resource() {
        None => Ok(jid.bare()),
        Some(_) => Err(refuse(&format!("'{jid}' is a session, no account"))),
    }
}

fn of_account(jid: &BareJid) -> DataForm {
    let address = jid.to_string();
    let field = Field::new(field::ACCOUNTS, [address.as_str()]);
    DataForm::of_type(FormKind::Result, FORM)
        .with_field(field.with_kind(FieldKind::JidMulti).with_label("Address"))
}

/// §4.8: as `jabber:iq:roster`, which programs read, and in lines, which every client shows.
async fn roster_of(cx: Cx, head: IqHead, step: Step) -> Result<Outcome, StanzaError> {
    let Step::CarryOut(filled) = step else {
        return Ok(ask(
            "Get a user's roster",
            "Whom they know, and who of them sees whose presence.",
        ));
    };
    checked(&filled)?;
    let jid = one_account(&head, &filled)?;
    let stored = accounts::load(cx.server.store(), &jid).await;
    if stored.map_err(|error| unavailable(&error))?.is_none() {
        let text = format!("there is no account '{jid}'");
        return Err(StanzaError::from(Condition::ItemNotFound).with_text(text));
    }
    let all = roster::listed(&cx.server, &accounts::owner(&jid)).await;
    let all = all.map_err(|error| unavailable(&error))?;
    let (mut items, mut lines, mut bytes) = (Vec::new(), Vec::new(), 0);
    for (contact, stored) in &all {
        let item = stored.shown(contact.clone());
        bytes += item.write().to_bytes("").len();
        if bytes > ROSTER_BYTES_MAX {
            break;
        }
        lines.push(line(&item, stored));
        items.push(item);
    }
    let left = all.len() - items.len();
    let field = Field {
        values: lines,
        ..Field::new("roster", [])
    };
    let field = field.with_kind(FieldKind::TextMulti);
    Ok(Outcome::ShownWith {
        form: of_account(&jid).with_field(field.with_label("Contacts")),
        inside: Roster { ver: None, items }.write(),
        note: (left > 0).then(|| Note {
            kind: NoteKind::Warn,
            text: format!("Not shown: {left}."),
        }),
    })
}

/// A contact in a line.
fn line(item: &Item, stored: &StoredItem) -> String {
    let subscription = item.subscription.unwrap_or(Subscription::None).as_str();
    let asked = if stored.pending_out { ", asked" } else { "" };
    let name = item.name.as_deref().filter(|name| !name.is_empty());
    let name = name.map_or_else(String::new, |name| format!(": {name}"));
    let groups = match item.groups.is_empty() {
        true => String::new(),
        false => format!(", in {}", item.groups.join(", ")),
    };
    format!("{} ({subscription}{asked}){name}{groups}", item.jid)
}

/// §4.9
async fn last_login(cx: Cx, head: IqHead, step: Step) -> Result<Outcome, StanzaError> {
    let Step::CarryOut(filled) = step else {
        return Ok(ask(
            "Get the time of a user's last log-in",
            "Whether they are here still or not.",
        ));
    };
    checked(&filled)?;
    let jid = one_account(&head, &filled)?;
    let args = json!({ "jid": jid.to_string() });
    let shown = cx.server.admin("account show", args).await?;
    let Some(micros) = shown.get("login_micros").and_then(Value::as_u64) else {
        return done(format!("No log-in of {jid} is noted."));
    };
    let time = DateTime::from_unix_micros(micros / 1_000_000 * 1_000_000).to_string();
    let field = Field::new(field::LAST_LOGIN, [time.as_str()]);
    let field = field.with_kind(FieldKind::TextSingle);
    Ok(Outcome::Shown {
        form: of_account(&jid).with_field(field.with_label("Last log-in")),
        note: None,
    })
}
