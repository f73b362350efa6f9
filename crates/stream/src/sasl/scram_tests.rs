//! SCRAM against published exchanges, and its two sides against each other.

use super::binding::BindingKind;
use super::credentials::{Credentials, FakeSalts, ScramKeys};
use super::exchange::{Account, ClientExchange, ClientStep, SaslError, ServerExchange, Step};
use super::failure::Failure;
use super::hash::Hash;
use super::password::Password;
use super::scram::BindingFlag;
use super::scram_client::{ScramClient, ScramLogin};
use super::scram_server::ScramServer;
use super::xep_0474_downgrade::Offer;

const NAME: &str = "user@example.org";

fn password(text: &str) -> Password {
    Password::prepare(text).unwrap()
}

fn fake() -> FakeSalts {
    FakeSalts::new([9; 32], 4096)
}

fn offer(mechanisms: &[&str], bindings: &[&str]) -> Offer {
    let owned = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    Offer {
        mechanisms: owned(mechanisms),
        bindings: (!bindings.is_empty()).then(|| owned(bindings)),
    }
}

/// One published or independently computed exchange, user `user`, password `pencil`.
struct Vector {
    hash: Hash,
    flag: BindingFlag<'static>,
    binding: &'static [u8],
    client_nonce: &'static str,
    server_nonce: &'static str,
    salt: &'static [u8],
    server_first: &'static str,
    client_final: &'static str,
    server_final: &'static str,
    offer: Offer,
}

const SALT_5802: &[u8] = b"A%\xc2G\xe4:\xb1\xe9<m\xffv";
const SALT_7677: &[u8] = b"[m\x99h\x9d\x125\x8e\xec\xa0K\x14\x126\xfa\x81";
const END_POINT: BindingFlag<'static> = BindingFlag::Used("tls-server-end-point");

/// Exchanges without XEP-0474: RFC 5802 §5, RFC 7677 §3, and the latter with SHA-512, computed by
/// Python's hashlib.
fn without_offer() -> [Vector; 3] {
    let vector =
        |hash, client_nonce, server_nonce, salt, server_first, client_final, server_final| Vector {
            hash,
            flag: BindingFlag::Unsupported,
            binding: b"",
            client_nonce,
            server_nonce,
            salt,
            server_first,
            client_final,
            server_final,
            offer: Offer::default(),
        };
    [
        vector(
            Hash::Sha1,
            "fyko+d2lbbFgONRv9qkxdawL",
            "3rfcNHYJY1ZVvWVs7j",
            SALT_5802,
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ),
        vector(
            Hash::Sha256,
            "rOprNGfwEbeRWgbNEkqO",
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            SALT_7677,
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
        vector(
            Hash::Sha512,
            "rOprNGfwEbeRWgbNEkqO",
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            SALT_7677,
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
            "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==",
        ),
    ]
}

/// Exchanges with a bound channel and XEP-0474, computed by Python's hashlib.
fn with_offer() -> [Vector; 2] {
    let vector = |hash, binding, server_first, client_final, server_final, mechanism| Vector {
        hash,
        flag: END_POINT,
        binding,
        client_nonce: "rOprNGfwEbeRWgbNEkqO",
        server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        salt: SALT_7677,
        server_first,
        client_final,
        server_final,
        offer: offer(&[mechanism], &["tls-server-end-point"]),
    };
    [
        vector(
            Hash::Sha256,
            &[0x11; 32],
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
             h=FIEVmfq9o6Cm2bFWjR79e/3rodDkHVFdqkoXi3+ndAE=",
            "c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsERERERERERERERERERERERERERERERERERERERERERE=,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=hVL9PxdhX1tkOQuOLEU61hPS3RgIEZBLIGtino6Snus=",
            "v=WeFUzrC3BRvtF3q8VxIaBx5vhQb21y4S0xgWf1byU50=",
            "SCRAM-SHA-256-PLUS",
        ),
        vector(
            Hash::Sha512,
            &[0x22; 48],
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
             h=4eNxMMA+SeqUmOm4SZixWPenTsEy8XTSdlVMGs4YXqsPiQFkwVuNycLH/4p4s0liXLtiB/GsnZO/C+azAmtCjA==",
            "c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIi,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=TPNsGmqnm9Kp5fNnK8FgP2mRgC/2QfyfV3Sm5vqgVd5PMg8A/sPFeCnkTUVOt4xxRi0+fCc437vGJXj303KVrQ==",
            "v=dCFPOrmm+6bG83SQ8O6usCoBL5BIOkSv+sW/cRgjnd4tdPHayrcjEGBtWYmXAyY6q2+AV2bF1xbBLiVsdr9c+w==",
            "SCRAM-SHA-512-PLUS",
        ),
    ]
}

fn client(vector: &Vector) -> ScramClient {
    ScramClient::new(ScramLogin {
        hash: vector.hash,
        flag: vector.flag,
        binding: vector.binding.to_vec(),
        user: "user".into(),
        password: password("pencil"),
        nonce: vector.client_nonce.into(),
        offer: vector.offer.clone(),
        offer_hash_required: false,
        iterations: 4096..=4096,
    })
}

fn account(hash: Hash, salt: &[u8]) -> Account {
    let keys = ScramKeys::derive(hash, &password("pencil"), salt, 4096);
    Account::Active(Credentials::new([keys]))
}

fn respond(client: &mut ScramClient, challenge: &[u8]) -> Result<Vec<u8>, SaslError> {
    match client.challenge(challenge)? {
        ClientStep::Response(response) => Ok(response),
        ClientStep::Stretch(stretch) => client.stretched(stretch.run()),
    }
}

#[test]
fn the_client_says_what_was_published() {
    for vector in without_offer().iter().chain(&with_offer()) {
        let mut client = client(vector);
        assert!(
            String::from_utf8(client.start())
                .unwrap()
                .ends_with(&format!(",n=user,r={}", vector.client_nonce))
        );
        let response = respond(&mut client, vector.server_first.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(response).unwrap(), vector.client_final);
        assert_eq!(client.success(Some(vector.server_final.as_bytes())), Ok(()));
    }
}

#[test]
fn the_client_takes_the_signature_as_a_challenge_too() {
    for vector in &without_offer() {
        let mut client = client(vector);
        client.start();
        respond(&mut client, vector.server_first.as_bytes()).unwrap();
        assert_eq!(
            respond(&mut client, vector.server_final.as_bytes()),
            Ok(vec![])
        );
        assert_eq!(client.success(None), Ok(()));
    }
}

#[test]
fn the_server_says_what_was_computed() {
    for vector in &with_offer() {
        let bindings = vec![(BindingKind::TlsServerEndPoint, vector.binding.to_vec())];
        let nonce = vector.server_nonce.to_owned();
        let mut server = ScramServer::new(vector.hash, true, bindings, vector.offer.clone(), nonce);
        server.receive(&client(vector).start()).unwrap();
        let step = server
            .account(NAME, account(vector.hash, vector.salt), &fake())
            .unwrap();
        let Step::Challenge(challenge) = step else {
            panic!("{step:?}")
        };
        assert_eq!(String::from_utf8(challenge).unwrap(), vector.server_first);
        let step = server.receive(vector.client_final.as_bytes()).unwrap();
        let Step::Success(Some(signature)) = step else {
            panic!("{step:?}")
        };
        assert_eq!(String::from_utf8(signature).unwrap(), vector.server_final);
    }
}

/// The whole exchange of XEP-0474's section "Full Example", with the client's optional attribute.
#[test]
fn the_server_follows_the_example_of_xep_0474() {
    let offer = offer(
        &["SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"],
        &["tls-server-end-point", "tls-exporter"],
    );
    let nonce = "a09117a6-ac50-4f2f-93f1-93799c2bddf6".to_owned();
    let keys = ScramKeys::derive(Hash::Sha1, &password("pencil"), SALT_5802, 4096);
    assert_eq!(offer.hash(Hash::Sha1), "G6k/rBLDqgOhRRaCuuatSDFkJ08=");
    let bindings = vec![(BindingKind::TlsExporter, b"THIS IS FAKE CB DATA".to_vec())];
    let mut server = ScramServer::new(Hash::Sha1, true, bindings, offer, nonce);
    server
        .receive(b"p=tls-exporter,,n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6")
        .unwrap();
    let step = server
        .account(NAME, Account::Active(Credentials::new([keys])), &fake())
        .unwrap();
    let Step::Challenge(challenge) = step else {
        panic!("{step:?}")
    };
    assert_eq!(
        String::from_utf8(challenge).unwrap(),
        "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,\
         s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08="
    );
    let step = server
        .receive(
            b"c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,\
              r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,\
              x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3,p=M/SIDjT+dfcxUh89jZEypRvFxB4=",
        )
        .unwrap();
    let Step::Success(Some(signature)) = step else {
        panic!("{step:?}")
    };
    assert_eq!(signature, b"v=MQrMPvv7yv4x4Cq4W4Ih25EqS2c=");
}

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
#[derive(Debug, PartialEq, Eq)]
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
        let (mut one, mut other) = pair("pencil", END_POINT, true, &plus_offer());
        let outcome = login(
            &mut one,
            &mut other,
            account(Hash::Sha256, b"salt"),
            |name, message| {
                if name == at {
                    let text = String::from_utf8(message.clone()).unwrap();
                    assert!(text.contains(from), "{text}");
                    *message = text.replacen(from, to, 1).into_bytes();
                }
            },
        );
        assert_eq!(outcome, expected, "{at}: {from} to {to}");
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
