//! XEP-0474: SASL SCRAM Downgrade Protection, version 0.5.0.
//! <https://xmpp.org/extensions/xep-0474.html>
//!
//! The server hashes what it offered into its first SCRAM message, which both sides sign: who took
//! a mechanism or a binding out of the offer on its way is found out.

use super::base64;
use super::hash::Hash;

/// What a server offered before log-in, as sent or as received: the names in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) mechanisms: Vec<String>,
    /// `None` where the server did not say (no XEP-0440).
    pub(crate) bindings: Option<Vec<String>>,
}

impl Offer {
    /// Value of the attribute `h`.
    pub(crate) fn hash(&self, hash: Hash) -> String {
        let mut text = joined(&self.mechanisms);
        if let Some(bindings) = &self.bindings {
            text.push('\x1f');
            text.push_str(&joined(bindings));
        }
        base64::encode(hash.digest(text.as_bytes()).bytes())
    }
}

/// Sorted by bytes (`i;octet`), which is how Rust orders strings.
fn joined(names: &[String]) -> String {
    let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted.join("\x1e")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// The example of the XEP's section "Full Example".
    #[test]
    fn hashes_the_example_of_the_specification() {
        let mut offer = Offer {
            mechanisms: names(&["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"]),
            bindings: Some(names(&["tls-server-end-point", "tls-exporter"])),
        };
        assert_eq!(offer.hash(Hash::Sha1), "G6k/rBLDqgOhRRaCuuatSDFkJ08=");
        offer.bindings = Some(names(&["tls-server-end-point"]));
        let fewer = offer.hash(Hash::Sha1);
        offer.bindings = None;
        assert_ne!(fewer, offer.hash(Hash::Sha1));
    }
}
