//! XEP-0065: SOCKS5 Bytestreams, relayed.
//!
//! <https://xmpp.org/extensions/xep-0065.html>
//!
//! Two clients that cannot reach each other, or would not show each other where they are, send bytes through the server: who
//! is joined to whom is in `bytestreams.rs`, the connections are the daemon's. UDP ("OPTIONAL") is not relayed.

use waxwing_stanza::xep::xep_0030_disco::Identity;
use waxwing_stanza::xep::xep_0065_bytestreams::{NS, Query, StreamHost};
use waxwing_stanza::{Condition, IqType, Jid, StanzaError};

use crate::addressee::Addressee;
use crate::bytestreams::{ActivateError, OPTIONS, PER_ACCOUNT_MAX, StreamHash};
use crate::cx::{Answer, Cx, Handled, Iq, IqHead};
use crate::hosts::Service;
use crate::metrics::Limit;
use crate::options::{OptionDefault, OptionSpec};
use crate::registry::{Feature, Registrar, Source, Status};

/// Where clients are sent.
pub const ADDRESS: OptionSpec = OptionSpec {
    name: "bytestreams_address",
    default: OptionDefault::Host,
    unit: "",
    doc: "The host name or IP address at which clients reach the relay of byte streams; an empty text for the name of its host, such as proxy.example.org.",
};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(65),
    title: "SOCKS5 Bytestreams",
    version: "1.8.2",
    status: Status::Partial("the relay, by TCP"),
    options: OPTIONS,
    domain_options: &[ADDRESS],
    register,
    ..Feature::NONE
};

/// Most bytes of a stream's id.
const SID_BYTES_MAX: usize = 1_023;

fn register(registrar: &mut Registrar<'_>) {
    let host = &[Addressee::Host(Service::Bytestreams)];
    registrar.iq(host, IqType::Get, address);
    registrar.iq(host, IqType::Set, activate);
    registrar.disco(host, NS);
    registrar.identity(host, &Identity::new("proxy", "bytestreams", None));
}

/// §4.
async fn address(cx: Cx, iq: Iq<Query>) -> Handled {
    let domain = admit(&cx, &iq.head)?;
    // "If the Proxy is unable to act as a StreamHost".
    let port = cx.server.bytestreams().port();
    let port = port.ok_or_else(|| {
        StanzaError::from(Condition::NotAllowed).with_text("no relay listens at this server")
    })?;
    let options = cx.server.options_of(&domain);
    let host = match options.text(&ADDRESS) {
        "" => iq.head.to.domain().to_owned(),
        address => address.to_owned(),
    };
    let told = StreamHost {
        host,
        jid: iq.head.to.clone().into(),
        port,
    };
    Ok(Answer::with(&Query {
        sid: None,
        hosts: vec![told],
        activate: None,
    }))
}

/// "Activation of Bytestream".
async fn activate(cx: Cx, iq: Iq<Query>) -> Handled {
    admit(&cx, &iq.head)?;
    let bad = |text: &str| StanzaError::from(Condition::BadRequest).with_text(text);
    let Query { sid, activate, .. } = &iq.payload;
    let sid = sid
        .as_deref()
        .filter(|sid| !sid.is_empty() && sid.len() <= SID_BYTES_MAX);
    let sid = sid.ok_or_else(|| bad("the stream has no id"))?;
    let other = activate.as_deref().ok_or_else(|| bad("nobody is named"))?;
    let other: Jid = other
        .trim()
        .parse()
        .map_err(|_| StanzaError::from(Condition::JidMalformed))?;
    let asker = cx.session.as_sender();
    let hash = StreamHash::of(sid, &asker, &other);
    let account = cx.session.account.jid.to_string();
    let most = cx.server.options().number(&PER_ACCOUNT_MAX);
    match cx.server.bytestreams().activate(&hash, &account, most) {
        Ok(()) => Ok(Answer::empty()),
        Err(ActivateError::Unknown) => Err(StanzaError::from(Condition::ItemNotFound)
            .with_text("no connection has named such a stream")),
        Err(ActivateError::Half) => {
            Err(StanzaError::from(Condition::NotAllowed)
                .with_text("one of the two is not connected"))
        }
        Err(ActivateError::TooMany) => {
            cx.server.metrics().limit(Limit::Bytestreams);
            Err(StanzaError::from(Condition::ResourceConstraint)
                .with_text(format!("an account has {most} streams at a time at most")))
        }
    }
}

/// A relay costs its operator something: it is for the accounts of the domain, which is given back. Who is at the other end
/// nobody can know, so it is not for those who reach only their own server.
fn admit(cx: &Cx, head: &IqHead) -> Result<String, StanzaError> {
    let account = &cx.session.account;
    let hosts = cx.server.hosts();
    let domain = hosts.get(head.to.domain()).map(|host| host.domain.clone());
    let is_own = |domain: &String| !account.is_outside() && account.jid.domain() == *domain;
    let domain = domain.filter(|domain| is_own(domain) && !account.stays_here());
    domain.ok_or_else(|| {
        StanzaError::from(Condition::Forbidden).with_text(
            "this relay is for people with an account at its domain that reaches other servers",
        )
    })
}
