//! `cargo xtask new-xep 280 carbons`: a file for the specification in each layer that there is,
//! the lines that list it, and a conversation.

mod registry;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::Task;
use crate::args::Args;
use crate::child;
use crate::failure::Failure;
use crate::place::Place;

pub(crate) const TASK: Task = Task {
    name: "new-xep",
    usage: "NUMBER WORD [--title TITLE] [--version VERSION] [--ns NAMESPACE]",
    about: "writes the files of a XEP in every layer and the lines that list them",
    run,
};

/// `NUMBER VERSION TITLE`, one a line.
const KNOWN: &str = include_str!("new_xep/known.txt");

/// What a layer's file begins as. `{number}`, `{title}` and so on are filled in.
const LAYERS: &[(&str, &str)] = &[
    ("stanza", include_str!("new_xep/stanza.txt")),
    ("server", include_str!("new_xep/server.txt")),
];

/// Types that the files use under these names, and those that every file has.
const TAKEN: &[&str] = &[
    "Addressee",
    "Box",
    "Condition",
    "Cx",
    "Err",
    "Feature",
    "Handled",
    "Iq",
    "IqType",
    "None",
    "Ok",
    "Option",
    "Payload",
    "Registrar",
    "Result",
    "Self",
    "Some",
    "Source",
    "Status",
    "String",
    "Vec",
];

const CONVERSATION: &str = include_str!("new_xep/conversation.txt");

fn run(place: &Place, args: Args) -> Result<(), Failure> {
    let spec = Spec::from_args(args)?;
    let read = |path: &str| fs::read_to_string(place.root.join(path)).ok();
    refuse_existing(&spec, &existing(place)?)?;
    let mut written = Vec::new();
    for (path, text) in plan(&spec, read)? {
        let full = place.root.join(&path);
        if let Some(folder) = full.parent() {
            fs::create_dir_all(folder).map_err(Failure::file(folder))?;
        }
        fs::write(&full, text).map_err(Failure::file(&full))?;
        println!("{path}");
        written.push(full);
    }
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--edition", "2024"]);
    let rust = written
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs"));
    child::run(rustfmt.args(rust))?;
    println!(
        "\nNext: the conversation, then `cargo xtask test xep_{}`, then `cargo xtask docs` and a line in CHANGELOG.md.",
        spec.number
    );
    Ok(())
}

/// Names of the files of specifications that there are in any layer, with their folders.
fn existing(place: &Place) -> Result<Vec<String>, Failure> {
    let mut folders = vec!["tests/conversations".to_owned()];
    let crates = place.root.join("crates");
    for entry in fs::read_dir(&crates).map_err(Failure::file(&crates))? {
        let name = entry.map_err(Failure::file(&crates))?.file_name();
        folders.push(format!("crates/{}/src/xep", name.to_string_lossy()));
    }
    let mut files = Vec::new();
    for folder in folders {
        let entries = fs::read_dir(place.root.join(&folder)).into_iter().flatten();
        let names = entries.flatten().map(|entry| entry.file_name());
        files.extend(names.map(|name| format!("{folder}/{}", name.to_string_lossy())));
    }
    files.sort();
    Ok(files)
}

/// A specification has one name; what is there is not begun a second time under another.
fn refuse_existing(spec: &Spec, files: &[String]) -> Result<(), Failure> {
    let beginning = format!("/xep_{}_", spec.number);
    let there: Vec<_> = files
        .iter()
        .filter(|path| path.contains(&beginning))
        .map(String::as_str)
        .collect();
    if there.is_empty() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "XEP-{} is there already: {}",
        spec.number,
        there.join(", ")
    )))
}

/// What is known of the specification.
#[derive(Debug, PartialEq)]
struct Spec {
    /// Four digits.
    number: String,
    word: String,
    title: String,
    version: String,
    ns: String,
}

impl Spec {
    fn from_args(mut args: Args) -> Result<Spec, Failure> {
        let (title, version) = (args.value("--title")?, args.value("--version")?);
        let ns = args.value("--ns")?;
        let (Some(number), Some(word)) = (args.word(), args.word()) else {
            return Err(Failure::Usage(
                "which XEP? `cargo xtask new-xep 280 carbons`".to_owned(),
            ));
        };
        args.finish()?;
        let number = match number.parse::<u16>() {
            Ok(number @ 1..10_000) => format!("{number:04}"),
            _ => return Err(Failure::Usage(format!("`{number}` is no number of a XEP"))),
        };
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !word.starts_with(|c: char| c.is_ascii_lowercase()) || !word.chars().all(fits) {
            return Err(Failure::Usage(format!(
                "`{word}` is no word for a file's name"
            )));
        }
        if TAKEN.contains(&camel(&word).as_str()) {
            let text = format!("a type `{}` is there already; say more", camel(&word));
            return Err(Failure::Usage(text));
        }
        let known = known(&number);
        let (Some(title), Some(version)) = (
            title.or(known.map(|k| k.1.to_owned())),
            version.or(known.map(|k| k.0.to_owned())),
        ) else {
            let text = format!("XEP-{number} is not in the list; give its --title and --version");
            return Err(Failure::Usage(text));
        };
        let ns = ns.unwrap_or_else(|| format!("urn:xmpp:{}:0", word.replace('_', "-")));
        check_words("--title", &title)?;
        check_words("--version", &version)?;
        check_uri("--ns", &ns)?;
        Ok(Spec {
            number,
            word,
            title,
            version,
            ns,
        })
    }

    fn stem(&self) -> String {
        format!("xep_{}_{}", self.number, self.word)
    }

    fn fill(&self, template: &str) -> String {
        template
            .replace("{number}", &self.number)
            .replace("{short}", self.number.trim_start_matches('0'))
            .replace("{title_string}", &format!("{:?}", self.title))
            .replace("{version_string}", &format!("{:?}", self.version))
            .replace("{stem}", &self.stem())
            .replace("{word}", &self.word.replace('_', "-"))
            .replace("{Word}", &camel(&self.word))
            .replace("{ns}", &self.ns)
            // Last: it is a person's text, and may look like a mark.
            .replace("{title}", &self.title)
    }
}

/// Refuses what would break out of its line, or be taken for markup where the text stands in prose.
fn check_words(option: &str, text: &str) -> Result<(), Failure> {
    let odd = |c: char| c.is_control() || "[]<>`{}\u{2028}\u{2029}".contains(c);
    match text.chars().find(|c| odd(*c)) {
        None if !text.trim().is_empty() && text.trim() == text => Ok(()),
        None => Err(Failure::Usage(format!(
            "{option}: {text:?} is empty, or has spaces around it"
        ))),
        Some(c) => Err(Failure::Usage(format!("{option}: there is {c:?} in it"))),
    }
}

/// Refuses what no URI has in it (RFC 3986 §2), and what an attribute's value would have to escape.
fn check_uri(option: &str, text: &str) -> Result<(), Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$()*+,;=%".contains(c);
    match text.chars().find(|c| !fits(*c)) {
        None if !text.is_empty() => Ok(()),
        None => Err(Failure::Usage(format!("{option} is empty"))),
        Some(c) => Err(Failure::Usage(format!("{option}: there is {c:?} in it"))),
    }
}

/// Version and title.
fn known(number: &str) -> Option<(&'static str, &'static str)> {
    let mut lines = KNOWN.lines().filter_map(|line| line.split_once(' '));
    lines
        .find(|(known, _)| *known == number)
        .and_then(|(_, rest)| rest.split_once(' '))
}

fn camel(word: &str) -> String {
    let parts = word.split('_').map(|part| {
        let (first, rest) = part.split_at_checked(1).unwrap_or(("", part));
        first.to_ascii_uppercase() + rest
    });
    parts.collect()
}

/// Every file to write, with its text. Nothing that exists is overwritten but for registries.
fn plan(
    spec: &Spec,
    read: impl Fn(&str) -> Option<String>,
) -> Result<Vec<(String, String)>, Failure> {
    let stem = spec.stem();
    let mut files = Vec::new();
    for (krate, template) in LAYERS {
        let registry = format!("crates/{krate}/src/xep.rs");
        let text = read(&registry).ok_or_else(|| Failure::File {
            path: PathBuf::from(&registry),
            source: std::io::ErrorKind::NotFound.into(),
        })?;
        files.push((registry, registry::with_line(&text, &stem)));
        files.push((
            format!("crates/{krate}/src/xep/{stem}.rs"),
            spec.fill(template),
        ));
    }
    files.push((
        format!("tests/conversations/{stem}.md"),
        spec.fill(CONVERSATION),
    ));
    let exists = |(path, _): &&(String, String)| path.contains(&stem) && read(path).is_some();
    match files.iter().find(exists) {
        Some((path, _)) => Err(Failure::Usage(format!("{path} is there already"))),
        None => Ok(files),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy;
    use crate::tidy::tree::made_up::tree;

    const STANZA: &str = "//! One line a file.\n\npub mod xep_0199_ping;\n";
    const SERVER: &str = "//! One line a feature.\n\npub mod xep_0199_ping;\n\n\
        pub const FEATURES: &[&Feature] = &[\n    &xep_0199_ping::FEATURE,\n];\n";

    fn spec(line: &str) -> Result<Spec, Failure> {
        Spec::from_args(Args::new(line.split(' ').map(str::to_owned)))
    }

    fn registries(path: &str) -> Option<String> {
        match path {
            "crates/stanza/src/xep.rs" => Some(STANZA.to_owned()),
            "crates/server/src/xep.rs" => Some(SERVER.to_owned()),
            _ => None,
        }
    }

    #[test]
    fn what_it_writes_is_tidy() {
        let files = plan(&spec("280 carbons").unwrap(), registries).unwrap();
        let texts: Vec<_> = files
            .iter()
            .map(|(path, text)| (&path[..], &text[..]))
            .collect();
        let findings = tidy::findings(&tree(&texts));
        let about_it: Vec<_> = findings
            .iter()
            .filter(|(_, finding)| finding.path.contains("0280"))
            .collect();
        assert!(about_it.is_empty(), "{about_it:?}");
        assert_eq!(files.len(), 5);
        let marks = [
            "{number}",
            "{short}",
            "{title}",
            "{title_string}",
            "{version_string}",
            "{stem}",
            "{Word}",
            "{ns}",
        ];
        let left = files
            .iter()
            .filter(|(_, text)| marks.iter().any(|mark| text.contains(mark)));
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn both_registries_list_it() {
        let files = plan(&spec("280 carbons").unwrap(), registries).unwrap();
        let text = |path: &str| files.iter().find(|(p, _)| p == path).unwrap().1.clone();
        assert!(text("crates/stanza/src/xep.rs").contains("pub mod xep_0280_carbons;\n"));
        let server = text("crates/server/src/xep.rs");
        assert!(server.contains("pub mod xep_0280_carbons;\n"));
        assert!(server.contains("    &xep_0280_carbons::FEATURE,\n"));
    }

    #[test]
    fn title_and_version_come_from_the_list_or_the_command_line() {
        let carbons = spec("280 carbons").unwrap();
        assert_eq!(
            (&carbons.title[..], &carbons.version[..]),
            ("Message Carbons", "1.0.1")
        );
        assert!(matches!(spec("9999 future"), Err(Failure::Usage(_))));
        let future = spec("9999 far_future --title Future --version 0.1 --ns urn:x").unwrap();
        assert_eq!(future.stem(), "xep_9999_far_future");
        assert_eq!(
            future.fill("{Word} {word} {ns} {short}"),
            "FarFuture far-future urn:x 9999"
        );
    }

    #[test]
    fn a_number_that_is_there_is_refused_under_any_word() {
        let spec = spec("280 copies").unwrap();
        let file = |path: &str| vec![path.to_owned()];
        for path in [
            "crates/stanza/src/xep/xep_0280_carbons.rs",
            "tests/conversations/xep_0280_carbons.md",
        ] {
            let refused = refuse_existing(&spec, &file(path));
            assert!(matches!(refused, Err(Failure::Usage(text)) if text.contains(path)));
        }
        let other = file("crates/stanza/src/xep/xep_2801_other.rs");
        assert!(refuse_existing(&spec, &other).is_ok());
    }

    fn titled(option: &str, value: &str) -> Result<Spec, Failure> {
        let words = ["280", "carbons", option, value].map(str::to_owned);
        Spec::from_args(Args::new(words))
    }

    #[test]
    fn quotes_and_backslashes_of_a_title_stay_what_they_are() {
        let title = r#"The "Carbons" of C:\ {word}"#;
        assert!(matches!(titled("--title", title), Err(Failure::Usage(_))));
        let title = r#"The "Carbons" of C:\"#;
        let spec = titled("--title", title).unwrap();
        let server = spec.fill(LAYERS[1].1);
        assert!(
            server.starts_with("//! XEP-0280: The \"Carbons\" of C:\\.\n"),
            "{server}"
        );
        assert!(
            server.contains(r#"title: "The \"Carbons\" of C:\\","#),
            "{server}"
        );
    }

    #[test]
    fn what_would_break_a_file_is_refused() {
        for title in [
            "two\nlines",
            "tab\there",
            "",
            " ",
            "a [link]",
            "`code`",
            "line\u{2028}end",
        ] {
            assert!(
                matches!(titled("--title", title), Err(Failure::Usage(_))),
                "{title:?}"
            );
        }
        for ns in [
            "urn:\"x", "urn:x\\", "urn:x\n", "urn:'x", "urn: x", "urn:<x>", "urn:ü", "urn:{x}",
        ] {
            assert!(
                matches!(titled("--ns", ns), Err(Failure::Usage(_))),
                "{ns:?}"
            );
        }
        assert!(titled("--ns", "http://jabber.org/protocol/muc#user").is_ok());
        assert!(matches!(
            titled("--version", "1\n2"),
            Err(Failure::Usage(_))
        ));
    }

    #[test]
    fn odd_names_and_existing_files_are_refused() {
        for line in [
            "280 Carbons",
            "280 ../x",
            "carbons 280",
            "280",
            "0 none",
            "280 self",
            "280 option",
        ] {
            assert!(matches!(spec(line), Err(Failure::Usage(_))), "{line}");
        }
        let there =
            |path: &str| registries(path).or_else(|| path.contains("0280").then(String::new));
        let refused = plan(&spec("280 carbons").unwrap(), there);
        assert!(matches!(refused, Err(Failure::Usage(_))));
    }
}
