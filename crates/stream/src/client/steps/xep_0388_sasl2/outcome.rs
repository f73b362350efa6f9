//! What `<success/>` says.

use waxwing_stanza::xep::xep_0386_bind2 as bind2;
use waxwing_stanza::xep::xep_0388_sasl2::NS;
use waxwing_stanza::xep::xep_0484_fast::Token;
use waxwing_stanza::{FullJid, Jid, Payload};
use waxwing_wire::Element;

use super::Sent;
use crate::client::{FastToken, Negotiation, NegotiationError, Output, Phase};
use crate::error::{StreamCondition, StreamError};
use crate::sm::{Enabled, Failed, Resumed, SM};

fn wrong(text: &'static str) -> NegotiationError {
    NegotiationError::Protocol(StreamError::new(StreamCondition::InvalidXml, text))
}

/// We are logged in. Everything is read before anything of it is believed.
pub(super) fn succeed(
    negotiation: &mut Negotiation,
    success: &Element,
) -> Result<(), NegotiationError> {
    let Some(sent) = negotiation.login.sasl2.take() else {
        return Err(wrong("nobody logs in"));
    };
    let id = success
        .child(NS, "authorization-identifier")
        .map(Element::text);
    let id = id.and_then(|id| Jid::new(id.trim_ascii()).ok());
    let id = id.filter(|id| id.bare() == negotiation.settings.account);
    let Some(id) = id else {
        return Err(wrong("the address is missing or not of this account"));
    };
    let (resumed, failed) = (read::<Resumed>(success)?, read::<Failed>(success)?);
    let bound = bound(success, &id)?;
    let token = token(success, &sent)?;
    if resumed
        .as_ref()
        .is_some_and(|resumed| !is_ours(negotiation, &sent, &resumed.previd))
    {
        return Err(wrong("another session is resumed"));
    }
    negotiation.login.exchange = None;
    negotiation.login.done = true;
    negotiation.step = None;
    negotiation.features = None;
    negotiation.outputs.push_back(Output::Authenticated);
    negotiation.outputs.extend(token.map(Output::Token));
    let session = &mut negotiation.session;
    session.resume_tried |= sent.resume;
    if let Some(Resumed { h, .. }) = resumed {
        session.resumed = true;
        negotiation.phase = Phase::Done;
        negotiation.outputs.push_back(Output::Resumed { h });
        return Ok(());
    }
    negotiation.outputs.extend(failed.map(Output::ResumeFailed));
    if let Some((jid, results)) = bound {
        session.jid = Some(jid);
        session.resume_tried = true;
        session.enable_tried |= sent.enable;
        session.enabled = Enabled::find(&results).ok().flatten();
        let others = results.children().filter(|child| child.ns() != SM);
        negotiation
            .outputs
            .extend(others.cloned().map(Output::Inline));
    }
    // The features of the stream as it is now come next.
    Ok(())
}

fn read<P: Payload>(success: &Element) -> Result<Option<P>, NegotiationError> {
    P::find(success).map_err(|_| wrong("an outcome of the log-in is malformed"))
}

/// `<bound/>`, and the address that it stands for (XEP-0386 §3.2).
fn bound(success: &Element, id: &Jid) -> Result<Option<(FullJid, Element)>, NegotiationError> {
    let Some(results) = success.child(bind2::NS, "bound") else {
        return Ok(None);
    };
    match id.full() {
        Some(jid) => Ok(Some((jid, results.clone()))),
        None => Err(wrong("a resource is bound without being named")),
    }
}

/// A new token: for what was asked for, or for what was used.
fn token(success: &Element, sent: &Sent) -> Result<Option<FastToken>, NegotiationError> {
    let (Some(token), Some(mechanism)) = (read::<Token>(success)?, sent.token_for) else {
        return Ok(None);
    };
    Ok(Some(FastToken {
        mechanism,
        token: token.token,
        expiry: token.expiry,
        count: 0,
        invalidate: false,
    }))
}

fn is_ours(negotiation: &Negotiation, sent: &Sent, previd: &str) -> bool {
    let resume = negotiation.settings.resume.as_ref().filter(|_| sent.resume);
    resume.is_some_and(|resume| resume.previd == previd)
}
