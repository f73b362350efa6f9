//! `waxwing generate`: the files that are made from the registry of features.

use std::path::Path;

use waxwing_server::generate;
use waxwing_server::registry::Registry;
use waxwing_server::xep::FEATURES;

use crate::api;
use crate::config::EXAMPLE;
use crate::{Outcome, say};

const README_START: &str = "<!-- generated: features -->";
const README_END: &str = "<!-- end -->";

fn files() -> Result<Vec<(&'static str, String)>, String> {
    let hooks = generate::hook_listing().map_err(|error| error.to_string())?;
    let registry = Registry::new(FEATURES).map_err(|error| error.to_string())?;
    Ok(vec![
        ("waxwing.doap", generate::doap()),
        (
            "example.toml",
            format!("{EXAMPLE}{}", generate::option_example()),
        ),
        ("docs/operate/options.md", generate::option_reference()),
        ("docs/operate/metrics.md", generate::metric_reference()),
        (
            "docs/operate/openapi.json",
            format!("{:#}\n", api::document(&registry)),
        ),
        ("docs/develop/hooks.md", hooks),
    ])
}

/// The README with a fresh table of features.
fn readme(text: &str) -> Option<String> {
    let (before, rest) = text.split_once(README_START)?;
    let (_, after) = rest.split_once(README_END)?;
    Some(format!(
        "{before}{README_START}\n{}{README_END}{after}",
        generate::feature_table()
    ))
}

/// Writes the files below `dir`, or says which are not fresh.
pub(crate) fn run(dir: &Path, check: bool) -> Outcome {
    let mut fresh = match files() {
        Ok(files) => files,
        Err(error) => return Outcome::Failed(error),
    };
    match std::fs::read_to_string(dir.join("README.md"))
        .ok()
        .and_then(|text| readme(&text))
    {
        Some(text) => fresh.push(("README.md", text)),
        None => {
            return Outcome::Failed(format!(
                "README.md has no '{README_START}' … '{README_END}'"
            ));
        }
    }
    let mut stale = Vec::new();
    for (name, text) in fresh {
        let path = dir.join(name);
        if std::fs::read_to_string(&path).is_ok_and(|found| found == text) {
            continue;
        }
        stale.push(name);
        if check {
            continue;
        }
        let folder = path.parent().unwrap_or(dir);
        if let Err(error) =
            std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text))
        {
            return Outcome::Failed(format!("{}: {error}", path.display()));
        }
        say(&format!("wrote {name}"));
    }
    if check && !stale.is_empty() {
        return Outcome::Failed(format!(
            "not fresh: {}; run `cargo xtask docs`",
            stale.join(", ")
        ));
    }
    Outcome::Done
}
