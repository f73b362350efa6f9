//! XEP-0352: Client State Indication.
//!
//! <https://xmpp.org/extensions/xep-0352.html>
//!
//! What waits while nobody looks at a client is decided in `session/lull.rs`.

use std::sync::Arc;

use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0352_csi::{Active, Csi, Inactive, NS};
use waxwing_stream::StreamCondition;
use waxwing_stream::server::Stage;
use waxwing_wire::Stanza;

use crate::connection::Connection;
use crate::options::{OptionDefault, OptionSpec};
use crate::registry::{Feature, Registrar, Source};
use crate::session::Session;

/// Whether anything waits.
pub const QUEUED: OptionSpec = OptionSpec {
    name: "inactive_clients_spared",
    default: OptionDefault::Flag(true),
    unit: "",
    doc: "Whether clients that say that nobody looks at them are sent presence, typing, receipts and notifications of nodes only together with something that cannot wait.",
};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(352),
    title: "Client State Indication",
    version: "1.0.0",
    options: &[QUEUED],
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.stream_feature(Stage::Bind, |_, options| {
        options.flag(&QUEUED).then(|| Csi {}.write())
    });
    // Together with a resource (XEP-0386 §3.3).
    registrar.bind2_feature(NS, |server, session, asked| {
        if Inactive::is(asked) && server.options().flag(&QUEUED) {
            session.set_inactive();
        }
        None
    });
}

/// Whether an element is about the client's state.
pub(crate) fn is_about(stanza: &Stanza) -> bool {
    stanza.ns() == NS
}

/// §3.2: nothing answers it.
pub(crate) fn handle(connection: &mut Connection, session: &Arc<Session>, stanza: &Stanza) {
    let is_spared = connection.server.options().flag(&QUEUED);
    match stanza.name() {
        Active::NAME => session.set_active(),
        Inactive::NAME if is_spared => session.set_inactive(),
        Inactive::NAME => {}
        _ => connection.fail(StreamCondition::UnsupportedStanzaType.into()),
    }
}
