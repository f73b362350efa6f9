//! XEP-0157: Contact Addresses for XMPP Services: whom to write to about a domain, in its disco#info.
//!
//! <https://xmpp.org/extensions/xep-0157.html>

use waxwing_stanza::xep::xep_0004_forms::{DataForm, Field, FieldKind, FormKind};
use waxwing_stanza::xep::xep_0157_contacts::FORM_TYPE;

use crate::options::{OptionDefault, OptionSpec, Options};
use crate::registry::{Feature, Source};

const fn spec(name: &'static str, doc: &'static str) -> OptionSpec {
    OptionSpec {
        name,
        default: OptionDefault::Uris,
        unit: "",
        doc,
    }
}

const SPECS: &[OptionSpec] = &[
    spec(
        "abuse_addresses",
        "Where abuse is reported, as URIs (mailto:, xmpp:, https:); shown to everybody.",
    ),
    spec(
        "admin_addresses",
        "Where the people who run the service are reached; shown to everybody.",
    ),
    spec(
        "feedback_addresses",
        "Where praise and complaints go; shown to everybody.",
    ),
    spec(
        "sales_addresses",
        "Where the service is bought; shown to everybody.",
    ),
    spec(
        "security_addresses",
        "Where holes are reported; shown to everybody.",
    ),
    spec(
        "status_addresses",
        "Where it is said whether the service works; shown to everybody.",
    ),
    spec(
        "support_addresses",
        "Where users find help; shown to everybody.",
    ),
];

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(157),
    title: "Contact Addresses for XMPP Services",
    version: "1.1.1",
    domain_options: SPECS,
    register: |registrar| registrar.domain_form(form),
    ..Feature::NONE
};

/// The fields of the addresses that there are; no form where there is none.
fn form(options: &Options) -> Option<DataForm> {
    let fields = SPECS.iter().filter_map(|spec| {
        let addresses = options.texts(spec);
        let values = addresses.iter().map(String::as_str);
        let field =
            Field::new(&spec.name.replace('_', "-"), values).with_kind(FieldKind::ListMulti);
        (!addresses.is_empty()).then_some(field)
    });
    let mut form = DataForm::of_type(FormKind::Result, FORM_TYPE);
    let before = form.fields.len();
    form.fields.extend(fields);
    (form.fields.len() > before).then_some(form)
}
