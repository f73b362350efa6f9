//! XEP-0215: External Service Discovery.
//!
//! <https://xmpp.org/extensions/xep-0215.html>
//!
//! Which services there are is for the operator to say; how somebody gets into them is in `external.rs`. Nothing is pushed
//! ("MAY"): credentials are made when they are asked for, and a client that comes to their end asks again.

use waxwing_stanza::xep::xep_0215_external_services::{Credentials, NS, Services};
use waxwing_stanza::{Condition, IqType, StanzaError};

use crate::addressee::Addressee;
use crate::cx::{Answer, Cx, Handled, Iq, IqHead};
use crate::external::ExternalService;
use crate::options::{OptionDefault, OptionSpec};
use crate::registry::{Feature, Registrar, Source};

/// Whether guests may call by the operator's relays.
pub const FOR_GUESTS: OptionSpec = OptionSpec {
    name: "external_services_for_guests",
    default: OptionDefault::Flag(false),
    unit: "",
    doc: "Whether guests are told of the services in the sections [external.NAME], and get credentials for them.",
};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(215),
    title: "External Service Discovery",
    version: "1.0.0",
    domain_options: &[FOR_GUESTS],
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.iq(&[Addressee::Domain], IqType::Get, services);
    registrar.iq(&[Addressee::Domain], IqType::Get, credentials);
    registrar.disco(&[Addressee::Domain], NS);
}

/// "Requesting All Services", "Requesting Selected Services".
async fn services(cx: Cx, iq: Iq<Services>) -> Handled {
    admit(&cx, &iq.head)?;
    let kind = iq.payload.kind;
    let is_meant = |service: &ExternalService| {
        kind.as_ref()
            .is_none_or(|kind| *kind == service.kind.as_str())
    };
    let services = cx
        .server
        .offered_services(&cx.session.account.jid, is_meant);
    Ok(Answer::with(&Services { kind, services }))
}

/// "Requesting Credentials".
async fn credentials(cx: Cx, iq: Iq<Credentials>) -> Handled {
    admit(&cx, &iq.head)?;
    let [asked] = iq.payload.services.as_slice() else {
        let text = "credentials are for one service";
        return Err(StanzaError::from(Condition::BadRequest).with_text(text));
    };
    let is_meant = |service: &ExternalService| {
        service.host.eq_ignore_ascii_case(&asked.host)
            && service.kind.as_str() == asked.kind
            && asked.port.is_none_or(|port| port == service.port)
            && service.shared.is_some()
    };
    let services = cx
        .server
        .offered_services(&cx.session.account.jid, is_meant);
    match services.is_empty() {
        true => Err(StanzaError::from(Condition::ItemNotFound)
            .with_text("there are no credentials for such a service")),
        false => Ok(Answer::with(&Credentials { services })),
    }
}

/// Relays cost their operator something: they are for the accounts of the domain.
fn admit(cx: &Cx, head: &IqHead) -> Result<(), StanzaError> {
    let account = &cx.session.account;
    let is_own = !account.is_outside() && account.jid.domain() == head.to.domain();
    let options = cx.server.options_of(head.to.domain());
    if is_own && (!account.is_guest() || options.flag(&FOR_GUESTS)) {
        return Ok(());
    }
    let text = "these services are for people with an account at this domain";
    Err(StanzaError::from(Condition::Forbidden).with_text(text))
}
