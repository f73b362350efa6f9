use bytes::Bytes;

use super::*;
use crate::server::read_again;

fn presence(content: &str) -> Stanza {
    let text = format!("<presence xmlns='jabber:client'>{content}</presence>");
    read_again(Bytes::from(text)).unwrap()
}

fn interests(node: &str) -> Interests {
    Interests::named([node.to_owned()])
}

#[test]
fn of_several_hashes_the_one_that_is_hardest_to_forge_counts() {
    let hash = |algo: &str| format!("<hash xmlns='urn:xmpp:hashes:2' algo='{algo}'>AA==</hash>");
    let newer = |algos: &[&str]| {
        let hashes: String = algos.iter().map(|algo| hash(algo)).collect();
        format!("<c xmlns='urn:xmpp:caps'>{hashes}</c>")
    };
    let older = "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/>";
    let of = |content: &str| Claim::of(&presence(content)).map(|claim| claim.key());
    assert_eq!(of("<show>away</show>"), None);
    assert_eq!(of(older), Some(Some("sha-1.v".to_owned())));
    let both = [older, &newer(&["md5", "sha3-256", "sha-256"])].concat();
    assert_eq!(
        of(&both),
        Some(Some("urn:xmpp:caps#sha-256.AA==".to_owned()))
    );
    assert_eq!(of(&newer(&["md5"])), Some(None));
    // No hash at all is none by this specification.
    assert_eq!(of(&[&newer(&[]), older].concat()), of(older));
    assert_eq!(of(&older.replace("sha-1", "sha-256")), Some(None));
    assert_eq!(
        of(&older.replace("'v'", &format!("'{}'", "v".repeat(2_000)))),
        None
    );
    assert_eq!(
        of(&older.replace("'v'", &format!("'{}'", "v".repeat(200)))),
        Some(None)
    );
}

/// Whoever shows ever other hashes fills no more memory, and takes nothing from those who are there.
#[test]
fn what_is_known_is_bounded() {
    let known = Capabilities::default();
    let used = known.note("used".to_owned(), interests("tune"));
    let all: Vec<_> = (1..KNOWN_MAX)
        .map(|number| known.note(number.to_string(), interests("mood")))
        .collect();
    // All are in use: no more are remembered.
    let more = known.note("more".to_owned(), interests("geoloc"));
    assert!(more.has("geoloc") && known.get("more").is_none());
    drop(all);
    known.note("more".to_owned(), interests("geoloc"));
    assert_eq!(known.known().all.len(), 2);
    assert!(Arc::ptr_eq(
        &used,
        &known.note("used".to_owned(), interests("tune"))
    ));
}

/// Nor does whoever shows hashes of very many names.
#[test]
fn the_bytes_of_what_is_known_are_bounded() {
    let known = Capabilities::default();
    let large = |number: usize| {
        let names = (0..100).map(|name| format!("{number}-{name}-{}", "n".repeat(100)));
        known.note(number.to_string(), Interests::named(names))
    };
    let all: Vec<_> = (0..KNOWN_MAX).map(large).collect();
    let bytes: usize = all.iter().map(|interests| interests.bytes()).sum();
    assert!(bytes > 4 * KNOWN_BYTES_MAX);
    assert!(known.known().bytes <= KNOWN_BYTES_MAX);
    // Those that nobody has any more make room.
    drop(all);
    large(KNOWN_MAX);
    assert_eq!(known.known().all.len(), 1);
}

#[test]
fn the_same_capabilities_are_seen_to_be_the_same() {
    let caps = "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/>";
    let one = fingerprint(&presence(caps));
    assert_eq!(
        fingerprint(&presence(&format!("<show>away</show>{caps}"))),
        one
    );
    assert_ne!(fingerprint(&presence(&caps.replace("'v'", "'w'"))), one);
    assert_eq!(
        fingerprint(&presence("<show>away</show><c xmlns='urn:other'/>")),
        0
    );
}
