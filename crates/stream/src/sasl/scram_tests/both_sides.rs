//! Client and server against each other, with somebody between who changes messages.

use super::*;
use crate::sasl::base64;
use crate::sasl::credentials::client_key;

/// Runs both sides; the meddler may change every message, named by its sender and place.
fn login(
    client: &mut ScramClient,
    server: &mut ScramServer,
    account: Account,
    meddle: impl Fn(&str, &mut Vec<u8>),
) -> Result<(), Outcome> {
    let mut message = client.start();
    meddle("client-first", &mut message);
    server.receive(&message)?;
    let Step::Challenge(mut message) = server.account(NAME, account, &fake())? else {
        panic!("SCRAM challenges first");
    };
    meddle("server-first", &mut message);
    let mut message = respond(client, &message)?;
    meddle("client-final", &mut message);
    let Step::Success(Some(mut message)) = server.receive(&message)? else {
        panic!("SCRAM ends with the server's signature");
    };
    meddle("server-final", &mut message);
    Ok(client.success(Some(&message))?)
}

/// Who gave up, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Server(Failure),
    Client(SaslError),
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Outcome {
        Outcome::Server(failure)
    }
}

impl From<SaslError> for Outcome {
    fn from(error: SaslError) -> Outcome {
        Outcome::Client(error)
    }
}

fn pair(
    password_text: &str,
    flag: BindingFlag<'static>,
    plus: bool,
    offer: &Offer,
) -> (ScramClient, ScramServer) {
    let data = if matches!(flag, BindingFlag::Used(_)) {
        vec![5; 32]
    } else {
        vec![]
    };
    let client = ScramClient::new(ScramLogin {
        hash: Hash::Sha256,
        flag,
        binding: data,
        user: "user".into(),
        password: password(password_text),
        nonce: "clientnonce".into(),
        offer: offer.clone(),
        offer_hash_required: false,
        tls_version: Some(0x0304),
        iterations: 4096..=5000,
    });
    let bindings = vec![(BindingKind::TlsServerEndPoint, vec![5; 32])];
    let server = ScramServer::new(
        Hash::Sha256,
        plus,
        bindings,
        offer.clone(),
        "servernonce".into(),
    );
    let server = server.in_tls(Some(0x0304));
    (client, server)
}

fn plus_offer() -> Offer {
    offer(
        &["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"],
        &["tls-server-end-point"],
    )
}

fn plain_offer() -> Offer {
    offer(&["SCRAM-SHA-256"], &[])
}

#[test]
fn logs_in_by_every_flag_that_is_honest() {
    let none = BindingFlag::Unsupported;
    let table = [
        (END_POINT, true, plus_offer(), Ok(())),
        (none, false, plus_offer(), Ok(())),
        (none, false, plain_offer(), Ok(())),
        (BindingFlag::NotOffered, false, plain_offer(), Ok(())),
        // Somebody took the -PLUS mechanisms out of our offer.
        (
            BindingFlag::NotOffered,
            false,
            plus_offer(),
            Err(Outcome::Server(Failure::MalformedRequest)),
        ),
        (
            none,
            true,
            plus_offer(),
            Err(Outcome::Server(Failure::MalformedRequest)),
        ),
        (
            END_POINT,
            false,
            plus_offer(),
            Err(Outcome::Server(Failure::MalformedRequest)),
        ),
        (
            BindingFlag::Used("tls-exporter"),
            true,
            plus_offer(),
            Err(Outcome::Server(Failure::MalformedRequest)),
        ),
        (
            BindingFlag::Used("tls-unique"),
            true,
            plus_offer(),
            Err(Outcome::Server(Failure::MalformedRequest)),
        ),
    ];
    for (flag, plus, offer, expected) in table {
        let (mut client, mut server) = pair("pencil", flag, plus, &offer);
        let outcome = login(
            &mut client,
            &mut server,
            account(Hash::Sha256, b"salt"),
            |_, _| (),
        );
        assert_eq!(outcome, expected, "{flag:?} {plus} {offer:?}");
    }
}

#[test]
fn shows_missing_and_disabled_accounts_only_to_who_knows_the_password() {
    let Account::Active(credentials) = account(Hash::Sha256, &[4; 16]) else {
        unreachable!("made active")
    };
    let disabled = || Account::Disabled(credentials.clone());
    let expired = || Account::Expired(credentials.clone());
    let imported = account(Hash::Sha1, b"salt");
    let table = [
        ("pencil", disabled(), Failure::AccountDisabled),
        ("wrong", disabled(), Failure::NotAuthorized),
        ("pencil", expired(), Failure::CredentialsExpired),
        ("wrong", expired(), Failure::NotAuthorized),
        (
            "wrong",
            Account::Active(credentials.clone()),
            Failure::NotAuthorized,
        ),
        ("pencil", Account::Missing, Failure::NotAuthorized),
        ("pencil", imported, Failure::NotAuthorized),
        (
            "pencil",
            Account::Unavailable,
            Failure::TemporaryAuthFailure,
        ),
    ];
    let mut shapes = Vec::new();
    for (text, account, expected) in table {
        let (mut client, mut server) = pair(text, END_POINT, true, &plus_offer());
        let shape = std::cell::RefCell::new(Vec::new());
        let outcome = login(
            &mut client,
            &mut server,
            account.clone(),
            |name, message| {
                shape.borrow_mut().push((name.to_owned(), message.len()));
            },
        );
        assert_eq!(
            outcome,
            Err(Outcome::Server(expected)),
            "{text} {account:?}"
        );
        if account != Account::Unavailable {
            shapes.push(shape.into_inner());
        }
    }
    // Same messages of the same lengths, whatever the account is.
    assert!(
        shapes.windows(2).all(|pair| pair[0] == pair[1]),
        "{shapes:?}"
    );
}

#[test]
fn finds_out_who_meddles() {
    let server = |failure| Err(Outcome::Server(failure));
    let client = |error| Err(Outcome::Client(error));
    let table: [(&str, &str, &str, Result<(), Outcome>); 10] = [
        (
            "client-first",
            "n=user",
            "n=usex",
            server(Failure::NotAuthorized),
        ),
        (
            "client-first",
            "r=client",
            "r=Client",
            client(SaslError::Malformed),
        ),
        (
            "server-first",
            "servernonce",
            "Servernonce",
            server(Failure::NotAuthorized),
        ),
        (
            "server-first",
            "clientnonceservernonce",
            "clientnonce",
            client(SaslError::Malformed),
        ),
        (
            "server-first",
            "i=4096",
            "i=4095",
            client(SaslError::IterationsTooFew(4095)),
        ),
        (
            "server-first",
            "i=4096",
            "i=5001",
            client(SaslError::IterationsTooMany(5001)),
        ),
        ("server-first", "h=", "h=A", client(SaslError::Downgraded)),
        ("server-first", ",h=", ",x=", server(Failure::NotAuthorized)),
        (
            "client-final",
            "c=cD10",
            "c=cD11",
            server(Failure::NotAuthorized),
        ),
        (
            "server-final",
            "v=",
            "e=",
            client(SaslError::ServerUnproven),
        ),
    ];
    for (at, from, to, expected) in table {
        assert_eq!(meddled(at, from, to), expected, "{at}: {from} to {to}");
    }
}

/// A log-in with somebody between who changes one message.
fn meddled(at: &str, from: &str, to: &str) -> Result<(), Outcome> {
    let (mut one, mut other) = pair("pencil", END_POINT, true, &plus_offer());
    let known = account(Hash::Sha256, b"salt");
    login(&mut one, &mut other, known, |name, message| {
        if name == at {
            let text = String::from_utf8(message.clone()).unwrap();
            assert!(text.contains(from), "{text}");
            *message = text.replacen(from, to, 1).into_bytes();
        }
    })
}

/// XEP-0515: somebody who ends TLS between the two finds no way out, whether what the server says is changed or not.
#[test]
fn another_tls_is_found_out() {
    let other = Err(Outcome::Client(SaslError::OtherTls));
    let unproven = Err(Outcome::Server(Failure::NotAuthorized));
    for (to, expected) in [
        (",t=0303", other.clone()),
        (",t=304", other),
        ("", unproven),
    ] {
        assert_eq!(meddled("server-first", ",t=0304", to), expected, "{to}");
    }
}

#[test]
fn a_changed_channel_is_found_out() {
    let (mut client, _) = pair("pencil", END_POINT, true, &plus_offer());
    let bindings = vec![(BindingKind::TlsServerEndPoint, vec![6; 32])];
    let mut server = ScramServer::new(
        Hash::Sha256,
        true,
        bindings,
        plus_offer(),
        "servernonce".into(),
    );
    let outcome = login(
        &mut client,
        &mut server,
        account(Hash::Sha256, b"salt"),
        |_, _| (),
    );
    assert_eq!(outcome, Err(Outcome::Server(Failure::NotAuthorized)));
}

#[test]
fn a_changed_offer_is_found_out_even_with_its_hash_changed() {
    let (_, mut server) = pair("pencil", BindingFlag::Unsupported, false, &plus_offer());
    let (mut client, _) = pair("pencil", BindingFlag::Unsupported, false, &plain_offer());
    let (true_hash, false_hash) = (
        plus_offer().hash(Hash::Sha256),
        plain_offer().hash(Hash::Sha256),
    );
    let outcome = login(
        &mut client,
        &mut server,
        account(Hash::Sha256, b"salt"),
        |name, message| {
            if name == "server-first" {
                *message = String::from_utf8(message.clone())
                    .unwrap()
                    .replace(&true_hash, &false_hash)
                    .into_bytes();
            }
        },
    );
    assert_eq!(outcome, Err(Outcome::Server(Failure::NotAuthorized)));
}

#[test]
fn messages_out_of_order_are_refused() {
    let (mut client, mut server) = pair("pencil", END_POINT, true, &plus_offer());
    assert_eq!(
        server.account(NAME, Account::Missing, &fake()).err(),
        Some(Failure::MalformedRequest)
    );
    assert_eq!(
        server.receive(b"n,,n=user,r=x").err(),
        Some(Failure::MalformedRequest)
    );
    assert_eq!(client.success(None), Err(SaslError::ServerUnproven));
    assert_eq!(
        client.success(Some(b"v=AAAA")),
        Err(SaslError::ServerUnproven)
    );
    assert_eq!(client.success(None), Err(SaslError::ServerUnproven));
}

/// A server that stole the stored key but not the other can check proofs, and prove nothing.
#[test]
fn a_server_with_a_wrong_key_is_found_out() {
    let keys = ScramKeys::derive(Hash::Sha256, &password("pencil"), b"salt", 4096);
    let stolen = ScramKeys::from_parts(Hash::Sha256, b"salt", 4096, keys.stored_key(), &[1; 32]);
    let stolen = Account::Active(Credentials::new([stolen.unwrap()]));
    let (mut client, mut server) = pair("pencil", END_POINT, true, &plus_offer());
    let outcome = login(&mut client, &mut server, stolen, |_, _| ());
    assert_eq!(outcome, Err(Outcome::Client(SaslError::ServerUnproven)));
}

/// RFC 5802 §5.1: the nonce of the final message is that of the challenge, even where the proof is
/// right for the message as it is.
#[test]
fn another_nonce_is_refused_whatever_its_proof() {
    let hash = Hash::Sha256;
    for (nonce, expected) in [("clientnonceservernonce", true), ("clientnonce", false)] {
        let (_, mut server) = pair("pencil", BindingFlag::Unsupported, false, &plain_offer());
        server.receive(b"n,,n=user,r=clientnonce").unwrap();
        let step = server
            .account(NAME, account(hash, b"salt"), &fake())
            .unwrap();
        let Step::Challenge(challenge) = step else {
            panic!("{step:?}")
        };
        let challenge = String::from_utf8(challenge).unwrap();
        let without_proof = format!("c=biws,r={nonce}");
        let signed = format!("n=user,r=clientnonce,{challenge},{without_proof}");
        let salted = hash.stretch(b"pencil", b"salt", 4096);
        let client_key = client_key(hash, &salted);
        let signature = hash.hmac(
            hash.digest(client_key.bytes()).bytes(),
            &[signed.as_bytes()],
        );
        let proof = base64::encode(client_key.xor(signature.bytes()).bytes());
        let outcome = server.receive(format!("{without_proof},p={proof}").as_bytes());
        assert_eq!(outcome.is_ok(), expected, "{outcome:?}");
    }
}
