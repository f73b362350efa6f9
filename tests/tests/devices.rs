//! What a device is given, and what it gives, while things change beside it (XEP-0480, XEP-0484).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]

use serde_json::json;
use waxwing_server::{Security, Settings, TokenSecret, accounts};
use waxwing_stanza::BareJid;
use waxwing_stanza::xep::xep_0388_sasl2::UserAgent;
use waxwing_store::Batch;
use waxwing_stream::client::{FastToken, Sasl2, Settings as ClientSettings, Tls};
use waxwing_stream::sasl::{Failure, Mechanism, Password};
use waxwing_testkit::{ClientStream, Happening, Said, Seed, Until, Wants, World};

const ALICE: &str = "alice@example.org";

fn alice() -> BareJid {
    ALICE.parse().unwrap()
}

fn world() -> World {
    let settings = Settings {
        domains: vec!["example.org".to_owned()],
        token_keys: vec![TokenSecret::new([7; 32])],
        ..Settings::default()
    };
    let mut world = World::new(settings, Seed(1)).unwrap();
    world.add_account(&alice(), "pencil").unwrap();
    world
}

/// A client that wants a token, and gives keys of a stronger hash.
fn client(password: &str, mechanism: Mechanism, token: Option<FastToken>) -> ClientSettings {
    let agent = UserAgent {
        id: Some("d4565fa7-4d72-4749-b3d3-740edbf87770".to_owned()),
        software: None,
        device: None,
    };
    let password = Password::prepare(password).unwrap();
    let mut settings = ClientSettings::new(alice(), password);
    settings.mechanisms = vec![mechanism];
    settings.iterations = 1..=*settings.iterations.end();
    settings.sasl2 = Some(Sasl2 {
        token,
        ..Sasl2::new(agent)
    });
    settings
}

/// All that the server says until the client has a session, or gives up. `beside` sees what came before it is taken in.
fn log_in(
    world: &mut World,
    settings: ClientSettings,
    mut beside: impl FnMut(&mut World, &[u8]),
) -> Vec<Said> {
    let link = world.connect(&Security::StartTls);
    let mut stream = ClientStream::new(settings, Tls::Required, [5; 32], Until::Bound);
    let mut all = Vec::new();
    loop {
        for bytes in stream.take_output() {
            world.write(link, &bytes);
        }
        all.extend(std::iter::from_fn(|| stream.poll()));
        if let Some(Said::Bound(..) | Said::Refused(_)) = all.last() {
            return all;
        }
        if stream.wants() == Some(Wants::StartTls) {
            stream.tls_started(World::binding(link));
            continue;
        }
        match world.next(world.now_micros() + 10_000_000) {
            // A session of before is told that it ends.
            Happening::Received(at, _) | Happening::Disconnected(at) if at != link => {}
            Happening::Received(_, bytes) => {
                beside(world, &bytes);
                stream.receive(&bytes);
            }
            other => panic!("{other:?} after {all:?}"),
        }
    }
}

fn token(said: &[Said]) -> Option<FastToken> {
    said.iter().find_map(|said| match said {
        Said::Token(token) => Some(token.clone()),
        _ => None,
    })
}

fn is_in(said: &[Said]) -> bool {
    matches!(said.last(), Some(Said::Bound(..)))
}

fn hashes(world: &World) -> Vec<String> {
    let stored = world.look(|store| {
        let store = store.clone();
        async move { accounts::load(&store, &alice()).await }
    });
    let keys = stored.unwrap().unwrap().keys;
    keys.into_iter().map(|keys| keys.hash).collect()
}

/// Takes away all keys but those of SHA-1, as accounts of former times have them.
fn strip(world: &World) {
    let stripped = world.look(|store| {
        let store = store.clone();
        async move {
            let mut stored = accounts::load(&store, &alice()).await?.unwrap();
            stored.keys.retain(|keys| keys.hash == "SHA-1");
            let mut batch = Batch::new();
            accounts::save(&mut batch, &alice(), &stored);
            store.commit(batch).await
        }
    });
    stripped.unwrap();
}

/// XEP-0480: an account of former times has keys of SHA-1 alone. One log-in later it has those of SHA-512, and they are good.
#[test]
fn a_log_in_brings_keys_of_a_stronger_hash() {
    let mut world = world();
    strip(&world);
    assert_eq!(hashes(&world), ["SHA-1"]);
    let strong = || client("pencil", Mechanism::ScramSha512Plus, None);
    assert!(!is_in(&log_in(&mut world, strong(), |_, _| ())));
    let weak = client("pencil", Mechanism::ScramSha1Plus, None);
    assert!(is_in(&log_in(&mut world, weak, |_, _| ())));
    assert_eq!(hashes(&world), ["SHA-1", "SHA-512"]);
    assert!(is_in(&log_in(&mut world, strong(), |_, _| ())));
    assert_eq!(hashes(&world), ["SHA-1", "SHA-512"], "once is enough");
}

fn change_password(world: &mut World) {
    let args = json!({ "jid": ALICE, "password": "crayon" });
    world.admin("account passwd", args).unwrap();
}

/// A password that changes while somebody proves that they know the old one gives neither a token nor a session for it.
#[test]
fn nothing_is_given_for_a_password_that_is_no_more() {
    let mut world = world();
    let mut changed = false;
    let settings = client("pencil", Mechanism::ScramSha256Plus, None);
    let said = log_in(&mut world, settings, |world, came| {
        let is_challenge = came.windows(10).any(|bytes| bytes == b"<challenge");
        if is_challenge && !std::mem::replace(&mut changed, true) {
            change_password(world);
        }
    });
    assert!(changed && !is_in(&said), "{said:?}");
    assert_eq!(token(&said), None);
    let settings = client("crayon", Mechanism::ScramSha256Plus, None);
    let said = log_in(&mut world, settings, |_, _| ());
    assert!(token(&said).is_some(), "{said:?}");
}

#[test]
fn a_token_ends_with_the_password_that_it_was_given_for() {
    let mut world = world();
    let settings = client("pencil", Mechanism::ScramSha256Plus, None);
    let given = token(&log_in(&mut world, settings, |_, _| ())).unwrap();
    let again = |count| {
        let token = FastToken {
            count,
            ..given.clone()
        };
        client("crayon", Mechanism::ScramSha256Plus, Some(token))
    };
    assert!(is_in(&log_in(&mut world, again(1), |_, _| ())));
    change_password(&mut world);
    let said = log_in(&mut world, again(2), |_, _| ());
    let refused = Said::TokenRefused(Failure::CredentialsExpired);
    assert!(said.contains(&refused) && is_in(&said), "{said:?}");
}

/// A log-in that is cut off at any moment leaves no session behind.
#[test]
fn a_log_in_that_is_cut_off_leaves_nothing() {
    let mut world = world();
    world.slow_disk();
    for cut in 0..120 {
        let until = world.now_micros() + cut * 500;
        let link = world.connect(&Security::StartTls);
        let mut settings = client("pencil", Mechanism::Plain, None);
        // No session waits to be resumed.
        settings.stream_management = None;
        let mut stream = ClientStream::new(settings, Tls::Required, [5; 32], Until::Bound);
        loop {
            for bytes in stream.take_output() {
                world.write(link, &bytes);
            }
            if stream.wants() == Some(Wants::StartTls) {
                stream.tls_started(World::binding(link));
                continue;
            }
            match world.next(until) {
                Happening::Received(at, bytes) if at == link => stream.receive(&bytes),
                Happening::Idle => break,
                _ => {}
            }
        }
        world.close(link);
        let over = world.now_micros() + 1_000_000;
        while world.next(over) != Happening::Idle {}
    }
    let online = world.sessions(&alice());
    assert_eq!(online, 0, "sessions without a stream");
}

/// What is made of a former password is no key of an account that has another one by now.
#[test]
fn an_upgrade_brings_no_former_password_back() {
    let mut world = world();
    strip(&world);
    let mut changed = false;
    let settings = client("pencil", Mechanism::ScramSha1Plus, None);
    let said = log_in(&mut world, settings, |world, came| {
        let is_task = came.windows(10).any(|bytes| bytes == b"<task-data");
        if is_task && !std::mem::replace(&mut changed, true) {
            change_password(world);
        }
    });
    assert!(changed && !is_in(&said), "{said:?}");
    for (password, is_good) in [("pencil", false), ("crayon", true)] {
        let settings = client(password, Mechanism::ScramSha512Plus, None);
        assert_eq!(is_in(&log_in(&mut world, settings, |_, _| ())), is_good);
    }
}
