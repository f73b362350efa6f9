//! XEP-0077: In-Band Registration: new accounts where the operator allows them, change of
//! password, removal of one's own account.
//!
//! <https://xmpp.org/extensions/xep-0077.html>

use waxwing_stanza::payload::Secret;
use waxwing_stanza::xep::xep_0077_registration::{NS, Registration as Query};
use waxwing_stanza::{BareJid, Condition, IqType, StanzaError};
use waxwing_stream::StreamCondition;

use crate::accounts::{self, AccountError, Role};
use crate::addressee::Addressee;
use crate::cx::{Answer, Cx, Handled, Iq};
use crate::effects::Effects;
use crate::registry::{Feature, Registrar, Source};
use crate::server::{Server, unavailable};
use crate::settings::Registration;

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(77),
    title: "In-Band Registration",
    version: "2.4",
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
async fn fields(cx: Cx, _: Iq<Query>) -> Handled {
    let username = cx.session.account.jid.node().unwrap_or_default().to_owned();
    let query = Query {
        registered: true,
        username: Some(username),
        password: Some(Secret(String::new())),
        ..Query::default()
    };
    Ok(Answer::with(&query))
}

async fn set(cx: Cx, iq: Iq<Query>) -> Handled {
    let own = &cx.session.account.jid;
    if iq.payload.removes() {
        return remove(cx).await;
    }
    let (Some(username), Some(password)) = (iq.payload.username, iq.payload.password) else {
        return Err(Condition::BadRequest.into());
    };
    if account_of(&username, own.domain())? != *own {
        return Err(Condition::NotAllowed.into());
    }
    accounts::set_password(&cx.server, own, &password.0)
        .await
        .map_err(|error| refused(&error))?;
    Ok(Answer::empty())
}

/// §3.2: the account goes with everything stored under it and its subscriptions; the result is the
/// last thing its sessions get.
async fn remove(cx: Cx) -> Handled {
    let jid = cx.session.account.jid.clone();
    let mut effects = Effects::none();
    effects.exclusive = Some(cx.server.turn_of_all_rosters().await);
    for session in cx.session.account.sessions() {
        effects
            .after
            .extend(crate::presence::ended(&cx.server, &session).await?.after);
    }
    super::rfc6121_subscription::end_all(&cx.server, &cx.session.account, &mut effects).await?;
    effects.batch.delete_owner(&cx.session.account.owner);
    effects.call(move |server| {
        for session in server.directory().forget(&jid) {
            session.kick(StreamCondition::NotAuthorized.into());
        }
    });
    Ok(Answer::empty().and(effects))
}

fn account_of(username: &str, domain: &str) -> Result<BareJid, StanzaError> {
    BareJid::from_parts(Some(username), domain).map_err(|_| Condition::NotAcceptable.into())
}

fn refused(error: &AccountError) -> StanzaError {
    match error {
        AccountError::Exists => Condition::Conflict.into(),
        AccountError::Name | AccountError::Password => Condition::NotAcceptable.into(),
        AccountError::Store(error) => unavailable(error),
        AccountError::Stopped => Condition::InternalServerError.into(),
    }
}

/// Whether a stream offers registration before log-in.
pub(crate) fn is_offered(server: &Server) -> bool {
    server.registration() == Registration::Open
}

/// A request before log-in: the fields (§3.1) or a new account.
pub(crate) async fn before_login(
    server: &Server,
    domain: &str,
    kind: IqType,
    query: Query,
) -> Result<Option<Query>, StanzaError> {
    if !is_offered(server) {
        return Err(Condition::ServiceUnavailable.into());
    }
    match kind {
        IqType::Get => Ok(Some(Query {
            instructions: Some("Choose a user name and a password for this server.".to_owned()),
            username: Some(String::new()),
            password: Some(Secret(String::new())),
            ..Query::default()
        })),
        IqType::Set => {
            let (Some(username), Some(password)) = (query.username, query.password) else {
                return Err(Condition::NotAcceptable.into());
            };
            let jid = account_of(&username, domain)?;
            accounts::create(server, &jid, &password.0, Role::Member)
                .await
                .map_err(|error| refused(&error))?;
            Ok(None)
        }
        _ => Err(Condition::BadRequest.into()),
    }
}
