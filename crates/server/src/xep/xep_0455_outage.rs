//! XEP-0455: Service Outage Status: where it is told that a domain does not work, in its disco#info.
//!
//! <https://xmpp.org/extensions/xep-0455.html>
//!
//! The file at such an address is elsewhere, since it is needed when the server is not there: `waxwing outage` writes it.

use waxwing_stanza::xep::xep_0004_forms::{DataForm, Field, FieldKind, FormKind};
use waxwing_stanza::xep::xep_0455_outage::{ADDRESSES, FORM_TYPE};

use crate::options::{OptionDefault, OptionSpec, Options};
use crate::registry::{Feature, Source};

/// Where outages are told.
pub const OUTAGE_ADDRESSES: OptionSpec = OptionSpec {
    name: "outage_addresses",
    default: OptionDefault::Pages,
    unit: "",
    doc: "Where clients look when the server does not answer, as https: addresses of a file that `waxwing outage` writes; on another machine.",
};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(455),
    title: "Service Outage Status",
    version: "0.4.0",
    domain_options: &[OUTAGE_ADDRESSES],
    register: |registrar| registrar.domain_form(form),
    ..Feature::NONE
};

/// The addresses; no form where there is none.
fn form(options: &Options) -> Option<DataForm> {
    let addresses = options.texts(&OUTAGE_ADDRESSES);
    let field = Field::new(ADDRESSES, addresses.iter().map(String::as_str));
    let form = DataForm::of_type(FormKind::Result, FORM_TYPE);
    (!addresses.is_empty()).then(|| form.with_field(field.with_kind(FieldKind::ListMulti)))
}
