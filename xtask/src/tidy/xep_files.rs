//! Every file of a specification opens with its number, title and link, has a conversation that
//! tests it, and stands in the registry of its layer.
//!
//! The conversation is `tests/conversations/FILE.md`. Where another one covers the specification,
//! a line `Conversation: other.md` in the head comment names it.

use super::rust::has_word;
use super::tree::{File, Tree};
use super::{Finding, found};

const CONVERSATIONS: &str = "tests/conversations";
const PROTOCOLS: &str = "docs/protocols/";

/// What a file's name says about its specification.
#[derive(Debug, PartialEq)]
struct Spec {
    /// As prose writes it: `XEP-0280`, `RFC 6121`.
    number: String,
    link: String,
}

impl Spec {
    /// Whether it is others', not a protocol of our own.
    fn is_numbered(&self) -> bool {
        !self.link.starts_with(PROTOCOLS)
    }
}

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        if folder_of_specs(&file.path) {
            check_file(tree, file, &mut findings);
        } else if file.path.starts_with("crates/") && file.is_rust() && !file.is_test() {
            // A step of a stream's negotiation, a part of a large feature.
            let spec = spec(file.stem()).filter(|spec| spec.is_numbered());
            spec.iter()
                .for_each(|spec| check_head(file, spec, &mut findings));
        }
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
        link: format!("{PROTOCOLS}{word}.md"),
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
    check_head(file, &spec, findings);
    if !spec.is_numbered() && tree.file(&spec.link).is_none() {
        findings.push(found(&file.path, 0, format!("no file `{}`", spec.link)));
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
    let is_in_list = |entry: &str| {
        tree.file(&registry).is_some_and(|registry| {
            let mut lines = registry.source().code.lines();
            lines.any(|line| has_word(line, entry))
        })
    };
    if !is_in_list(stem) {
        findings.push(found(&file.path, 0, format!("not listed in {registry}")));
    }
    if file.path.starts_with("crates/server/") {
        check_feature(file, findings);
        if !is_in_list(&format!("{stem}::FEATURE")) {
            let what = format!("{registry} does not list its `FEATURE`: nobody is served by it");
            findings.push(found(&file.path, 0, what));
        }
    }
}

/// A file opens with the number of its specification, and has its link.
fn check_head(file: &File, spec: &Spec, findings: &mut Vec<Finding>) {
    for wanted in [&spec.number, &spec.link] {
        if !file.head().any(|line| line.contains(wanted.as_str())) {
            let what = format!("the head comment lacks `{wanted}`");
            findings.push(found(&file.path, 1, what));
        }
    }
}

/// One constant says everything about a feature, and says the same as the file's name and head.
fn check_feature(file: &File, findings: &mut Vec<Finding>) {
    let source = file.source();
    let features: Vec<_> = source
        .product_lines()
        .filter(|(_, line)| has_word(line, "FEATURE: Feature"))
        .collect();
    let [(from, _)] = features[..] else {
        let what = "a feature has one constant `FEATURE`, which says everything about it";
        findings.push(found(&file.path, 0, what));
        return;
    };
    let inside = || source.product_lines().filter(|(number, _)| *number >= from);
    let number = file
        .stem()
        .get(4..8)
        .and_then(|text| text.parse::<u16>().ok());
    if let (true, Some(number)) = (file.stem().starts_with("xep_"), number)
        && !inside().any(|(_, line)| line.contains(&format!("Source::Xep({number})")))
    {
        findings.push(found(
            &file.path,
            from,
            format!("its source is no `Xep({number})`"),
        ));
    }
    let title = inside().find(|(_, line)| has_word(line, "title:"));
    let title = title.and_then(|(at, _)| source.strings.iter().find(|(line, _)| *line == at));
    let head: Vec<_> = file.head().collect();
    if let Some((line, title)) = title
        && !head
            .join(" ")
            .contains(&title.replace("\\\"", "\"").replace("\\\\", "\\"))
    {
        findings.push(found(
            &file.path,
            *line,
            "the head comment has another title",
        ));
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
    fn a_feature_says_what_its_file_says_and_is_listed() {
        let path = "crates/server/src/xep/xep_0280_carbons.rs";
        let conversation = ("tests/conversations/xep_0280_carbons.md", "");
        let listed = "pub mod xep_0280_carbons;\nconst ALL: &[F] = &[&xep_0280_carbons::FEATURE];";
        let feature = format!(
            "{HEAD}\npub const FEATURE: Feature = Feature {{\n    source: Source::Xep(280),\n    \
             title: \"Message Carbons\",\n}};\n"
        );
        let found = |text: &str, registry: &str| {
            whats(&[
                (path, text),
                ("crates/server/src/xep.rs", registry),
                conversation,
            ])
        };
        assert!(found(&feature, listed).is_empty());
        let unlisted = found(&feature, "pub mod xep_0280_carbons;");
        assert!(
            unlisted[0].contains("does not list its `FEATURE`"),
            "{unlisted:?}"
        );
        let none = found(HEAD, listed);
        assert!(none[0].contains("has one constant"), "{none:?}");
        let other = found(&feature.replace("Xep(280)", "Xep(281)"), listed);
        assert!(other[0].contains("no `Xep(280)`"), "{other:?}");
        let title = found(
            &feature.replace("\"Message Carbons", "\"Carbons of Messages"),
            listed,
        );
        assert_eq!(title, ["the head comment has another title"]);
    }

    #[test]
    fn other_files_named_by_a_specification_have_its_link() {
        let path = "crates/stream/src/server/features/xep_0440_channel_binding.rs";
        assert_eq!(whats(&[(path, "//! Offers what there is.")]).len(), 2);
        let head = "//! XEP-0440: x <https://xmpp.org/extensions/xep-0440.html>";
        assert!(whats(&[(path, head)]).is_empty());
    }

    #[test]
    fn a_protocol_of_our_own_is_specified() {
        let path = "crates/stanza/src/xep/proto_moving.rs";
        let head = "//! moving: docs/protocols/moving.md";
        let rest = [
            ("crates/stanza/src/xep.rs", "mod proto_moving;"),
            ("tests/conversations/proto_moving.md", ""),
        ];
        let found = whats(&[(path, head), rest[0], rest[1]]);
        assert_eq!(found, ["no file `docs/protocols/moving.md`"]);
        let text = ("docs/protocols/moving.md", "");
        assert!(whats(&[(path, head), rest[0], rest[1], text]).is_empty());
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
