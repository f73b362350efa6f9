//! XEP-0478: Stream Limits Advertisement: how large a stanza may be, said before somebody sends one
//! that is too large.
//!
//! <https://xmpp.org/extensions/xep-0478.html>
//!
//! No `<idle-seconds/>`: a stream may be silent as long as its client likes.

use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0478_limits::StreamLimits;
use waxwing_stream::server::Stage;
use waxwing_wire::{Element, Limits};

use crate::registry::{Feature, Registrar, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(478),
    title: "Stream Limits Advertisement",
    version: "0.2.0",
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.stream_feature(Stage::Tls, |_, _| element(Limits::BEFORE_LOGIN));
    registrar.stream_feature(Stage::Login, |_, _| element(Limits::BEFORE_LOGIN));
    registrar.stream_feature(Stage::Bind, |_, _| element(Limits::CLIENT));
}

fn element(limits: Limits) -> Option<Element> {
    let limits = StreamLimits {
        max_bytes: u32::try_from(limits.stanza_bytes_max).ok(),
        idle_seconds: None,
    };
    Some(limits.write())
}
