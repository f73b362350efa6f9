//! `cargo xtask tidy`: the walls of the design, checked from the text of the files and from what
//! Cargo says. A rule is a function from a [`tree::Tree`] to its findings, one file a rule.

mod arrows;
mod client_free;
mod decided;
mod documents;
mod environment;
mod forbidden;
mod layout;
mod length;
mod links;
mod lints;
mod listed;
mod names;
mod namespaces;
mod one_name;
mod rust;
mod sql;
mod traces;
pub(crate) mod tree;
mod xep_files;

use crate::Task;
use crate::args::Args;
use crate::docs;
use crate::failure::Failure;
use crate::place::Place;
use tree::Tree;

pub(crate) const TASK: Task = Task {
    name: "tidy",
    usage: "[--text-only]",
    about: "checks the design's walls; --text-only leaves out the generated files, which need a build",
    run,
};

/// What a rule has to say about one place.
#[derive(Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) path: String,
    /// From 1; 0 is the whole file.
    pub(crate) line: usize,
    pub(crate) what: String,
}

fn found(path: &str, line: usize, what: impl Into<String>) -> Finding {
    Finding {
        path: path.to_owned(),
        line,
        what: what.into(),
    }
}

type Rule = (&'static str, fn(&Tree) -> Vec<Finding>);

const RULES: &[Rule] = &[
    ("arrows", arrows::check),
    ("client_free", client_free::check),
    ("decided", decided::check),
    ("documents", documents::check),
    ("environment", environment::check),
    ("forbidden", forbidden::check),
    ("layout", layout::check),
    ("length", length::check),
    ("links", links::check),
    ("lints", lints::check),
    ("listed", listed::check),
    ("names", names::check),
    ("namespaces", namespaces::check),
    ("one_name", one_name::check),
    ("sql", sql::check),
    ("traces", traces::check),
    ("xep_files", xep_files::check),
];

fn run(place: &Place, mut args: Args) -> Result<(), Failure> {
    let text_only = args.flag("--text-only");
    args.finish()?;
    check(place)?;
    if text_only {
        Ok(())
    } else {
        docs::check_generated(place)
    }
}

/// Every rule that needs no build.
pub(crate) fn check(place: &Place) -> Result<(), Failure> {
    let findings = findings(&Tree::of(place)?);
    for (rule, finding) in &findings {
        let Finding { path, line, what } = finding;
        let at = if *line == 0 {
            String::new()
        } else {
            format!(":{line}")
        };
        println!("{path}{at}: {what} [{rule}]");
    }
    if findings.is_empty() {
        return Ok(());
    }
    Err(Failure::Found {
        what: "untidy places",
        count: findings.len(),
    })
}

/// What the rules say, each with the rule's name.
pub(crate) fn findings(tree: &Tree) -> Vec<(&'static str, Finding)> {
    let by_rule = RULES
        .iter()
        .flat_map(|(name, check)| check(tree).into_iter().map(move |finding| (*name, finding)));
    by_rule.collect()
}
