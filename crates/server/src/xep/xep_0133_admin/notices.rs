//! Messages of the day and welcomes (§4.24 to §4.28): forms of the commands `motd …` and `welcome …`.

use futures_util::FutureExt;
use serde_json::json;
use waxwing_stanza::StanzaError;
use waxwing_stanza::xep::xep_0004_forms::{DataForm, Field, FieldKind};
use waxwing_stanza::xep::xep_0050_commands::Fault;
use waxwing_stanza::xep::xep_0133_admin::{
    DELETE_MOTD, DELETE_WELCOME, EDIT_MOTD, SET_MOTD, SET_WELCOME, field,
};

use super::{checked, command, done, form};
use crate::cx::{Cx, IqHead};
use crate::notices::{Notice, current};
use crate::server::unavailable;
use crate::xep::xep_0050_commands::{AdHoc, Outcome, Step};

pub(super) const COMMANDS: [AdHoc; 5] = [
    command(
        SET_MOTD,
        "Set the message of the day",
        &["motd set"],
        1,
        |cx, head, step| say(cx, head, step, &SETS_MOTD).boxed(),
    ),
    command(
        EDIT_MOTD,
        "Edit the message of the day",
        &["motd edit"],
        1,
        |cx, head, step| say(cx, head, step, &EDITS_MOTD).boxed(),
    ),
    command(
        DELETE_MOTD,
        "Delete the message of the day",
        &["motd clear"],
        0,
        |cx, head, _| clear(cx, head, Notice::Motd, "motd clear").boxed(),
    ),
    command(
        SET_WELCOME,
        "Set the welcome message",
        &["welcome set"],
        1,
        |cx, head, step| say(cx, head, step, &SETS_WELCOME).boxed(),
    ),
    command(
        DELETE_WELCOME,
        "Delete the welcome message",
        &["welcome clear"],
        0,
        |cx, head, _| clear(cx, head, Notice::Welcome, "welcome clear").boxed(),
    ),
];

/// A form in which a text is written.
struct Said {
    notice: Notice,
    command: &'static str,
    title: &'static str,
    instructions: &'static str,
    /// The name of its field.
    field: &'static str,
    label: &'static str,
    /// Whether what is said now stands in it.
    shows_current: bool,
    done: &'static str,
}

static SETS_MOTD: Said = Said {
    notice: Notice::Motd,
    command: "motd set",
    title: "Set the message of the day",
    instructions: "Whoever is online at this domain gets it, and everybody else once at their next log-in.",
    field: field::MOTD,
    label: "Message of the day",
    shows_current: false,
    done: "The message of the day is set.",
};

static EDITS_MOTD: Said = Said {
    command: "motd edit",
    title: "Edit the message of the day",
    instructions: "Who has had it does not get it again.",
    shows_current: true,
    done: "The message of the day is corrected.",
    ..SETS_MOTD
};

static SETS_WELCOME: Said = Said {
    notice: Notice::Welcome,
    command: "welcome set",
    title: "Set the welcome message",
    instructions: "Accounts of this domain that are made from now on get it at their first log-in.",
    field: field::WELCOME,
    label: "Welcome message",
    shows_current: true,
    done: "The welcome message is set.",
};

async fn say(cx: Cx, head: IqHead, step: Step, said: &Said) -> Result<Outcome, StanzaError> {
    let Step::CarryOut(filled) = step else {
        return ask(&cx, &head, said).await;
    };
    checked(&filled)?;
    let text = lines_in(&filled, said.field).ok_or(Fault::BadPayload)?;
    let args = json!({ "domain": head.to.domain(), "text": text });
    cx.server.admin(said.command, args).await?;
    done(said.done)
}

async fn ask(cx: &Cx, head: &IqHead, said: &Said) -> Result<Outcome, StanzaError> {
    let current = current(&cx.server, head.to.domain(), said.notice).await;
    let current = current.map_err(|error| unavailable(&error))?;
    let text = current.filter(|_| said.shows_current);
    let text = text.map(|current| current.text).unwrap_or_default();
    let field = Field::new(said.field, text.lines())
        .with_kind(FieldKind::TextMulti)
        .with_label(said.label)
        .required();
    let form = form(said.title, said.instructions);
    Ok(Outcome::Ask(form.with_field(field)))
}

/// What was written in the lines of a field; nothing where nothing was.
pub(super) fn lines_in(form: &DataForm, name: &str) -> Option<String> {
    let text = form.field(name)?.values.join("\n");
    (!text.trim().is_empty()).then_some(text)
}

async fn clear(
    cx: Cx,
    head: IqHead,
    notice: Notice,
    command: &str,
) -> Result<Outcome, StanzaError> {
    let args = json!({ "domain": head.to.domain() });
    let answer = cx.server.admin(command, args).await?;
    match answer["cleared"].as_bool() {
        Some(true) => done(format!("The {} is deleted.", notice.name())),
        _ => done(format!("There was no {}.", notice.name())),
    }
}
