//! `docs/develop/rfcs.md` names tests that exist, and every section of the RFCs' conversations.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.unwrap().to_owned()
}

/// Text and target of each link to a file of the checkout.
fn links(text: &str) -> Vec<(String, String)> {
    let parts: Vec<&str> = text.split("](../../").collect();
    let pairs = parts.windows(2).filter_map(|pair| {
        let label = pair.first()?.rsplit('[').next()?;
        let target = pair.get(1)?.split([')', '#']).next()?;
        Some((label.to_owned(), target.to_owned()))
    });
    pairs.collect()
}

fn table() -> String {
    fs::read_to_string(root().join("docs/develop/rfcs.md")).unwrap()
}

#[test]
fn every_test_that_is_named_exists() {
    let links = links(&table());
    assert!(links.len() > 200, "{} links are no table", links.len());
    for (label, target) in links {
        let text = fs::read_to_string(root().join(&target));
        let text = text.unwrap_or_default();
        let there = match label.trim_matches('`') {
            name if label.starts_with('`') => text.contains(&format!("fn {name}(")),
            name => text.contains(&format!("\n## {name}\n")),
        };
        assert!(there, "{target} has no {label}");
    }
}

#[test]
fn every_section_of_the_rfcs_conversations_is_named() {
    let links = links(&table());
    let folder = "tests/conversations";
    let mut sections = 0;
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.starts_with("rfc612") {
            continue;
        }
        let target = format!("{folder}/{name}");
        let text = fs::read_to_string(root().join(&target)).unwrap();
        for title in text.lines().filter_map(|line| line.strip_prefix("## ")) {
            sections += 1;
            let link = (title.to_owned(), target.clone());
            assert!(links.contains(&link), "{target}: {title}");
        }
    }
    assert!(sections > 60, "{sections} sections are no conversations");
}
