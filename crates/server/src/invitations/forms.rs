//! The admin commands `invite …` as forms that clients show, and what people see and take back of their own.

use futures_util::FutureExt;
use serde_json::Value;
use waxwing_stanza::xep::xep_0004_forms::{
    Choice, DataForm, Field, FieldKind, FormKind, Item, Reported,
};
use waxwing_stanza::xep::xep_0050_commands::{Fault, NoteKind};
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0401_onboarding::{CREATE, LIST, REVOKE, field};
use waxwing_stanza::{Condition, StanzaError};

use crate::accounts::Role;
use crate::addressee::Addressee;
use crate::admin;
use crate::cx::{Cx, IqHead};
use crate::effects::Effects;
use crate::invitations::commands::{open, order, take_back};
use crate::invitations::{Invited, Purpose, StoredInvitation};
use crate::registry::Registrar;
use crate::server::unavailable;
use crate::xep::xep_0050_commands::{AdHoc, Outcome, Step};
use crate::xep::{xep_0133_admin, xep_0401_onboarding};

/// Most invitations of one answer: with more it might not fit a stanza.
const SHOWN_MAX: usize = 200;
/// Arguments of `invite create` that are fields of the form, with what people call them.
const FIELDS: [(&str, FieldKind, &str); 5] = [
    (
        "account",
        FieldKind::TextSingle,
        "Name of the new account (empty: who is invited chooses)",
    ),
    (
        "contact",
        FieldKind::JidSingle,
        "Whose contact who is invited becomes",
    ),
    (
        "reset",
        FieldKind::JidSingle,
        "Instead: whose password is to be set anew",
    ),
    ("uses", FieldKind::TextSingle, "How often it can be used"),
    (
        "expires",
        FieldKind::TextSingle,
        "How long it is good, such as 45m, 24h, 7d or 2w",
    ),
];
/// Of which the form is a face.
const COMMAND: &str = "invite create";
const ROLE: &str = "role";
const IDS: &str = "ids";

pub(crate) fn register(registrar: &mut Registrar<'_>) {
    let create = AdHoc {
        node: CREATE,
        name: "Make an invitation or a link for a new password",
        faces: &[COMMAND],
        stages: 1,
        may: |cx, head| async move { Ok(xep_0133_admin::may(&cx, &head)) }.boxed(),
        run: |cx, head, step| create(cx, head, step).boxed(),
    };
    let list = AdHoc {
        node: LIST,
        name: "List invitations",
        faces: &["invite list"],
        stages: 0,
        may: |cx, head| async move { Ok(may_see(&cx, &head)) }.boxed(),
        run: |cx, head, _| list(cx, head).boxed(),
    };
    let revoke = AdHoc {
        node: REVOKE,
        name: "Take invitations back",
        faces: &["invite revoke"],
        stages: 1,
        may: |cx, head| async move { Ok(may_see(&cx, &head)) }.boxed(),
        run: |cx, head, step| revoke(cx, head, step).boxed(),
    };
    for command in [create, list, revoke] {
        registrar.ad_hoc(&[Addressee::Domain], command);
    }
}

/// Admins of the domain, and everybody who can have made one.
fn may_see(cx: &Cx, head: &IqHead) -> bool {
    xep_0133_admin::may(cx, head) || xep_0401_onboarding::may_invite(cx, head)
}

/// Those that somebody manages: admins all of the domain, others what they have made.
async fn own(cx: &Cx, head: &IqHead) -> Result<Vec<Invited>, StanzaError> {
    let is_admin = xep_0133_admin::may(cx, head);
    let (domain, jid) = (head.to.domain(), &cx.session.account.jid);
    let is_own = |invitation: &StoredInvitation| {
        let is_theirs = || invitation.creator.as_deref() == Some(jid.as_str());
        invitation.domain == domain && (is_admin || is_theirs())
    };
    let mut found = open(&cx.server, is_own)
        .await
        .map_err(|error| unavailable(&error))?;
    found.sort_by_key(|invited| invited.invitation.expires_micros);
    Ok(found)
}

/// What it is for, in words.
fn about(invitation: &StoredInvitation) -> String {
    let account = invitation.account().map(|jid| jid.to_string());
    let account = account.as_deref();
    let contact = invitation.contact.as_deref();
    match invitation.purpose() {
        Purpose::Password => format!("another password for {}", account.unwrap_or("nobody")),
        Purpose::Contact => {
            let contact = contact.unwrap_or("nobody");
            let account = match invitation.registers {
                true => format!(", with an account as {}", invitation.role().name()),
                false => String::new(),
            };
            format!("a contact of {contact}{account}")
        }
        Purpose::Account => {
            let account = account.unwrap_or("an account");
            let contact = contact.map_or_else(String::new, |jid| format!(", contact of {jid}"));
            format!("{account} as {}{contact}", invitation.role().name())
        }
    }
}

fn until(invitation: &StoredInvitation) -> String {
    let micros = invitation.expires_micros / 1_000_000 * 1_000_000;
    DateTime::from_unix_micros(micros).to_string()
}

fn question() -> DataForm {
    let mut form = DataForm {
        title: Some("Make an invitation".to_owned()),
        instructions: vec![
            "The link is shown this once. Send it as you would a password.".to_owned(),
        ],
        ..DataForm::of_type(FormKind::Form, CREATE)
    };
    for (var, kind, label) in FIELDS {
        let default = if var == "uses" { Some("1") } else { None };
        form = form.with_field(Field::new(var, default).with_kind(kind).with_label(label));
    }
    let role = Field {
        options: Role::NAMES
            .iter()
            .map(|(name, _)| Choice {
                label: None,
                value: (*name).to_owned(),
            })
            .collect(),
        ..Field::new(ROLE, ["member"])
    };
    let role = role.with_kind(FieldKind::ListSingle);
    form.with_field(role.with_label("What the new account may do"))
}

async fn create(cx: Cx, head: IqHead, step: Step) -> Result<Outcome, StanzaError> {
    let Step::CarryOut(filled) = step else {
        return Ok(Outcome::Ask(question()));
    };
    check_type(&filled, CREATE)?;
    let names = FIELDS.iter().map(|(var, _, _)| *var).chain([ROLE]);
    let given = names.filter_map(|var| Some((var, filled.value(var)?.trim())));
    // What stands in the form from the beginning was not asked for.
    let given = given.filter(|given| !given.1.is_empty() && *given != ("uses", "1"));
    let given = given.filter(|given| *given != (ROLE, "member"));
    let given = given.map(|(var, text)| match (var, text.parse::<u64>()) {
        ("uses", Ok(number)) => (var.to_owned(), Value::from(number)),
        _ => (var.to_owned(), Value::from(text)),
    });
    let domain = head.to.domain();
    let args = admin::checked_within(
        &cx.server,
        (domain, cx.session.account.role()),
        COMMAND,
        given.collect(),
    )
    .await;
    let mut order = order(&cx.server, &args?)?;
    if order.domain != domain {
        let text = format!("this is for {domain} alone");
        return Err(StanzaError::from(Condition::NotAcceptable).with_text(text));
    }
    order.creator = Some(cx.session.account.jid.clone());
    xep_0401_onboarding::made(&cx, order, true).await
}

fn check_type(form: &DataForm, node: &str) -> Result<(), StanzaError> {
    match form.form_type() {
        Some(known) if known != node => Err(Fault::BadPayload.into()),
        _ => Ok(()),
    }
}

async fn list(cx: Cx, head: IqHead) -> Result<Outcome, StanzaError> {
    let found = own(&cx, &head).await?;
    if found.is_empty() {
        return Ok(none());
    }
    let columns = [
        (field::ID, "Id"),
        ("about", "For"),
        ("used", "Used"),
        ("creator", "Made by"),
        (field::EXPIRE, "Good until"),
    ];
    let heads = columns.map(|(var, label)| Field::new(var, []).with_label(label));
    let rows = found.iter().take(SHOWN_MAX).map(|invited| {
        let invitation = &invited.invitation;
        let values = [
            invited.id().to_owned(),
            about(invitation),
            format!("{} of {}", invitation.used, invitation.uses),
            invitation
                .creator
                .clone()
                .unwrap_or_else(|| "operator".to_owned()),
            until(invitation),
        ];
        let fields = columns.iter().zip(&values);
        let fields = fields.map(|((var, _), value)| Field::new(var, [value.as_str()]));
        Item {
            fields: fields.collect(),
        }
    });
    let form = DataForm {
        title: Some("Invitations".to_owned()),
        reported: Some(Reported {
            fields: heads.to_vec(),
        }),
        items: rows.collect(),
        ..DataForm::of_type(FormKind::Result, LIST)
    };
    Ok(Outcome::Shown { form, note: None })
}

fn none() -> Outcome {
    Outcome::done(NoteKind::Info, "No invitation is open.", Effects::none())
}

async fn revoke(cx: Cx, head: IqHead, step: Step) -> Result<Outcome, StanzaError> {
    let found = own(&cx, &head).await?;
    let Step::CarryOut(filled) = step else {
        if found.is_empty() {
            return Ok(none());
        }
        let choices = found.iter().take(SHOWN_MAX).map(|invited| Choice {
            label: Some(format!(
                "{}, until {}",
                about(&invited.invitation),
                until(&invited.invitation)
            )),
            value: invited.id().to_owned(),
        });
        let ids = Field {
            options: choices.collect(),
            required: true,
            ..Field::new(IDS, [])
        };
        let ids = ids
            .with_kind(FieldKind::ListMulti)
            .with_label("Invitations");
        let form = DataForm {
            title: Some("Take invitations back".to_owned()),
            instructions: vec!["Nobody can use them any more.".to_owned()],
            ..DataForm::of_type(FormKind::Form, REVOKE)
        };
        return Ok(Outcome::Ask(form.with_field(ids)));
    };
    check_type(&filled, REVOKE)?;
    let ids = filled.field(IDS).ok_or(Fault::BadPayload)?;
    let mut taken = Vec::new();
    for id in &ids.values {
        // What somebody else has made looks as if there were none.
        let own = found.iter().find(|invited| invited.id() == id);
        taken.push(own.ok_or(Condition::ItemNotFound)?);
    }
    for invited in &taken {
        let ended = take_back(&cx.server, invited).await;
        ended.map_err(|error| unavailable(&error))?;
    }
    let text = match taken.len() {
        1 => "1 invitation is not good any more.".to_owned(),
        count => format!("{count} invitations are not good any more."),
    };
    Ok(Outcome::done(NoteKind::Info, text, Effects::none()))
}
