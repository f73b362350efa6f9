//! XEP-0202: Entity Time.
//!
//! <https://xmpp.org/extensions/xep-0202.html>

use waxwing_stanza::IqType;
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0202_time::{NS, Time};

use crate::addressee::Addressee;
use crate::cx::{Answer, Cx, Handled, Iq};
use crate::registry::{Feature, Source};

/// Times are told in whole seconds: more helps nobody but who measures the server (§7).
const PRECISION_MICROS: u64 = 1_000_000;

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(202),
    title: "Entity Time",
    version: "2.0",
    register: |registrar| {
        registrar.iq(Addressee::SERVER, IqType::Get, time);
        registrar.disco(Addressee::SERVER, NS);
    },
    ..Feature::NONE
};

async fn time(cx: Cx, _: Iq<Time>) -> Handled {
    let now = cx.server.now_micros();
    Ok(Answer::with(&Time {
        // Where the machine stands is nobody's business (§7).
        tzo: Some("+00:00".to_owned()),
        utc: Some(DateTime::from_unix_micros(now - now % PRECISION_MICROS)),
    }))
}
