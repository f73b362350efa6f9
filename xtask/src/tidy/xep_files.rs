//! Every file of a specification opens with its number, title and link, has a conversation that
//! tests it, and stands in the registry of its layer.
//!
//! The conversation is `tests/conversations/FILE.md`. Where another one covers the specification,
//! a line `Conversation: other.md` in the head comment names it.

use super::rust::has_word;
use super::tree::{File, Tree};
use super::{Finding, found};

const CONVERSATIONS: &str = "tests/conversations";

/// What a file's name says about its specification.
#[derive(Debug, PartialEq)]
struct Spec {
    /// As prose writes it: `XEP-0280`, `RFC 6121`.
    number: String,
    link: String,
}

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| folder_of_specs(&file.path)) {
        check_file(tree, file, &mut findings);
    }
    findings
}

/// Files directly in `crates/*/src/xep/`; the parts of a large feature are in folders below.
fn folder_of_specs(path: &str) -> bool {
    let parts: Vec<_> = path.split('/').collect();
    matches!(parts[..], ["crates", _, "src", "xep", name] if name.ends_with(".rs"))
}

fn spec(stem: &str) -> Option<Spec> {
    let numbered = |prefix: &str| {
        let (number, word) = stem.strip_prefix(prefix)?.split_once('_')?;
        (is_number(number) && !word.is_empty()).then_some(number)
    };
    if let Some(number) = numbered("xep_") {
        let link = format!("https://xmpp.org/extensions/xep-{number}.html");
        return Some(Spec {
            number: format!("XEP-{number}"),
            link,
        });
    }
    if let Some(number) = numbered("rfc") {
        let link = format!("https://www.rfc-editor.org/rfc/rfc{number}");
        return Some(Spec {
            number: format!("RFC {number}"),
            link,
        });
    }
    let word = stem.strip_prefix("proto_")?;
    Some(Spec {
        number: word.to_owned(),
        link: format!("docs/protocols/{word}.md"),
    })
}

fn is_number(text: &str) -> bool {
    text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn check_file(tree: &Tree, file: &File, findings: &mut Vec<Finding>) {
    let stem = file.stem();
    let Some(spec) = spec(stem) else {
        let what = "not named `xep_NNNN_word.rs`, `rfcNNNN_word.rs` or `proto_word.rs`";
        findings.push(found(&file.path, 0, what));
        return;
    };
    for wanted in [&spec.number, &spec.link] {
        if !file.head().any(|line| line.contains(wanted.as_str())) {
            findings.push(found(
                &file.path,
                1,
                format!("the head comment lacks `{wanted}`"),
            ));
        }
    }
    let other = file
        .head()
        .find_map(|line| line.strip_prefix("Conversation: "));
    let conversation = match other {
        Some(name) => format!("{CONVERSATIONS}/{}", name.trim().trim_matches('`')),
        None => format!("{CONVERSATIONS}/{stem}.md"),
    };
    if tree.file(&conversation).is_none() {
        findings.push(found(
            &file.path,
            0,
            format!("no conversation `{conversation}`"),
        ));
    }
    let registry = file.path.replace(&format!("/{stem}.rs"), ".rs");
    let listed = tree.file(&registry).is_some_and(|registry| {
        registry
            .source()
            .code
            .lines()
            .any(|line| has_word(line, stem))
    });
    if !listed {
        findings.push(found(&file.path, 0, format!("not listed in {registry}")));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::tree;
    use super::*;

    const FILE: &str = "crates/stanza/src/xep/xep_0280_carbons.rs";
    const REGISTRY: (&str, &str) = ("crates/stanza/src/xep.rs", "pub mod xep_0280_carbons;");
    const HEAD: &str =
        "//! XEP-0280: Message Carbons\n//! <https://xmpp.org/extensions/xep-0280.html>\n";

    fn whats(files: &[(&str, &str)]) -> Vec<String> {
        check(&tree(files))
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    #[test]
    fn names_tell_the_specification() {
        assert_eq!(spec("xep_0280_carbons").unwrap().number, "XEP-0280");
        assert_eq!(spec("xep_0030_disco_info").unwrap().number, "XEP-0030");
        let rfc = spec("rfc6121_roster").unwrap();
        assert_eq!(rfc.link, "https://www.rfc-editor.org/rfc/rfc6121");
        assert_eq!(
            spec("proto_moving_house").unwrap().link,
            "docs/protocols/moving_house.md"
        );
        for stem in [
            "carbons",
            "xep_280_carbons",
            "xep_0280",
            "rfc_roster",
            "xep_é",
        ] {
            assert_eq!(spec(stem), None, "{stem}");
        }
    }

    #[test]
    fn a_complete_feature_passes() {
        let conversation = ("tests/conversations/xep_0280_carbons.md", "");
        assert!(whats(&[(FILE, HEAD), REGISTRY, conversation]).is_empty());
        let elsewhere = format!("{HEAD}//!\n//! Conversation: rfc6121_chat.md\n");
        let other = ("tests/conversations/rfc6121_chat.md", "");
        assert!(whats(&[(FILE, &elsewhere), REGISTRY, other]).is_empty());
    }

    #[test]
    fn what_lacks_is_named() {
        let found = whats(&[(FILE, "//! Carbons.\n"), ("crates/stanza/src/xep.rs", "")]);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].contains("XEP-0280") && found[1].contains("xep-0280.html"));
        assert!(found[2].contains("no conversation") && found[3].contains("not listed"));
        assert_eq!(
            whats(&[("crates/server/src/xep/carbons.rs", HEAD)]).len(),
            1
        );
    }
}
