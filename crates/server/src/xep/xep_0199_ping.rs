//! XEP-0199: XMPP Ping.
//!
//! <https://xmpp.org/extensions/xep-0199.html>

use waxwing_stanza::IqType;
use waxwing_stanza::xep::xep_0199_ping::{NS, Ping};

use crate::addressee::Addressee;
use crate::cx::{Answer, Cx, Handled, Iq};
use crate::registry::{Feature, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(199),
    title: "XMPP Ping",
    version: "2.0.1",
    register: |registrar| {
        for whom in [&[Addressee::OwnAccount], Addressee::SERVER] {
            registrar.iq(whom, IqType::Get, pong);
            registrar.disco(whom, NS);
        }
    },
    ..Feature::NONE
};

async fn pong(_: Cx, _: Iq<Ping>) -> Handled {
    Ok(Answer::empty())
}
