//! XEP-0401: Ad-hoc Account Invitation Generation: links that make somebody a contact, or give them an account.
//!
//! <https://xmpp.org/extensions/xep-0401.html>
//!
//! `waxwing invite` and the commands here make the same; what becomes of them is in `invitations.rs`.

use futures_util::FutureExt;
use waxwing_stanza::xep::xep_0004_forms::{DataForm, Field, FieldKind, FormKind};
use waxwing_stanza::xep::xep_0050_commands::Fault;
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0401_onboarding::{CREATE_ACCOUNT, FORM_INVITATION, INVITE, field};
use waxwing_stanza::{BareJid, Condition, StanzaError};

use crate::accounts::Role;
use crate::addressee::Addressee;
use crate::cx::{Cx, IqHead};
use crate::invitations::commands::COMMANDS;
use crate::invitations::forms;
use crate::invitations::{
    self, CreateError, DAYS, INVITATIONS, INVITED_PER_MEMBER, Made, OPEN_PER_MEMBER, OPTIONS,
    Order, Purpose, RESERVATIONS, USES,
};
use crate::registry::{Feature, Registrar, Source};
use crate::server::unavailable;
use crate::xep::xep_0050_commands::{AdHoc, Outcome, Step};
use crate::xep::xep_0133_admin;

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(401),
    title: "Ad-hoc Account Invitation Generation",
    version: "0.6.0",
    options: &[OPEN_PER_MEMBER, INVITED_PER_MEMBER],
    domain_options: OPTIONS,
    shapes: || vec![INVITATIONS.shape(), RESERVATIONS.shape(), USES.shape()],
    register,
    ..Feature::NONE
};

const DAY_SECS: u64 = 86_400;

fn register(registrar: &mut Registrar<'_>) {
    for command in COMMANDS {
        registrar.command(*command);
    }
    let invite = AdHoc {
        node: INVITE,
        name: "Invite a contact",
        faces: &[],
        stages: 0,
        may: |cx, head| async move { Ok(may_invite(&cx, &head)) }.boxed(),
        run: |cx, head, _| invite(cx, head).boxed(),
    };
    let create_account = AdHoc {
        node: CREATE_ACCOUNT,
        name: "Invite somebody to have an account",
        faces: &[],
        stages: 1,
        may: |cx, head| async move { Ok(xep_0133_admin::may(&cx, &head)) }.boxed(),
        run: |cx, head, step| create_account(cx, head, step).boxed(),
    };
    for command in [invite, create_account] {
        registrar.ad_hoc(&[Addressee::Domain], command);
    }
    forms::register(registrar);
}

/// Somebody of this domain, where they may.
pub(crate) fn may_invite(cx: &Cx, head: &IqHead) -> bool {
    let account = &cx.session.account;
    let options = cx.server.options_of(head.to.domain());
    account.jid.domain() == head.to.domain()
        && !account.is_guest()
        && invitations::may_invite(account, &options)
}

/// "Creating a User Invitation".
async fn invite(cx: Cx, head: IqHead) -> Result<Outcome, StanzaError> {
    let account = &cx.session.account;
    let domain = head.to.domain().to_owned();
    let options = cx.server.options_of(&domain);
    let order = Order {
        purpose: Purpose::Contact,
        name: None,
        contact: Some(account.jid.clone()),
        role: Role::Member,
        uses: 1,
        secs: options.number(&DAYS) * DAY_SECS,
        registers: invitations::may_register(account, &options),
        creator: Some(account.jid.clone()),
        is_members: matches!(account.role(), Role::Member | Role::Restricted),
        domain,
    };
    made(&cx, order, false).await
}

/// "Initiating Account Creation".
async fn create_account(cx: Cx, head: IqHead, step: Step) -> Result<Outcome, StanzaError> {
    let Step::CarryOut(filled) = step else {
        let form = DataForm {
            title: Some("Invite somebody to have an account".to_owned()),
            instructions: vec![
                "Without a name, whom you invite chooses one. The link is good once.".to_owned(),
            ],
            ..DataForm::new(FormKind::Form)
        };
        let name = Field::new(field::USERNAME, []).with_kind(FieldKind::TextSingle);
        let contact = Field::new(field::ROSTER_SUBSCRIPTION, ["false"]);
        let contact = contact.with_kind(FieldKind::Boolean);
        let form = form.with_field(name.with_label("Username"));
        return Ok(Outcome::Ask(
            form.with_field(contact.with_label("Make them my contact")),
        ));
    };
    let domain = head.to.domain().to_owned();
    let account = &cx.session.account;
    let is_contact = match filled.value(field::ROSTER_SUBSCRIPTION) {
        None | Some("" | "0" | "false") => false,
        Some("1" | "true") => true,
        Some(_) => return Err(Fault::BadPayload.into()),
    };
    let name = filled.value(field::USERNAME).unwrap_or_default().trim();
    let order = Order {
        purpose: Purpose::Account,
        name: match name {
            "" => None,
            name => Some(prepared(name, &domain)?),
        },
        contact: is_contact.then(|| account.jid.clone()),
        role: Role::Member,
        uses: 1,
        secs: cx.server.options_of(&domain).number(&DAYS) * DAY_SECS,
        registers: true,
        creator: Some(account.jid.clone()),
        is_members: false,
        domain,
    };
    made(&cx, order, false).await
}

/// A user part as addresses have it.
fn prepared(name: &str, domain: &str) -> Result<String, StanzaError> {
    let jid = BareJid::from_parts(Some(name), domain).map_err(|_| {
        StanzaError::from(Condition::NotAcceptable).with_text("this cannot be a user name")
    })?;
    Ok(jid.node().unwrap_or_default().to_owned())
}

/// Makes it. Who manages invitations is told the id, too, and the token where no link has it.
pub(crate) async fn made(cx: &Cx, order: Order, is_managed: bool) -> Result<Outcome, StanzaError> {
    let made = invitations::create(&cx.server, order).await;
    let made = made.map_err(|error| refused(&error))?;
    let mut form = result(cx, &made);
    if is_managed {
        let has_link = form.field(field::URI).is_some() || form.field(field::LANDING_URL).is_some();
        let token = (!has_link).then_some((field::TOKEN, made.token.as_str()));
        for (var, value) in [(field::ID, made.invited.id())].into_iter().chain(token) {
            form = form.with_field(Field::new(var, [value]).with_kind(FieldKind::TextSingle));
        }
    }
    Ok(Outcome::Shown { form, note: None })
}

/// The form that has the invitation.
fn result(cx: &Cx, made: &Made) -> DataForm {
    let invitation = &made.invited.invitation;
    let expire = DateTime::from_unix_micros(invitation.expires_micros / 1_000_000 * 1_000_000);
    let values = [
        (field::URI, invitations::uri(invitation, &made.token)),
        (
            field::LANDING_URL,
            invitations::landing_url(&cx.server, invitation, &made.token),
        ),
        (field::EXPIRE, Some(expire.to_string())),
    ];
    let mut form = DataForm::of_type(FormKind::Result, FORM_INVITATION);
    for (var, value) in values {
        if let Some(value) = value {
            let field = Field::new(var, [value.as_str()]);
            form = form.with_field(field.with_kind(FieldKind::TextSingle));
        }
    }
    form
}

fn refused(error: &CreateError) -> StanzaError {
    let condition = match error {
        CreateError::Exists | CreateError::Removed | CreateError::Reserved(_) => {
            Condition::Conflict
        }
        CreateError::NoAccount => Condition::ItemNotFound,
        CreateError::Name => Condition::NotAcceptable,
        CreateError::NotGiven => Condition::NotAllowed,
        CreateError::TooMany | CreateError::Enough(_) => Condition::ResourceConstraint,
        CreateError::Store(error) => return unavailable(error),
    };
    StanzaError::from(condition).with_text(error.to_string())
}
