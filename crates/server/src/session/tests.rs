use waxwing_stream::sm::SmLimits;

use super::*;
use crate::accounts::Role;
use crate::directory::Directory;

fn account() -> Arc<Account> {
    let jid = "bob@example.org/phone".parse::<FullJid>().unwrap();
    Directory::default().note(&jid.bare(), Role::Member, Default::default(), None)
}

fn session_of(account: &Arc<Account>) -> Session {
    let jid = "bob@example.org/phone".parse().unwrap();
    Session::new(jid, account.clone(), 1, 1, Counter::default())
}

fn session() -> Session {
    session_of(&account())
}

/// Fifty sessions of one account that read nothing hold no more than the account may; one that reads is not ended.
#[test]
fn an_account_holds_no_more_for_having_more_sessions() {
    let account = account();
    let sessions: Vec<Session> = (0..50).map(|_| session_of(&account)).collect();
    let reader = session_of(&account);
    let push = Bytes::from(vec![b'x'; 100_000]);
    let most = ACCOUNT_OUTBOX_BYTES_MAX + sessions.len() * (BEHIND_BYTES + push.len());
    for _ in 0..OUTBOX_BYTES_MAX / push.len() {
        for session in sessions.iter().chain([&reader]) {
            session.push(Out::stanza(push.clone()));
        }
        reader.state().take_output(&mut Vec::new(), &mut Vec::new());
        let held: usize = sessions.iter().map(|one| one.waits().output_bytes).sum();
        assert!(held <= most, "{held}");
        assert_eq!(held, account.queued_bytes.load(Ordering::Relaxed));
    }
    assert!(sessions.iter().any(|session| session.state().is_lossy()));
    assert!(!reader.state().is_lossy());
    for session in &sessions {
        session.state().end();
        session.state().take_left();
    }
    assert_eq!(account.queued_bytes.load(Ordering::Relaxed), 0);
}

/// Or else any stranger could end a session that waits for its client to come back.
#[test]
fn what_is_of_the_moment_never_ends_a_session() {
    let session = session();
    let headline = Bytes::from(vec![b'x'; 100_000]);
    for _ in 0..200 {
        session.push(Out::passing(headline.clone()));
    }
    assert!(session.state().left_out.get() > 0);
    let waits = session.waits().output_bytes;
    assert!((1..=BEHIND_BYTES).contains(&waits), "{waits}");
    assert!(session.state().kicked.is_none() && !session.state().is_lossy());
    // What somebody waits for does, in the end.
    for _ in 0..=OUTBOX_BYTES_MAX / headline.len() {
        session.push(Out::stanza(headline.clone()));
    }
    assert!(session.state().is_lossy());
}

/// Whatever may be asked for has an answer that can be sent.
#[test]
fn one_alone_has_room_however_large_it_is() {
    let session = session();
    let large = Bytes::from(vec![b'x'; OUTBOX_BYTES_MAX + 1]);
    session.push(Out::stanza(large.clone()));
    assert!(!session.state().is_lossy());
    session.push(Out::stanza(large));
    assert!(session.state().is_lossy());
}

/// Where the client is to acknowledge before it gets more, it is asked all the same, and told what it asked itself: otherwise
/// each would wait for the other.
#[test]
fn acknowledgements_wait_behind_no_stanza() {
    let session = session();
    let limits = SmLimits {
        unacked_stanzas_max: 4,
        ..SmLimits::CLIENT
    };
    session.state().sm = Some(Resumable {
        sm: Sm::new(limits),
        id: "s".to_owned(),
        resumable: true,
        noted: 0,
    });
    let push = |numbers: std::ops::Range<u32>| {
        for number in numbers {
            session.push(Out::stanza(format!("<message id='{number}'/>").into()));
        }
    };
    // What is written, each by its first letters.
    let written = || {
        let mut written = Vec::new();
        session.state().take_output(&mut written, &mut Vec::new());
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes)[..3].to_owned();
        written.iter().map(text).collect::<Vec<_>>()
    };
    push(0..2);
    assert_eq!(written(), ["<me", "<me", "<r "]);
    // Two more have room before the answer comes.
    push(2..9);
    assert_eq!(written(), ["<me", "<me"]);
    {
        let mut state = session.state();
        state.sm.as_mut().unwrap().sm.handle_ask();
        state.push_sm();
        assert!(state.has_output());
    }
    assert_eq!(written(), ["<a "]);
    {
        let mut state = session.state();
        let sm = &mut state.sm.as_mut().unwrap().sm;
        assert_eq!(sm.handle_answer(1).unwrap().count(), 1);
        state.push_sm();
    }
    assert_eq!(written(), ["<me", "<r "]);
}
