//! XEP-0092: Software Version.
//!
//! <https://xmpp.org/extensions/xep-0092.html>

use waxwing_stanza::xep::xep_0092_version::{NS, Version};
use waxwing_stanza::{Condition, IqType};

use crate::addressee::Addressee;
use crate::cx::{Answer, Cx, Handled, Iq};
use crate::options::{OptionDefault, OptionSpec};
use crate::registry::{Feature, Source};

/// Whether strangers learn the version.
pub const SHOW: OptionSpec = OptionSpec {
    name: "version_shown",
    default: OptionDefault::Flag(true),
    unit: "",
    doc: "Whether the server answers with its name and version (XEP-0092); otherwise with <service-unavailable/>.",
};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(92),
    title: "Software Version",
    version: "1.1",
    options: &[SHOW],
    register: |registrar| {
        registrar.iq(Addressee::SERVER, IqType::Get, version);
        registrar.disco(Addressee::SERVER, NS);
    },
    ..Feature::NONE
};

async fn version(cx: Cx, _: Iq<Version>) -> Handled {
    if !cx.server.options().flag(&SHOW) {
        return Err(Condition::ServiceUnavailable.into());
    }
    let version = Version {
        name: Some("Waxwing".to_owned()),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        // The operating system is nobody's business (§5).
        os: None,
    };
    Ok(Answer::with(&version))
}
