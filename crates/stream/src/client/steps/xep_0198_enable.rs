//! XEP-0198: Stream Management: beginning it.
//! <https://xmpp.org/extensions/xep-0198.html#enable>

use waxwing_wire::Stanza;

use super::Step;
use crate::client::Negotiation;
use crate::error::StreamCondition;
use crate::sm::{Nonza, SM};

pub(super) static STEP: Step = Step {
    name: "enable",
    wanted: |negotiation, features| {
        let wanted =
            negotiation.settings.stream_management.is_some() && !negotiation.session.enable_tried;
        wanted && features.child(SM, "sm").is_some()
    },
    begin: |negotiation, _| {
        negotiation.session.enable_tried = true;
        if let Some(enable) = negotiation.settings.stream_management.clone() {
            negotiation.send(Nonza::Enable(enable).to_bytes());
        }
    },
    takes: |_, stanza| stanza.ns() == SM,
    handle,
};

fn handle(negotiation: &mut Negotiation, stanza: &Stanza) {
    match Nonza::read(stanza) {
        Ok(Some(Nonza::Enabled(enabled))) => {
            negotiation.session.enabled = Some(enabled);
            negotiation.advance();
        }
        // It works without.
        Ok(Some(Nonza::Failed(_))) => negotiation.advance(),
        Ok(_) => negotiation.complain(StreamCondition::InvalidXml.into()),
        Err(error) => negotiation.complain(error),
    }
}
