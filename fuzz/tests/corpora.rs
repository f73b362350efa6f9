//! What the corpora hold, and what the targets know.

use std::path::Path;
use std::{fs, io};

use waxwing_fuzz::{TARGETS, TYPES, corpus, transcripts};

/// `cargo run -p waxwing-fuzz -- transcripts` writes them again when what is said has changed: from
/// others, no changed input leads to a log-in.
#[test]
fn log_ins_are_those_of_today() {
    for (target, name, bytes) in transcripts() {
        let path = corpus::folder(target).join(name);
        assert_eq!(fs::read(&path).unwrap(), bytes, "{}", path.display());
        let (_, run) = TARGETS.iter().find(|(known, _)| *known == target).unwrap();
        let plain = path.file_name() == Some("plain.txt".as_ref());
        let weaker = target == "client_stream" && !path.ends_with("scram-sha-512-plus.txt");
        let accepted = run(&bytes);
        assert_eq!(
            accepted,
            !(weaker || plain && target.contains("client")),
            "{path:?}"
        );
    }
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let folder = corpus::folder("");
    let mut folders: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    assert!(folders.iter().eq(TARGETS.iter().map(|(name, _)| name)));
}

/// Payload types as the sources name them: `payload!` and `impl Payload for`.
fn types_in_sources() -> io::Result<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/stanza/src/xep");
    let mut types = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let module = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut in_macro = false;
        for line in fs::read_to_string(&path)?.lines() {
            let line = line.trim();
            in_macro |= line == "payload! {";
            let name = line
                .strip_prefix("pub struct ")
                .filter(|_| in_macro)
                .and_then(|rest| rest.split('(').next())
                .or_else(|| line.strip_prefix("impl Payload for ")?.split(' ').next());
            if let Some(name) = name {
                types.push(format!("{module}::{name}"));
                in_macro = false;
            }
        }
    }
    types.sort();
    Ok(types)
}

#[test]
fn every_payload_type_is_fuzzed() {
    let mut fuzzed: Vec<String> = TYPES.iter().map(|(name, _)| (*name).to_owned()).collect();
    fuzzed.sort();
    assert_eq!(fuzzed, types_in_sources().unwrap());
}
