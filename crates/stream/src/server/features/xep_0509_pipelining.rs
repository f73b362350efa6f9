//! XEP-0509: Initial Authentication Pipelining, version 0.2.0: a log-in that does not wait for the features.
//! <https://xmpp.org/extensions/xep-0509.html>

use std::sync::Arc;

use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0509_pipelining::{ConfigVersion, Mismatch};
use waxwing_wire::{Element, ns};

use super::xep_0388_sasl2::NS as SASL2;
use crate::error::{StreamCondition, StreamError};
use crate::sasl::{Failure, Hash, base64};
use crate::server::Negotiation;

/// Bytes of the hash that make a version.
const VERSION_BYTES: usize = 18;
const SCHEME: &str = "opaque";

/// The version of what is offered (§2.3): a hash, so that all members of a cluster say the same, and after a
/// restart too.
pub(super) fn version(features: &[Element]) -> Arc<str> {
    let bytes = features.iter().map(|feature| feature.to_bytes(ns::CLIENT));
    let whole: Vec<u8> = bytes.flatten().collect();
    let hash = Hash::Sha256.digest(&whole);
    base64::encode(&hash.bytes()[..VERSION_BYTES]).into()
}

/// The stream feature (§2.1).
pub(super) fn element(version: &str) -> Element {
    let version = ConfigVersion {
        scheme: Some(SCHEME.to_owned()),
        value: version.to_owned(),
    };
    version.write()
}

/// Refuses a log-in for another offer than this stream's, without prejudice: it is no log-in that failed
/// (§2.2). But who knows better by now and does not learn goes.
pub(super) fn is_refused(negotiation: &mut Negotiation, authenticate: &Element) -> bool {
    let Some(said) = authenticate.child(ConfigVersion::NS, ConfigVersion::NAME) else {
        return false;
    };
    if said.attr("value") == negotiation.sasl2.version() {
        return false;
    }
    let condition = Element::new(ns::SASL, Failure::Aborted.name());
    let text = Element::new(SASL2, "text").with_text("Configuration version mismatch");
    let failure = Element::new(SASL2, "failure").with_child(condition);
    let failure = failure.with_child(Mismatch {}.write()).with_child(text);
    negotiation.send(failure.to_bytes(ns::CLIENT));
    negotiation.sasl2.mismatches += 1;
    if negotiation.sasl2.mismatches >= negotiation.settings.login_failures_max {
        let text = "log-ins go on for what is not offered";
        negotiation.close(StreamError::new(StreamCondition::PolicyViolation, text));
    }
    true
}
