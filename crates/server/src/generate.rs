//! What is generated from the registry: tables, the option reference, the DOAP file, the hook listing.

use std::fmt::Write as _;

use crate::metrics::{Kind, Limit, METRICS};
use crate::options::{ACCOUNTS_MAX, NAMES_MAX, OptionDefault, OptionSpec, URIS_MAX};
use crate::registry::{Feature, Registry, RegistryError, Source, Status};
use crate::transports::TRANSPORTS;
use crate::xep::FEATURES;

fn link(source: Source) -> String {
    match source {
        Source::Xep(number) => format!("https://xmpp.org/extensions/xep-{number:04}.html"),
        Source::Rfc(number, _) => format!("https://www.rfc-editor.org/rfc/rfc{number}"),
    }
}

fn status(feature: &Feature) -> String {
    match feature.status {
        Status::Complete => "complete".to_owned(),
        Status::Partial(missing) => format!("partial: {missing}"),
    }
}

/// Features and transports, by number.
fn all() -> Vec<&'static Feature> {
    let mut all: Vec<&Feature> = FEATURES.iter().chain(TRANSPORTS).copied().collect();
    // RFCs first.
    all.sort_by_key(|feature| (matches!(feature.source, Source::Xep(_)), feature.source));
    all
}

/// The table of features for the README.
pub fn feature_table() -> String {
    let mut table = "| specification | title | version | status |\n|---|---|---|---|\n".to_owned();
    for feature in all() {
        let version = if feature.version.is_empty() {
            "–"
        } else {
            feature.version
        };
        // Writing into a String cannot fail.
        let _ = writeln!(
            table,
            "| [{}]({}) | {} | {version} | {} |",
            feature.name(),
            link(feature.source),
            feature.title,
            status(feature)
        );
    }
    table
}

/// Owner and option, with whether each domain can set it for itself.
fn specs() -> impl Iterator<Item = (String, &'static OptionSpec, bool)> {
    let common = crate::settings::OPTIONS.iter().map(|spec| (spec, false));
    let of_domains = crate::settings::DOMAIN_OPTIONS
        .iter()
        .map(|spec| (spec, true));
    let own = common
        .chain(of_domains)
        .map(|(spec, by_domain)| ("server".to_owned(), spec, by_domain));
    own.chain(FEATURES.iter().flat_map(|feature| {
        let common = feature.options.iter().map(|spec| (spec, false));
        let of_domains = feature.domain_options.iter().map(|spec| (spec, true));
        common
            .chain(of_domains)
            .map(|(spec, by_domain)| (feature.name(), spec, by_domain))
    }))
}

fn default(spec: &OptionSpec) -> String {
    match spec.default {
        OptionDefault::Flag(value) => value.to_string(),
        OptionDefault::Number { value, .. } => value.to_string(),
        OptionDefault::Uris | OptionDefault::Pages | OptionDefault::Accounts => "[]".to_owned(),
        OptionDefault::Names(names) => format!("{names:?}"),
        OptionDefault::Label(label) => format!("{label:?}"),
        OptionDefault::Page | OptionDefault::Base | OptionDefault::Host => "\"\"".to_owned(),
        OptionDefault::Choice(words) => format!("{:?}", words.first().unwrap_or(&"")),
    }
}

fn kind(spec: &OptionSpec) -> String {
    match spec.default {
        OptionDefault::Flag(_) => "true or false".to_owned(),
        OptionDefault::Number { min, max, .. } => format!("{min} to {max} {}", spec.unit),
        OptionDefault::Uris => format!("a list of at most {URIS_MAX} URIs"),
        OptionDefault::Pages => format!("a list of at most {URIS_MAX} addresses, https: each"),
        OptionDefault::Accounts => format!("a list of at most {ACCOUNTS_MAX} accounts"),
        OptionDefault::Names(_) => format!("a list of at most {NAMES_MAX} user names"),
        OptionDefault::Page => "the address of a web page, or an empty text".to_owned(),
        OptionDefault::Host => "a host name or an IP address, or an empty text".to_owned(),
        OptionDefault::Base => "an address without ? and #, or an empty text".to_owned(),
        OptionDefault::Label(_) => "one part of a host name, or an empty text".to_owned(),
        OptionDefault::Choice(words) => format!("one of {}", words.join(", ")),
    }
}

/// The option reference, in Markdown.
pub fn option_reference() -> String {
    let mut text = "# Options\n\nKeys of the section `[options]` of the configuration file. Those with a star may \
                    also stand in a section\n`[domain.\"example.org\"]`, for that domain alone.\n\n"
        .to_owned();
    text.push_str("| option | of | values | default | what it does |\n|---|---|---|---|---|\n");
    for (owner, spec, by_domain) in specs() {
        let star = if by_domain { " *" } else { "" };
        let _ = writeln!(
            text,
            "| `{}`{star} | {owner} | {} | {} | {} |",
            spec.name,
            kind(spec),
            default(spec),
            spec.doc.replace('<', "\\<")
        );
    }
    text
}

/// The section `[options]` of the example configuration, every option commented out at its default.
pub fn option_example() -> String {
    let mut text = "[options]\n".to_owned();
    for (owner, spec, by_domain) in specs() {
        let also = if by_domain {
            " Domains may differ."
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "# {owner}: {}\n# Values: {}.{also}\n# {} = {}\n",
            spec.doc,
            kind(spec),
            spec.name,
            default(spec)
        );
    }
    text
}

/// The table of metrics, in Markdown.
pub fn metric_reference() -> String {
    let mut text = "# Metrics\n\nAt `/metrics` of `http_loopback`, in the text format of OpenMetrics. Generated; a counter counts from the start.\n\n\
                    | name | kind | labels | is |\n|---|---|---|---|\n"
        .to_owned();
    for spec in METRICS {
        let kind = match spec.kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(
            text,
            "| `{}` | {kind} | {} | {} |",
            spec.full_name(),
            spec.labels,
            spec.doc
        );
    }
    text.push_str("\n## Limits\n\nValues of the label `limit` of `waxwing_limits_hit_total`.\n\n| limit | is |\n|---|---|\n");
    for (limit, doc) in Limit::ALL {
        let _ = writeln!(text, "| `{}` | {doc} |", limit.name());
    }
    text
}

/// Names of all options, for messages about misspelt ones.
pub fn option_names() -> Vec<&'static str> {
    specs().map(|(_, spec, _)| spec.name).collect()
}

/// Names of the options that a domain can set for itself.
pub fn domain_option_names() -> Vec<&'static str> {
    let of_domains = specs().filter(|(.., by_domain)| *by_domain);
    of_domains.map(|(_, spec, _)| spec.name).collect()
}

/// The DOAP description (<https://xmpp.org/extensions/xep-0453.html>).
pub fn doap() -> String {
    let mut text = String::from(
        "<?xml version='1.0' encoding='UTF-8'?>\n\
         <rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'\n\
         \x20        xmlns='http://usefulinc.com/ns/doap#'\n\
         \x20        xmlns:xmpp='https://linkmauve.fr/ns/xmpp-doap#'>\n\
         \x20 <Project>\n\
         \x20   <name>Waxwing</name>\n\
         \x20   <shortdesc xml:lang='en'>A federated messaging server on XMPP</shortdesc>\n\
         \x20   <programming-language>Rust</programming-language>\n\
         \x20   <category rdf:resource='https://linkmauve.fr/ns/xmpp-doap#category-server'/>\n\
         \x20   <implements rdf:resource='https://www.rfc-editor.org/info/rfc6120'/>\n\
         \x20   <implements rdf:resource='https://www.rfc-editor.org/info/rfc6121'/>\n\
         \x20   <implements rdf:resource='https://www.rfc-editor.org/info/rfc7395'/>\n",
    );
    for feature in all() {
        let Source::Xep(_) = feature.source else {
            continue;
        };
        let state = match feature.status {
            Status::Complete => "complete",
            Status::Partial(_) => "partial",
        };
        let _ = write!(
            text,
            "    <implements>\n      <xmpp:SupportedXep>\n        <xmpp:xep rdf:resource='{}'/>\n        \
             <xmpp:version>{}</xmpp:version>\n        <xmpp:status>{state}</xmpp:status>\n      \
             </xmpp:SupportedXep>\n    </implements>\n",
            link(feature.source),
            feature.version
        );
    }
    text.push_str("  </Project>\n</rdf:RDF>\n");
    text
}

/// Who is registered at which hook, in the order in which they run.
pub fn hook_listing() -> Result<String, RegistryError> {
    let registry = Registry::new(FEATURES)?;
    let mut text = "# Hooks\n\nIn the order in which they run.\n".to_owned();
    for (place, hooks) in registry.hooks() {
        let _ = writeln!(text, "\n## {place}\n");
        if hooks.is_empty() {
            text.push_str("Nobody.\n");
        }
        for (phase, owner) in hooks {
            let _ = writeln!(text, "- {}: {owner}", phase.name());
        }
    }
    text.push_str("\n## changes at nodes of accounts, before they are staged\n\n");
    for (node, owner) in registry.linked_nodes() {
        let _ = writeln!(text, "- `{node}`: {owner}");
    }
    text.push_str("\n## changes at every node, before they are staged\n\n");
    for owner in registry.every_node() {
        let _ = writeln!(text, "- {owner}");
    }
    Ok(text)
}
