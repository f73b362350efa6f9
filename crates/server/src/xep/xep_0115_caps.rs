//! XEP-0115: Entity Capabilities: what the server can do, as a hash in its stream features, so that a
//! client need not ask each time. Capabilities of clients stand in their presence and pass untouched; what the server
//! makes of them is in `capabilities.rs`.
//!
//! <https://xmpp.org/extensions/xep-0115.html>

use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0115_caps::{Caps, NS};
use waxwing_stream::server::Stage;

use crate::addressee::Addressee;
use crate::capabilities::CAPABILITIES;
use crate::options::Options;
use crate::registry::{Feature, Registrar, Registry, Source};

/// The software, as the hash's node names it. Of a domain that nobody can have.
const NODE: &str = "https://waxwing.example";

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(115),
    title: "Entity Capabilities",
    version: "1.6.0",
    shapes: || vec![CAPABILITIES.shape()],
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.stream_feature(Stage::Bind, |registry, options| {
        caps(registry, options).map(|caps| caps.write())
    });
    registrar.disco(&[Addressee::Domain], NS);
}

/// §6.3. None where the whole could not be hashed, which a test of the registry rules out.
fn caps(registry: &Registry, options: &Options) -> Option<Caps> {
    Caps::new(NODE, &registry.domain_info(options)).ok()
}

/// Whether `node` asks for the whole behind the hash that a domain with these options shows (§6.2).
pub(crate) fn is_shown(registry: &Registry, options: &Options, node: &str) -> bool {
    caps(registry, options).is_some_and(|caps| caps.disco_node() == node)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::options::OptionValue;
    use crate::xep::FEATURES;
    use crate::xep::xep_0157_contacts::FEATURE as CONTACTS;

    #[test]
    fn every_domain_has_a_hash_of_its_own() {
        let registry = Registry::new(FEATURES).unwrap();
        let of = |contact: &str| {
            let contacts = OptionValue::Texts(vec![contact.to_owned()]);
            let given = BTreeMap::from([("abuse_addresses".to_owned(), contacts)]);
            Options::new(CONTACTS.domain_options.iter(), &given).unwrap()
        };
        let (one, other) = (of("mailto:a@example.org"), of("mailto:b@example.org"));
        let node = caps(&registry, &one).unwrap().disco_node();
        assert!(is_shown(&registry, &one, &node));
        assert!(!is_shown(&registry, &other, &node));
        assert_eq!(caps(&registry, &one), caps(&registry, &one));
    }
}
