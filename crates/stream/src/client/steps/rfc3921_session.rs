//! The session request of old servers:
//! [RFC 3921 §3](https://www.rfc-editor.org/rfc/rfc3921#section-3).

use waxwing_stanza::Payload;
use waxwing_stanza::xep::rfc3921_session::Session;
use waxwing_wire::ns;

use super::Step;
use super::rfc6120_bind::{is_answer, request};

const ID: &str = "session";

pub(super) static STEP: Step = Step {
    name: "session",
    wanted: |negotiation, features| {
        let offer = Session::find(features);
        let needed = matches!(offer, Ok(Some(Session { optional: false })));
        needed && negotiation.session.jid.is_some() && !negotiation.session.session_done
    },
    begin: |negotiation, _| {
        let session = Session { optional: false };
        negotiation.send(request(ID, session.write()).to_bytes(ns::CLIENT));
    },
    takes: |_, stanza| is_answer(stanza, ID),
    // An error changes nothing: the resource is bound, and RFC 6121 knows no sessions.
    handle: |negotiation, _| {
        negotiation.session.session_done = true;
        negotiation.advance();
    },
};
