//! Published exchanges, and some computed by other means.

use super::*;

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
        tls_version: None,
        iterations: 4096..=4096,
    })
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
