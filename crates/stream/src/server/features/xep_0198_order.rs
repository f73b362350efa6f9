//! XEP-0198: Stream Management: what comes before its time.
//! <https://xmpp.org/extensions/xep-0198.html#enable>
//!
//! The feature itself is the server's: it offers it, and takes `<resume/>` before and everything
//! after binding. What it does not take comes here.

use waxwing_stanza::Condition;

use super::Feature;
use crate::server::{Negotiation, Stage};
use crate::sm::{Failed, Nonza, SM};

pub(super) static FEATURE: Feature = Feature {
    stage: Stage::Bind,
    element: |_| None,
    takes: |stanza| stanza.ns() == SM && matches!(stanza.name(), "enable" | "resume"),
    handle: |negotiation: &mut Negotiation, _| {
        let failed = Failed {
            h: None,
            condition: Some(Condition::UnexpectedRequest),
        };
        negotiation.send(Nonza::Failed(failed).to_bytes());
    },
};
