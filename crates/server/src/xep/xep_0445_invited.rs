//! XEP-0445: Pre-Authenticated In-Band Registration: who shows the token of an invitation makes an account, whether others may
//! or not.
//!
//! <https://xmpp.org/extensions/xep-0445.html>

use std::net::IpAddr;

use waxwing_stanza::xep::xep_0077_registration::Registration as Query;
use waxwing_stanza::xep::xep_0379_preauth::Preauth;
use waxwing_stanza::xep::xep_0445_invited::{FormerTokenFeature, TokenFeature};
use waxwing_stanza::{Condition, ErrorType, IqType, Payload, StanzaError};
use waxwing_stream::server::Stage;
use waxwing_wire::Stanza;

use crate::invitations::{self, Invited, RedeemError};
use crate::registry::{Feature, Registrar, Source};
use crate::server::{Server, unavailable};
use crate::throttle::{self, Network};
use crate::xep::xep_0077_registration as registration;

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(445),
    title: "Pre-Authenticated In-Band Registration",
    version: "0.2.0",
    options: &[invitations::REDEEMED_BY_NETWORK],
    register: offer,
    ..Feature::NONE
};

fn offer(registrar: &mut Registrar<'_>) {
    // An invitation can be made at any time, so it is never known that there is none.
    registrar.stream_feature(Stage::Login, |_, _| Some(TokenFeature {}.write()));
    registrar.stream_feature(Stage::Login, |_, _| Some(FormerTokenFeature {}.write()));
}

/// Somebody shows a token before log-in. Its time is looked at here and never again, and it is used up by nothing but an
/// account ("Pre-Authenticated In-Band Registration").
pub(crate) async fn shown(
    server: &Server,
    domain: Option<String>,
    stanza: &Stanza,
    network: Network,
) -> Result<Invited, StanzaError> {
    let domain = domain.ok_or(Condition::ItemNotFound)?;
    if IqType::of(stanza)? != IqType::Set {
        return Err(Condition::BadRequest.into());
    }
    let preauth = Preauth::find_in(stanza)?.ok_or(Condition::BadRequest)?;
    if !invitations::may_guess(server, network) {
        return Err(too_often());
    }
    let found = invitations::find(server, &preauth.token.0).await;
    let found = found.map_err(|error| unavailable(&error))?;
    let good =
        found.filter(|invited| invited.invitation.registers && invited.invitation.domain == domain);
    good.ok_or_else(|| {
        throttle::failed(server, network, None);
        let text = "The provided token is invalid or expired";
        StanzaError::from(Condition::ItemNotFound)
            .with_type(ErrorType::Cancel)
            .with_text(text)
    })
}

/// What somebody asks for who was invited: the fields (XEP-0077 §3.1), the name filled in where it is settled, or the account.
pub(crate) async fn register(
    server: &Server,
    invited: &Invited,
    kind: IqType,
    query: Query,
    peer: IpAddr,
) -> Result<Option<Query>, StanzaError> {
    match kind {
        IqType::Get => {
            let question = registration::question();
            Ok(Some(match &invited.invitation.name {
                Some(name) => question_for(question, name),
                None => question,
            }))
        }
        IqType::Set if query.remove => Err(Condition::UnexpectedRequest.into()),
        IqType::Set => {
            let (username, password) = registration::filled_in(&query)?;
            if username.is_empty() || password.0.is_empty() {
                return Err(Condition::NotAcceptable.into());
            }
            invitations::register(server, invited, &username, &password.0, peer)
                .await
                .map_err(|error| refused(&error))?;
            Ok(None)
        }
        _ => Err(Condition::BadRequest.into()),
    }
}

/// The same question for an account whose name is settled.
fn question_for(mut question: Query, name: &str) -> Query {
    question.username = Some(name.to_owned());
    let fields = question.form.iter_mut().flat_map(|form| &mut form.fields);
    for field in fields.filter(|field| field.var.as_deref() == Some("username")) {
        field.values = vec![name.to_owned()];
    }
    question
}

fn too_often() -> StanzaError {
    StanzaError::from(Condition::ResourceConstraint)
        .with_type(ErrorType::Wait)
        .with_text("too much was tried; try again later")
}

fn refused(error: &RedeemError) -> StanzaError {
    match error {
        RedeemError::Gone => {
            StanzaError::from(Condition::ItemNotFound).with_text(error.to_string())
        }
        RedeemError::Purpose | RedeemError::OtherName => {
            StanzaError::from(Condition::NotAcceptable).with_text(error.to_string())
        }
        RedeemError::TooOften => too_often(),
        RedeemError::Enough => StanzaError::from(Condition::ResourceConstraint)
            .with_type(ErrorType::Wait)
            .with_text(error.to_string()),
        RedeemError::Unavailable => {
            StanzaError::from(Condition::InternalServerError).with_type(ErrorType::Wait)
        }
        RedeemError::Account(error) => registration::refused(error),
    }
}
