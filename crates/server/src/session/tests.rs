use super::*;
use crate::accounts::Role;
use crate::directory::Directory;

fn session() -> Session {
    let jid = "bob@example.org/phone".parse::<FullJid>().unwrap();
    let account = Directory::default().note(&jid.bare(), Role::Member, Default::default());
    Session::new(jid, account, 1, 1)
}

/// Or else any stranger could end a session that waits for its client to come back.
#[test]
fn what_is_of_the_moment_never_ends_a_session() {
    let session = session();
    let headline = Bytes::from(vec![b'x'; 100_000]);
    for _ in 0..200 {
        session.push(Out::passing(headline.clone()));
    }
    let waits = session.waits().output_bytes;
    assert!((1..=BEHIND_BYTES).contains(&waits), "{waits}");
    assert!(session.state().kicked.is_none() && !session.state().is_lossy());
    // What somebody waits for does, in the end.
    for _ in 0..=OUTBOX_BYTES_MAX / headline.len() {
        session.push(Out::stanza(headline.clone()));
    }
    assert!(session.state().is_lossy());
}
