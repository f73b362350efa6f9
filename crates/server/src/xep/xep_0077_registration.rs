//! XEP-0077: In-Band Registration: new accounts where the operator allows them, change of
//! password, removal of one's own account.
//!
//! <https://xmpp.org/extensions/xep-0077.html>

use std::net::IpAddr;
use std::sync::Arc;

use waxwing_stanza::payload::Secret;
use waxwing_stanza::xep::xep_0004_forms::{DataForm, Field, FieldKind, FormKind};
use waxwing_stanza::xep::xep_0066_oob::Link;
use waxwing_stanza::xep::xep_0077_registration::{
    FORM_CANCEL as CANCEL, FORM_CHANGE as CHANGE, NS, Registration as Query,
};
use waxwing_stanza::{BareJid, Condition, ErrorType, IqType, StanzaError};
use waxwing_stream::StreamCondition;

use crate::accounts::{self, AccountError, Role};
use crate::addressee::Addressee;
use crate::choosing;
use crate::cx::{Answer, Cx, Handled, Iq, IqHead};
use crate::directory::Account;
use crate::effects::Effects;
use crate::invitations::{self, Invited};
use crate::lifecycle;
use crate::options::{OptionDefault, OptionSpec, Options};
use crate::registry::{Feature, Registrar, Source};
use crate::server::{Server, unavailable};
use crate::settings::Registration;
use crate::throttle::{self, Network};
use crate::xep::xep_0445_invited as tokens;

/// Where accounts are made that are not made in band.
pub const REGISTRATION_URL: OptionSpec = OptionSpec {
    name: "registration_url",
    default: OptionDefault::Page,
    unit: "",
    doc: "A web page where people get an account; clients are told of it where not everybody may make one in band.",
};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(77),
    title: "In-Band Registration",
    version: "2.4",
    options: &[throttle::REGISTRATIONS_BY_NETWORK, throttle::REGISTRATIONS],
    domain_options: &[
        REGISTRATION_URL,
        choosing::KEPT_NAMES,
        choosing::PASSWORD_CHARS,
    ],
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    let whom = &[Addressee::OwnAccount, Addressee::Domain];
    registrar.iq(whom, IqType::Get, fields);
    registrar.iq(whom, IqType::Set, set);
    registrar.disco(&[Addressee::Domain], NS);
}

/// §3.1 for one who has an account: says so, with the name.
async fn fields(cx: Cx, iq: Iq<Query>) -> Handled {
    if !is_at_home(&cx, &iq.head) {
        return Err(Condition::ServiceUnavailable.into());
    }
    if cx.session.account.is_guest() {
        return Err(Condition::NotAllowed.into());
    }
    let username = cx.session.account.jid.node().unwrap_or_default().to_owned();
    let query = Query {
        registered: true,
        instructions: Some(
            "You have an account here. A new password counts from the next log-in.".to_owned(),
        ),
        username: Some(username),
        password: Some(Secret(String::new())),
        ..Query::default()
    };
    Ok(Answer::with(&query))
}

async fn set(cx: Cx, iq: Iq<Query>) -> Handled {
    let own = &cx.session.account.jid;
    let query = iq.payload;
    if !is_at_home(&cx, &iq.head) {
        // §3.2: whoever is registered there is somebody else.
        return Err(match query.remove {
            true => Condition::RegistrationRequired.into(),
            false => Condition::ServiceUnavailable.into(),
        });
    }
    if query.removes() {
        return remove(cx).await;
    }
    // §4: the form takes precedence over the fields.
    let form = query.form.as_ref().and_then(DataForm::form_type);
    let answers = Answers::of(&query)?;
    let removes = form == Some(CANCEL);
    if removes || form == Some(CHANGE) {
        let proof = if removes {
            &answers.password
        } else {
            &answers.old_password
        };
        check_owner(&cx, &answers.username, proof.as_ref()).await?;
        if removes {
            return remove(cx).await;
        }
    }
    let (Some(username), Some(password)) = (answers.username, answers.password) else {
        return Err(Condition::BadRequest.into());
    };
    if !is_own(&username, own)? {
        return Err(Condition::NotAllowed.into());
    }
    choosing::check_password(&cx.server, own.domain(), &password.0)
        .map_err(|error| refused(&error))?;
    accounts::set_password(&cx.server, own, &password.0)
        .await
        .map_err(|error| refused(&error))?;
    let mut effects = Effects::none();
    let (account, number) = (cx.session.account.clone(), cx.session.number);
    // Whoever got in by the old password is out; the client that changed it knows the new one.
    effects.call(move |server| {
        let others = account.sessions().into_iter();
        for session in others.filter(|session| session.number != number) {
            lifecycle::dismiss(server, &session, StreamCondition::Reset);
        }
    });
    Ok(Answer::empty().and(effects))
}

/// Whether the request is to the account's own domain, not to another that is served here too.
fn is_at_home(cx: &Cx, head: &IqHead) -> bool {
    head.to.domain() == cx.session.account.jid.domain()
}

/// What somebody filled in, in a form or without one.
struct Answers {
    username: Option<String>,
    password: Option<Secret>,
    old_password: Option<Secret>,
}

impl Answers {
    fn of(query: &Query) -> Result<Answers, StanzaError> {
        let Some(form) = &query.form else {
            return Ok(Answers {
                username: query.username.clone(),
                password: query.password.clone(),
                old_password: None,
            });
        };
        let known = [None, Some(NS), Some(CHANGE), Some(CANCEL)];
        if form.kind != FormKind::Submit || !known.contains(&form.form_type()) {
            return Err(Condition::BadRequest.into());
        }
        let secret = |var| form.value(var).map(|value| Secret(value.to_owned()));
        Ok(Answers {
            username: form.value("username").map(str::to_owned),
            password: secret("password"),
            old_password: secret("old_password"),
        })
    }
}

/// Whoever sends a form that asks for it proves to know the password, not only to hold the session.
async fn check_owner(
    cx: &Cx,
    username: &Option<String>,
    password: Option<&Secret>,
) -> Result<(), StanzaError> {
    let own = &cx.session.account.jid;
    let (Some(username), Some(password)) = (username, password) else {
        return Err(Condition::BadRequest.into());
    };
    if !is_own(username, own)? {
        return Err(Condition::NotAllowed.into());
    }
    let knows = accounts::has_password(&cx.server, own, &password.0).await;
    if knows.map_err(|error| refused(&error))? {
        return Ok(());
    }
    Err(StanzaError::from(Condition::NotAuthorized).with_type(ErrorType::Modify))
}

/// Whether a name filled in is the account's, with or without its domain.
fn is_own(username: &str, own: &BareJid) -> Result<bool, StanzaError> {
    if username.contains('@') {
        let jid: Result<BareJid, _> = username.parse();
        return Ok(jid.map_err(|_| Condition::NotAcceptable)? == *own);
    }
    Ok(account_of(username, own.domain())? == *own)
}

/// §3.2: the result is the last thing that its sessions get.
async fn remove(cx: Cx) -> Handled {
    let effects = removal(&cx.server, &cx.session.account).await?;
    Ok(Answer::empty().and(effects))
}

/// The account goes with everything stored under it and its subscriptions, and its sessions end: those who see
/// it are told while it is still known who they are.
pub(crate) async fn removal(
    server: &Server,
    account: &Arc<Account>,
) -> Result<Effects, StanzaError> {
    let mut effects = Effects::none();
    effects.exclusive = Some(server.turn_of_all_rosters().await);
    for session in account.sessions() {
        let ended = crate::presence::ended(server, &session).await?;
        effects.after.extend(ended.after);
    }
    super::rfc6121_subscription::end_all(server, account, &mut effects).await?;
    accounts::remove(server, &account.jid, &mut effects.batch);
    crate::pubsub::removed(server, &account.jid, &mut effects).await?;
    effects.removes = Some(account.clone());
    let jid = account.jid.clone();
    effects.call(move |server| {
        for session in server.directory().forget(&jid) {
            lifecycle::dismiss(server, &session, StreamCondition::NotAuthorized);
        }
        server.end_bytestreams(&jid);
        crate::uploads::count_again(server);
    });
    Ok(effects)
}

fn account_of(username: &str, domain: &str) -> Result<BareJid, StanzaError> {
    BareJid::from_parts(Some(username), domain).map_err(|_| Condition::NotAcceptable.into())
}

pub(crate) fn refused(error: &AccountError) -> StanzaError {
    match error {
        AccountError::Exists | AccountError::Removed => Condition::Conflict.into(),
        AccountError::Name
        | AccountError::Kept
        | AccountError::Password(_)
        | AccountError::Short(_) => {
            StanzaError::from(Condition::NotAcceptable).with_text(error.to_string())
        }
        AccountError::Store(error) => unavailable(error),
        AccountError::Stopped => Condition::InternalServerError.into(),
    }
}

/// Whether a stream to a domain offers registration before log-in, be it only to say where else it is (§5).
pub(crate) fn is_offered(mode: Registration, options: &Options) -> bool {
    mode == Registration::Open || !options.text(&REGISTRATION_URL).is_empty()
}

/// §5, and the last row but one of §6: instructions and a link, no fields.
fn elsewhere(url: &str) -> Query {
    Query {
        instructions: Some(format!("Accounts are made on a web page: {url}")),
        link: Some(Link {
            url: url.to_owned(),
            desc: None,
        }),
        ..Query::default()
    }
}

/// What is asked of somebody without an account: by a form, and by fields for those who know none (§6).
pub(crate) fn question() -> Query {
    let instructions = "Choose a user name and a password for this server.".to_owned();
    let field = |var, kind, label: &str| {
        Field::new(var, [])
            .with_kind(kind)
            .with_label(label)
            .required()
    };
    let form = DataForm::of_type(FormKind::Form, NS)
        .with_field(field("username", FieldKind::TextSingle, "User name"))
        .with_field(field("password", FieldKind::TextPrivate, "Password"));
    Query {
        instructions: Some(instructions.clone()),
        username: Some(String::new()),
        password: Some(Secret(String::new())),
        form: Some(DataForm {
            instructions: vec![instructions],
            ..form
        }),
        ..Query::default()
    }
}

/// Who asks before log-in.
#[derive(Clone, Copy)]
pub(crate) struct Applicant<'a> {
    /// From where.
    pub(crate) peer: IpAddr,
    /// By which invitation, if the token of one was shown (XEP-0445).
    pub(crate) invited: Option<&'a Invited>,
}

/// A request before log-in: the fields (§3.1) or a new account.
pub(crate) async fn before_login(
    server: &Server,
    domain: &str,
    kind: IqType,
    query: Query,
    applicant: Applicant<'_>,
) -> Result<Option<Query>, StanzaError> {
    let options = server.options_of(domain);
    let (mode, url) = (
        server.registration_of(domain),
        options.text(&REGISTRATION_URL),
    );
    let invited = applicant
        .invited
        .filter(|invited| invited.invitation.domain == domain);
    if let Some(invited) = invited {
        return tokens::register(server, invited, kind, query, applicant.peer).await;
    }
    if !is_offered(mode, &options) {
        let text = "accounts are made by whoever was invited";
        return Err(StanzaError::from(Condition::NotAllowed).with_text(text));
    }
    match kind {
        IqType::Get if mode != Registration::Open => Ok(Some(elsewhere(url))),
        IqType::Get => Ok(Some(question())),
        // §3.2: nobody is known who could give up an account.
        IqType::Set if query.remove => Err(Condition::UnexpectedRequest.into()),
        IqType::Set if mode != Registration::Open => {
            let text = format!("accounts are made at {url}");
            Err(StanzaError::from(Condition::NotAllowed).with_text(text))
        }
        IqType::Set => {
            let (username, password) = filled_in(&query)?;
            let jid = account_of(&username, domain)?;
            make(server, &jid, &password, Network::of(applicant.peer)).await?;
            Ok(None)
        }
        _ => Err(Condition::BadRequest.into()),
    }
}

/// The name and the password that somebody wants to have.
pub(crate) fn filled_in(query: &Query) -> Result<(String, Secret), StanzaError> {
    let answers = Answers::of(query)?;
    match (answers.username, answers.password) {
        (Some(username), Some(password)) => Ok((username, password)),
        _ => Err(Condition::NotAcceptable.into()),
    }
}

/// An account for somebody from `network`, unless too many were asked for.
async fn make(
    server: &Server,
    jid: &BareJid,
    password: &Secret,
    network: Network,
) -> Result<(), StanzaError> {
    if jid.node().is_none() || password.0.is_empty() {
        return Err(Condition::NotAcceptable.into());
    }
    choosing::check_name(server, jid).map_err(|error| refused(&error))?;
    choosing::check_password(server, jid.domain(), &password.0).map_err(|error| refused(&error))?;
    // A name that is taken counts: who asks learns that it is.
    if !throttle::registers(server, network) {
        let text = "too many accounts were asked for; try again later";
        return Err(StanzaError::from(Condition::ResourceConstraint)
            .with_type(ErrorType::Wait)
            .with_text(text));
    }
    // Somebody who was invited has it reserved (XEP-0445, "Business Rules").
    let reserved = invitations::reserved_by(server, jid, None).await;
    if reserved.map_err(|error| unavailable(&error))?.is_some() {
        return Err(Condition::Conflict.into());
    }
    accounts::create(server, jid, &password.0, Role::Member, false)
        .await
        .map_err(|error| refused(&error))
}
