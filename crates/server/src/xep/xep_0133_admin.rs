//! XEP-0133: Service Administration: admin commands as forms that clients show.
//!
//! <https://xmpp.org/extensions/xep-0133.html>
//!
//! A domain's admins have them for that domain, operators for all. Nobody changes an account that may do more than their own,
//! and nobody shuts themselves out.
//!
//! Length: one command after the other, each with its form and what is done with it.

mod notices;
mod people;
mod shutdown;

use std::collections::BTreeSet;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::json;
use waxwing_stanza::xep::xep_0004_forms::{Choice, DataForm, Field, FieldKind, FormKind};
use waxwing_stanza::xep::xep_0050_commands::{Fault, Note, NoteKind};
use waxwing_stanza::xep::xep_0133_admin::{
    ACTIVE_LIST, ACTIVE_NUM, ADD_USER, ANNOUNCE, CHANGE_USER_PASSWORD, DELETE_USER, DISABLE_USER,
    DISABLED_LIST, DISABLED_NUM, END_USER_SESSION, FORM, IDLE_LIST, IDLE_NUM, ONLINE_LIST,
    ONLINE_NUM, REENABLE_USER, REGISTERED_LIST, REGISTERED_NUM, USER_STATS, field,
};
use waxwing_stanza::{BareJid, Condition, Jid, StanzaError};
use waxwing_stream::StreamCondition;

use crate::account_commands;
use crate::accounts::{self, AccountError, Role};
use crate::addressee::Addressee;
use crate::cx::{Cx, IqHead};
use crate::effects::Effects;
use crate::ending;
use crate::lifecycle;
use crate::notices::commands::COMMANDS as NOTICE_COMMANDS;
use crate::notices::{HAD, NOTICES};
use crate::registry::{Feature, Registrar, Source, Status};
use crate::server::unavailable;
use crate::session_commands::{self, ANNOUNCEMENT_BYTES_MAX};
use crate::xep::xep_0050_commands::{AdHoc, Outcome, Step};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(133),
    title: "Service Administration",
    version: "1.3.1",
    status: Status::Partial(
        "all of it but lists of who is kept out or let in (there are none), the list of admins (§4.29: accounts have roles) and \
         restarts (§4.30: what starts the server is not its own)",
    ),
    shapes: || vec![NOTICES.shape(), HAD.shape()],
    register,
    ..Feature::NONE
};

/// Most accounts of one form.
const ACCOUNTS_MAX: usize = 100;
/// Most addresses of an answer.
const LISTED_MAX: usize = 1_000;
/// Most bytes of them: with more it might not fit a stanza.
const LISTED_BYTES_MAX: usize = 128 * 1024;
/// How many addresses can be asked for.
const CHOICES: [&str; 5] = ["25", "50", "100", "200", "none"];

/// What is asked by which form, and what is done with what was filled in.
const COMMANDS: [AdHoc; 18] = [
    command(
        ADD_USER,
        "Add a user",
        &["account add"],
        1,
        |cx, head, step| add(cx, head, step).boxed(),
    ),
    command(
        DELETE_USER,
        "Delete users",
        &["account remove"],
        1,
        |cx, head, step| with_each(cx, head, step, "Delete users", "account remove").boxed(),
    ),
    command(
        DISABLE_USER,
        "Disable users",
        &["account disable"],
        1,
        |cx, head, step| with_each(cx, head, step, "Disable users", "account disable").boxed(),
    ),
    command(
        REENABLE_USER,
        "Re-enable users",
        &["account enable"],
        1,
        |cx, head, step| with_each(cx, head, step, "Re-enable users", "account enable").boxed(),
    ),
    command(
        END_USER_SESSION,
        "End sessions",
        &["session end"],
        1,
        |cx, head, step| end_sessions(cx, head, step).boxed(),
    ),
    command(
        CHANGE_USER_PASSWORD,
        "Change a user's password",
        &["account passwd"],
        1,
        |cx, head, step| change_password(cx, head, step).boxed(),
    ),
    command(
        REGISTERED_NUM,
        "Count registered users",
        &[],
        0,
        |cx, head, _| count(cx, head, &REGISTERED).boxed(),
    ),
    command(
        DISABLED_NUM,
        "Count disabled users",
        &[],
        0,
        |cx, head, _| count(cx, head, &DISABLED).boxed(),
    ),
    command(
        ONLINE_NUM,
        "Count users who are online",
        &[],
        0,
        |cx, head, _| count(cx, head, &ONLINE).boxed(),
    ),
    command(
        REGISTERED_LIST,
        "List registered users",
        &[],
        1,
        |cx, head, step| list(cx, head, step, &REGISTERED).boxed(),
    ),
    command(
        DISABLED_LIST,
        "List disabled users",
        &[],
        1,
        |cx, head, step| list(cx, head, step, &DISABLED).boxed(),
    ),
    command(
        ONLINE_LIST,
        "List users who are online",
        &[],
        1,
        |cx, head, step| list(cx, head, step, &ONLINE).boxed(),
    ),
    command(
        ACTIVE_NUM,
        "Count users who are active",
        &[],
        0,
        |cx, head, _| count(cx, head, &ACTIVE).boxed(),
    ),
    command(
        IDLE_NUM,
        "Count users who are idle",
        &[],
        0,
        |cx, head, _| count(cx, head, &IDLE).boxed(),
    ),
    command(
        ACTIVE_LIST,
        "List users who are active",
        &[],
        1,
        |cx, head, step| list(cx, head, step, &ACTIVE).boxed(),
    ),
    command(
        IDLE_LIST,
        "List users who are idle",
        &[],
        1,
        |cx, head, step| list(cx, head, step, &IDLE).boxed(),
    ),
    command(
        USER_STATS,
        "Get statistics of a user",
        &[],
        1,
        |cx, head, step| stats(cx, head, step).boxed(),
    ),
    command(
        ANNOUNCE,
        "Send an announcement",
        &["announce"],
        1,
        |cx, head, step| announce(cx, head, step).boxed(),
    ),
];

type Run = fn(Cx, IqHead, Step) -> BoxFuture<'static, Result<Outcome, StanzaError>>;

const fn command(
    node: &'static str,
    name: &'static str,
    faces: &'static [&'static str],
    stages: u8,
    run: Run,
) -> AdHoc {
    AdHoc {
        node,
        name,
        faces,
        stages,
        may: |cx, head| async move { Ok(may(&cx, &head)) }.boxed(),
        run,
    }
}

fn register(registrar: &mut Registrar<'_>) {
    let forms = COMMANDS.into_iter().chain(people::COMMANDS);
    let forms = forms.chain(notices::COMMANDS).chain([shutdown::COMMAND]);
    for command in forms {
        registrar.ad_hoc(&[Addressee::Domain], command);
    }
    let own = session_commands::COMMANDS.iter();
    for command in own.chain(NOTICE_COMMANDS).chain([&ending::COMMAND]) {
        registrar.command(*command);
    }
}

/// An admin of this domain, or an operator.
pub(crate) fn may(cx: &Cx, head: &IqHead) -> bool {
    match cx.session.account.role() {
        Role::Operator => true,
        Role::Admin => cx.session.account.jid.domain() == head.to.domain(),
        Role::Member | Role::Restricted => false,
    }
}

fn form(title: &str, instructions: &str) -> DataForm {
    DataForm {
        title: Some(title.to_owned()),
        instructions: vec![instructions.to_owned()],
        ..DataForm::of_type(FormKind::Form, FORM)
    }
}

fn to_fill_in(var: &str, kind: FieldKind, label: &str) -> Field {
    Field::new(var, [])
        .with_kind(kind)
        .with_label(label)
        .required()
}

/// What is filled in is for this form.
fn checked(form: &DataForm) -> Result<(), StanzaError> {
    match form.form_type() {
        None | Some(FORM) => Ok(()),
        Some(_) => Err(Fault::BadPayload.into()),
    }
}

/// An address that was filled in, of the domain that was asked.
fn address(head: &IqHead, text: &str) -> Result<Jid, StanzaError> {
    let jid: Jid = text.trim().parse().map_err(|_| {
        let error = StanzaError::from(Condition::JidMalformed);
        error.with_text(format!("'{text}' is no address"))
    })?;
    if jid.node().is_none() || jid.domain() != head.to.domain() {
        let text = format!("'{jid}' is no account of {}", head.to.domain());
        return Err(StanzaError::from(Condition::NotAcceptable).with_text(text));
    }
    Ok(jid)
}

fn account_in(head: &IqHead, form: &DataForm) -> Result<BareJid, StanzaError> {
    let text = form.value(field::ACCOUNT).ok_or(Fault::BadPayload)?;
    let jid = address(head, text)?;
    match jid.resource() {
        None => Ok(jid.bare()),
        Some(_) => Err(StanzaError::from(Condition::NotAcceptable)
            .with_text(format!("'{jid}' is a session, no account"))),
    }
}

fn addresses_in(head: &IqHead, form: &DataForm) -> Result<Vec<Jid>, StanzaError> {
    let field = form.field(field::ACCOUNTS).ok_or(Fault::BadPayload)?;
    let given = field.values.iter().filter(|text| !text.trim().is_empty());
    let found: Result<Vec<Jid>, _> = given.map(|text| address(head, text)).collect();
    let found = found?;
    match found.len() {
        0 => Err(Fault::BadPayload.into()),
        count if count > ACCOUNTS_MAX => Err(StanzaError::from(Condition::ResourceConstraint)
            .with_text(format!("a form has {ACCOUNTS_MAX} addresses at most"))),
        _ => Ok(found),
    }
}

/// A password that was filled in, twice where the form has a place for that.
fn password_in(form: &DataForm) -> Result<&str, StanzaError> {
    let password = form.value(field::PASSWORD).ok_or(Fault::BadPayload)?;
    match form.value(field::PASSWORD_VERIFY) {
        Some(again) if again != password => Err(StanzaError::from(Condition::NotAcceptable)
            .with_text("the two passwords are not the same")),
        _ => Ok(password),
    }
}

/// Whether who asks may change this account: it is there, and may not do more than they.
async fn target(cx: &Cx, jid: &BareJid) -> Result<(), StanzaError> {
    let stored = accounts::load(cx.server.store(), jid).await;
    let stored = stored.map_err(|error| unavailable(&error))?;
    let stored = stored.ok_or_else(|| {
        StanzaError::from(Condition::ItemNotFound).with_text(format!("there is no account '{jid}'"))
    })?;
    let own = cx.session.account.role();
    if stored.role() == Role::Operator && own != Role::Operator {
        let text = format!("'{jid}' is an operator");
        return Err(StanzaError::from(Condition::NotAllowed).with_text(text));
    }
    Ok(())
}

fn done(text: impl Into<String>) -> Result<Outcome, StanzaError> {
    Ok(Outcome::done(NoteKind::Info, text, Effects::none()))
}

/// §4.1. The fields about a person are not asked for: nothing is kept of them.
async fn add(cx: Cx, head: IqHead, step: Step) -> Result<Outcome, StanzaError> {
    let Step::CarryOut(filled) = step else {
        let form = form("Add a user", "The account is made with this password.");
        return Ok(Outcome::Ask(with_password(form.with_field(to_fill_in(
            field::ACCOUNT,
            FieldKind::JidSingle,
            "Address",
        )))));
    };
    checked(&filled)?;
    let jid = account_in(&head, &filled)?;
    let password = password_in(&filled)?;
    let made = accounts::create(&cx.server, &jid, password, Role::Member, false).await;
    made.map_err(|error| refused(&error))?;
    done(format!("{jid} has an account."))
}

fn with_password(form: DataForm) -> DataForm {
    form.with_field(to_fill_in(
        field::PASSWORD,
        FieldKind::TextPrivate,
        "Password",
    ))
    .with_field(to_fill_in(
        field::PASSWORD_VERIFY,
        FieldKind::TextPrivate,
        "Password, once more",
    ))
}

/// §4.7: it ends the account's sessions.
async fn change_password(cx: Cx, head: IqHead, step: Step) -> Result<Outcome, StanzaError> {
    let Step::CarryOut(filled) = step else {
        let form = form(
            "Change a user's password",
            "Sessions of the account end, and its devices need the new password.",
        );
        return Ok(Outcome::Ask(with_password(form.with_field(to_fill_in(
            field::ACCOUNT,
            FieldKind::JidSingle,
            "Address",
        )))));
    };
    checked(&filled)?;
    let jid = account_in(&head, &filled)?;
    let password = password_in(&filled)?;
    target(&cx, &jid).await?;
    let changed = accounts::set_password(&cx.server, &jid, password).await;
    changed.map_err(|error| refused(&error))?;
    let mut effects = Effects::none();
    let number = cx.session.number;
    let bare = jid.clone();
    // Behind the answer, which who asks may be waiting for in one of them.
    effects.call(move |server| {
        server.end_bytestreams(&bare);
        let account = server.directory().known(&bare);
        let sessions = account.map(|account| account.sessions());
        for session in sessions.into_iter().flatten() {
            if session.number != number {
                lifecycle::dismiss(server, &session, StreamCondition::Reset);
            }
        }
    });
    let text = format!("{jid} has another password.");
    Ok(Outcome::done(NoteKind::Info, text, effects))
}

fn refused(error: &AccountError) -> StanzaError {
    let condition = match error {
        AccountError::Exists | AccountError::Removed => Condition::Conflict,
        AccountError::Name
        | AccountError::Kept
        | AccountError::Password(_)
        | AccountError::Short(_) => Condition::NotAcceptable,
        AccountError::Store(error) => return unavailable(error),
        AccountError::Stopped => Condition::InternalServerError,
    };
    StanzaError::from(condition).with_text(error.to_string())
}

/// §4.2 to §4.4: all of them may be changed, or none is.
async fn with_each(
    cx: Cx,
    head: IqHead,
    step: Step,
    title: &str,
    command: &str,
) -> Result<Outcome, StanzaError> {
    let Step::CarryOut(filled) = step else {
        let label = "Addresses";
        let form = form(title, "One address a line.");
        let field = to_fill_in(field::ACCOUNTS, FieldKind::JidMulti, label);
        return Ok(Outcome::Ask(form.with_field(field)));
    };
    checked(&filled)?;
    let addresses = addresses_in(&head, &filled)?;
    let jids: BTreeSet<BareJid> = addresses.iter().map(Jid::bare).collect();
    if jids.contains(&cx.session.account.jid) {
        let text = "nobody shuts themselves out";
        return Err(StanzaError::from(Condition::NotAllowed).with_text(text));
    }
    for jid in &jids {
        target(&cx, jid).await?;
    }
    for jid in &jids {
        let args = json!({ "jid": jid.to_string() });
        let ran = cx.server.admin(command, args).await;
        ran?;
    }
    done(format!("Done for {}.", counted(jids.len(), "account")))
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// §4.5: all sessions of an account, or the one that is named.
async fn end_sessions(cx: Cx, head: IqHead, step: Step) -> Result<Outcome, StanzaError> {
    let Step::CarryOut(filled) = step else {
        let form = form(
            "End sessions",
            "All sessions of an address end, or the one of a full address. They can log in again.",
        );
        let field = to_fill_in(field::ACCOUNTS, FieldKind::JidMulti, "Addresses");
        return Ok(Outcome::Ask(form.with_field(field)));
    };
    checked(&filled)?;
    let addresses = addresses_in(&head, &filled)?;
    for jid in &addresses {
        target(&cx, &jid.bare()).await?;
    }
    let ended = addresses.iter();
    let ended = ended.flat_map(|jid| session_commands::named(&cx.server, jid));
    let mut ended: Vec<_> = ended.collect();
    ended.sort_by_key(|session| session.number);
    ended.dedup_by_key(|session| session.number);
    let text = format!("{} ended.", counted(ended.len(), "session"));
    let mut effects = Effects::none();
    effects.call(move |server| {
        for session in &ended {
            lifecycle::dismiss(server, session, StreamCondition::Reset);
        }
    });
    Ok(Outcome::done(NoteKind::Info, text, effects))
}

/// Finds accounts of a domain.
type Find = fn(Cx, String) -> BoxFuture<'static, Result<Vec<BareJid>, StanzaError>>;

/// Which accounts are counted and listed.
struct Which {
    number: &'static str,
    addresses: &'static str,
    label: &'static str,
    find: Find,
}

static REGISTERED: Which = Which {
    number: field::REGISTERED_NUM,
    addresses: field::REGISTERED,
    label: "Registered users",
    find: |cx, domain| stored(cx, domain, false).boxed(),
};
static DISABLED: Which = Which {
    number: field::DISABLED_NUM,
    addresses: field::DISABLED,
    label: "Disabled users",
    find: |cx, domain| stored(cx, domain, true).boxed(),
};
static ONLINE: Which = Which {
    number: field::ONLINE_NUM,
    addresses: field::ONLINE,
    label: "Users who are online",
    find: |cx, domain| async move { Ok(online(&cx, &domain)) }.boxed(),
};

static ACTIVE: Which = Which {
    number: field::ACTIVE_NUM,
    addresses: field::ACTIVE,
    label: "Users who are active",
    find: |cx, domain| async move { Ok(looked_at(&cx, &domain, true)) }.boxed(),
};
static IDLE: Which = Which {
    number: field::IDLE_NUM,
    addresses: field::ACTIVE,
    label: "Users who are idle",
    find: |cx, domain| async move { Ok(looked_at(&cx, &domain, false)) }.boxed(),
};

fn looked_at(cx: &Cx, domain: &str, is_looked_at: bool) -> Vec<BareJid> {
    let found = session_commands::looked_at(&cx.server, domain, is_looked_at);
    found.into_iter().collect()
}

async fn stored(cx: Cx, domain: String, disabled: bool) -> Result<Vec<BareJid>, StanzaError> {
    let all = session_commands::registered(&cx.server, Some(&domain)).await;
    let all = all.map_err(|error| unavailable(&error))?.into_iter();
    let wanted = all.filter(|(_, account)| !disabled || account.disabled);
    Ok(wanted.map(|(jid, _)| jid).collect())
}

fn online(cx: &Cx, domain: &str) -> Vec<BareJid> {
    let online = session_commands::online(&cx.server, Some(domain));
    online.into_iter().collect()
}

/// §4.13 to §4.15.
async fn count(cx: Cx, head: IqHead, which: &Which) -> Result<Outcome, StanzaError> {
    let found = (which.find)(cx, head.to.domain().to_owned()).await?;
    let number = found.len().to_string();
    let field = Field::new(which.number, [number.as_str()]).with_label(which.label);
    Ok(Outcome::Shown {
        form: DataForm::of_type(FormKind::Result, FORM).with_field(field),
        note: None,
    })
}

/// §4.18 to §4.20.
async fn list(cx: Cx, head: IqHead, step: Step, which: &Which) -> Result<Outcome, StanzaError> {
    let Step::CarryOut(filled) = step else {
        let choice = |value: &&str| Choice {
            label: Some((*value).to_owned()),
            value: (*value).to_owned(),
        };
        let field = Field {
            options: CHOICES.iter().map(choice).collect(),
            ..Field::new(field::MAX_ITEMS, ["100"])
        };
        let field = field.with_kind(FieldKind::ListSingle);
        let field = field.with_label("How many to show at most");
        let form = form(which.label, "They are listed by address.");
        return Ok(Outcome::Ask(form.with_field(field)));
    };
    checked(&filled)?;
    let most = match filled.value(field::MAX_ITEMS) {
        None | Some("none") => LISTED_MAX,
        Some(number) => {
            let number: usize = number.trim().parse().map_err(|_| Fault::BadPayload)?;
            number.min(LISTED_MAX)
        }
    };
    let found = (which.find)(cx, head.to.domain().to_owned()).await?;
    let mut bytes = 0;
    let shown = found.iter().take(most).map(ToString::to_string);
    let shown = shown.take_while(|jid| {
        bytes += jid.len();
        bytes <= LISTED_BYTES_MAX
    });
    let shown: Vec<String> = shown.collect();
    let left = found.len() - shown.len();
    let field = Field::new(which.addresses, shown.iter().map(String::as_str));
    let field = field.with_kind(FieldKind::JidMulti).with_label(which.label);
    Ok(Outcome::Shown {
        form: DataForm::of_type(FormKind::Result, FORM).with_field(field),
        note: (left > 0).then(|| Note {
            kind: NoteKind::Warn,
            text: format!("Not shown: {left}."),
        }),
    })
}

/// §4.10, without addresses of hosts, which are for the log.
async fn stats(cx: Cx, head: IqHead, step: Step) -> Result<Outcome, StanzaError> {
    let Step::CarryOut(filled) = step else {
        let form = form(
            "Get statistics of a user",
            "How many contacts they have, and where they are online.",
        );
        let field = to_fill_in(field::ACCOUNT, FieldKind::JidSingle, "Address");
        return Ok(Outcome::Ask(form.with_field(field)));
    };
    checked(&filled)?;
    let jid = account_in(&head, &filled)?;
    let args = json!({ "jid": jid.to_string() });
    let shown = cx.server.admin("account show", args).await?;
    let contacts = shown["contacts"].to_string();
    let resources = account_commands::resources(&cx.server, &jid);
    let contacts = Field::new(field::ROSTER_SIZE, [contacts.as_str()]);
    let resources = Field::new(field::RESOURCES, resources.iter().map(String::as_str));
    let form = DataForm::of_type(FormKind::Result, FORM)
        .with_field(contacts.with_label("Contacts"))
        .with_field(
            resources
                .with_kind(FieldKind::TextMulti)
                .with_label("Online as"),
        );
    Ok(Outcome::Shown { form, note: None })
}

/// §4.23: to sessions that are available, once, and nobody else.
async fn announce(cx: Cx, head: IqHead, step: Step) -> Result<Outcome, StanzaError> {
    let Step::CarryOut(filled) = step else {
        let form = form(
            "Send an announcement",
            "It goes to everybody who is online at this domain.",
        );
        let kind = FieldKind::TextMulti;
        let field = to_fill_in(field::ANNOUNCEMENT, kind, "Announcement");
        return Ok(Outcome::Ask(form.with_field(field)));
    };
    checked(&filled)?;
    let lines = filled.field(field::ANNOUNCEMENT).map(|field| &field.values);
    let text = lines.map_or_else(String::new, |lines| lines.join("\n"));
    if text.trim().is_empty() {
        return Err(Fault::BadPayload.into());
    }
    if text.len() > ANNOUNCEMENT_BYTES_MAX {
        let text = format!("an announcement has {ANNOUNCEMENT_BYTES_MAX} bytes at most");
        return Err(StanzaError::from(Condition::NotAcceptable).with_text(text));
    }
    let mut effects = Effects::none();
    let told = session_commands::tell(&cx.server, Some(head.to.domain()), &text, &mut effects);
    let text = format!("Sent to {}.", counted(told, "session"));
    Ok(Outcome::done(NoteKind::Info, text, effects))
}
