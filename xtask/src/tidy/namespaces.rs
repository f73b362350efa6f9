//! Namespaces stand with the payload types that they name, in `stanza/src/xep/`, and those of the
//! stream itself in `wire/src/ns.rs`. Elsewhere a type or a constant names them, so that a search for
//! a specification finds all of it.

use super::tree::{File, Tree};
use super::{Finding, found};

/// Folders of `crates/` in which none is spelled out. (The daemon has documents that are no XMPP; the
/// testkit plays people who write XML by hand.)
const CRATES: &[&str] = &[
    "wire", "stanza", "stream", "server", "dial", "e2ee", "client",
];

const HOMES: &[&str] = &["crates/wire/src/ns.rs", "crates/stanza/src/xep/"];

/// How namespaces of XMPP begin.
const BEGINNINGS: &[&str] = &[
    "urn:xmpp:",
    "urn:ietf:params:xml:ns:",
    "jabber:",
    "http://jabber.org/",
    "http://etherx.jabber.org/",
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let files = CRATES.iter().flat_map(|krate| tree.product_files(krate));
    let outside = files.filter(|file| !HOMES.iter().any(|home| file.path.starts_with(home)));
    outside.flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let source = file.source();
    let strings = source.strings.iter();
    let named = strings.filter(|(line, text)| !source.is_test(*line) && has_namespace(text));
    let what = "a namespace stands with its payload types, in `stanza/src/xep/`";
    named
        .map(|(line, _)| found(&file.path, *line, what))
        .collect()
}

/// Whether the string is one, or has one as an attribute's value. Prose may mention it.
fn has_namespace(text: &str) -> bool {
    BEGINNINGS.iter().any(|beginning| {
        let quoted = |quote: char| text.contains(&format!("={quote}{beginning}"));
        text.starts_with(beginning) || quoted('\'') || quoted('"')
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::tree;
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&tree(&[(path, text)])).len()
    }

    #[test]
    fn namespaces_in_feature_code_are_found() {
        let path = "crates/server/src/xep/xep_0280_carbons.rs";
        for line in [
            "const NS: &str = \"urn:xmpp:receipts\";",
            "match child.ns() { \"jabber:x:conference\" => true, _ => false }",
            "let xml = \"<x xmlns='http://jabber.org/protocol/muc'/>\";",
            "let xml = r#\"<x xmlns=\"urn:ietf:params:xml:ns:xmpp-sasl\"/>\"#;",
        ] {
            assert_eq!(count(path, line), 1, "{line}");
        }
    }

    #[test]
    fn their_homes_tests_and_prose_are_allowed() {
        let line = "pub const NS: &str = \"urn:xmpp:receipts\";";
        assert_eq!(count("crates/stanza/src/xep/xep_0184_receipts.rs", line), 0);
        assert_eq!(count("crates/wire/src/ns.rs", line), 0);
        assert_eq!(count("crates/stanza/src/payload.rs", line), 1);
        let server = "crates/server/src/keep.rs";
        assert_eq!(
            count(server, "let text = \"clients talk in jabber:client\";"),
            0
        );
        let test = format!("#[cfg(test)]\nmod tests {{\n    {line}\n}}\n");
        assert_eq!(count(server, &test), 0);
    }
}
