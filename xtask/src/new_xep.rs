//! `cargo xtask new-xep 280 carbons`: a file for the specification in each layer that there is,
//! the lines that list it, and a conversation.

mod registry;

use std::fs;
use std::path::PathBuf;

use crate::Task;
use crate::args::Args;
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

const CONVERSATION: &str = include_str!("new_xep/conversation.txt");

fn run(place: &Place, args: Args) -> Result<(), Failure> {
    let spec = Spec::from_args(args)?;
    let read = |path: &str| fs::read_to_string(place.root.join(path)).ok();
    for (path, text) in plan(&spec, read)? {
        let full = place.root.join(&path);
        if let Some(folder) = full.parent() {
            fs::create_dir_all(folder).map_err(Failure::file(folder))?;
        }
        fs::write(&full, text).map_err(Failure::file(full))?;
        println!("{path}");
    }
    Ok(())
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
            Ok(number) if number < 10_000 => format!("{number:04}"),
            _ => return Err(Failure::Usage(format!("`{number}` is no number of a XEP"))),
        };
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !word.starts_with(|c: char| c.is_ascii_lowercase()) || !word.chars().all(fits) {
            return Err(Failure::Usage(format!(
                "`{word}` is no word for a file's name"
            )));
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
            .replace("{title}", &self.title)
            .replace("{version}", &self.version)
            .replace("{stem}", &self.stem())
            .replace("{word}", &self.word.replace('_', "-"))
            .replace("{Word}", &camel(&self.word))
            .replace("{ns}", &self.ns)
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
            "{version}",
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
    fn odd_names_and_existing_files_are_refused() {
        for line in ["280 Carbons", "280 ../x", "carbons 280", "280"] {
            assert!(matches!(spec(line), Err(Failure::Usage(_))), "{line}");
        }
        let there =
            |path: &str| registries(path).or_else(|| path.contains("0280").then(String::new));
        let refused = plan(&spec("280 carbons").unwrap(), there);
        assert!(matches!(refused, Err(Failure::Usage(_))));
    }
}
