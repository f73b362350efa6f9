//! XEP-0198: Stream Management: going on with a former session.
//! <https://xmpp.org/extensions/xep-0198.html#resumption>

use waxwing_wire::Stanza;

use super::Step;
use crate::client::{Negotiation, Output, Phase};
use crate::error::StreamCondition;
use crate::sm::{Nonza, Resumed, SM};

pub(super) static STEP: Step = Step {
    name: "resume",
    wanted: |negotiation, features| {
        let wanted = negotiation.settings.resume.is_some() && !negotiation.session.resume_tried;
        wanted && features.child(SM, "sm").is_some()
    },
    begin: |negotiation, _| {
        negotiation.session.resume_tried = true;
        if let Some(resume) = negotiation.settings.resume.clone() {
            negotiation.send(Nonza::Resume(resume).to_bytes());
        }
    },
    takes: |_, stanza| stanza.ns() == SM,
    handle,
};

fn handle(negotiation: &mut Negotiation, stanza: &Stanza) {
    match Nonza::read(stanza) {
        Ok(Some(Nonza::Resumed(Resumed { previd, h }))) if is_ours(negotiation, &previd) => {
            negotiation.session.resumed = true;
            negotiation.step = None;
            negotiation.phase = Phase::Done;
            negotiation.outputs.push_back(Output::Resumed { h });
        }
        Ok(Some(Nonza::Failed(failed))) => {
            negotiation.outputs.push_back(Output::ResumeFailed(failed));
            negotiation.advance();
        }
        Ok(_) => negotiation.complain(StreamCondition::InvalidXml.into()),
        Err(error) => negotiation.complain(error),
    }
}

fn is_ours(negotiation: &Negotiation, previd: &str) -> bool {
    negotiation
        .settings
        .resume
        .as_ref()
        .is_some_and(|resume| resume.previd == previd)
}
