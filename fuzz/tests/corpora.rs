//! What the corpora hold, and what the targets know.

use std::fs;

use waxwing_fuzz::{TARGETS, TYPES, corpus, transcripts};

/// `cargo run -p waxwing-fuzz -- transcripts` writes them again when what is said has changed: from
/// others, no changed input leads to a log-in.
#[test]
fn log_ins_are_those_of_today() {
    for (target, name, bytes) in transcripts() {
        let path = corpus::folder(target).join(&name);
        assert_eq!(fs::read(&path).unwrap(), bytes, "{}", path.display());
        let (_, run) = TARGETS.iter().find(|(known, _)| *known == target).unwrap();
        let mechanism = name.strip_prefix("sasl2-").unwrap_or(&name);
        let plain = mechanism == "plain.txt";
        let weaker = target == "client_stream" && mechanism != "scram-sha-512-plus.txt";
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

/// The handshake is that of the stream's id, which is the seed's.
#[test]
fn components_are_let_in_today() {
    let run = waxwing_fuzz::component_stream;
    for name in ["accepted.txt", "spaces.txt", "server.txt"] {
        let path = corpus::folder("component_stream").join(name);
        assert!(run(&fs::read(&path).unwrap()), "{name}");
    }
    for name in [
        "capitals.txt",
        "wrong.txt",
        "unknown.txt",
        "server_no_id.txt",
    ] {
        let path = corpus::folder("component_stream").join(name);
        assert!(!run(&fs::read(&path).unwrap()), "{name}");
    }
}

/// The list is made from the sources by `build.rs`: of both ways to declare a type it finds some.
#[test]
fn payload_types_are_found_in_the_sources() {
    for known in [
        "rfc6121_roster::Roster",
        "xep_0004_forms::DataForm",
        "xep_0030_disco::Identity",
        "xep_0049_private::Private",
        "xep_0054_vcard::VCard",
    ] {
        assert!(TYPES.iter().any(|(name, _)| *name == known), "{known}");
    }
}
