//! Whatever comes in, nothing panics, and nobody is let in.

use std::sync::Arc;

use crate::sasl::{Account, KnownTokens, Mechanism, TOKEN_NONCE_BYTES, TokenRecord, Tokens};
use crate::server::{self, Tls};
use crate::{Seed, client};
use proptest::prelude::*;
use waxwing_wire::{Limits, Reader};

use super::link::{Link, NOW_SECS, binding, client_settings, credentials, server_settings};
use super::sasl2::{sasl2_client, sasl2_server};

/// Of a client whose token nobody knows here.
fn tokens() -> Tokens {
    let record = TokenRecord {
        mechanism: Mechanism::HtSha256None,
        nonce: [3; TOKEN_NONCE_BYTES],
        expires_secs: NOW_SECS + 1,
        count: 0,
    };
    Tokens {
        current: Some(record),
        newest: None,
    }
}

/// Feeds a server, and says whether somebody got in.
fn feed_server(tls: Tls, pieces: &[Vec<u8>]) -> bool {
    let mut negotiation =
        server::Negotiation::new(Arc::new(sasl2_server()), tls, Seed::new([1; 32]));
    let mut reader = Reader::new(Limits::BEFORE_LOGIN);
    let mut entered = false;
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.next() {
                Ok(Some(event)) => negotiation.handle_event(event),
                Ok(None) => break,
                Err(error) => {
                    negotiation.handle_error(error);
                    break;
                }
            }
            while let Some(output) = negotiation.poll() {
                match output {
                    server::Output::StartTls => {
                        let dropped = reader.restart();
                        negotiation.handle_restart(dropped);
                        negotiation.tls_started(binding());
                    }
                    server::Output::RestartReader => {
                        let dropped = reader.restart();
                        negotiation.handle_restart(dropped);
                    }
                    server::Output::NeedCredentials { .. } => {
                        negotiation.provide_credentials(Account::Active(credentials()));
                    }
                    server::Output::Stretch(stretch) => negotiation.handle_stretched(stretch.run()),
                    server::Output::NeedBind { jid, .. } => negotiation.provide_bind(Ok(jid)),
                    server::Output::NeedTokens { .. } => {
                        negotiation.provide_tokens(KnownTokens::Active(tokens()), NOW_SECS);
                    }
                    server::Output::StoreTokens { .. } => negotiation.tokens_stored(true),
                    server::Output::StoreKeys { .. } => negotiation.upgrade_stored(true),
                    server::Output::NeedResume(_) | server::Output::NeedBind2(_) => {
                        panic!("nobody is logged in")
                    }
                    server::Output::Authenticated { .. } => entered = true,
                    _ => {}
                }
            }
        }
    }
    entered
}

fn feed_client(tls: Tls, pieces: &[Vec<u8>]) -> bool {
    let mut negotiation = client::Negotiation::new(sasl2_client(), tls, Seed::new([1; 32]));
    let mut reader = Reader::new(Limits::BEFORE_LOGIN);
    let mut believed = false;
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.next() {
                Ok(Some(event)) => negotiation.handle_event(event),
                Ok(None) => break,
                Err(error) => {
                    negotiation.handle_error(error);
                    break;
                }
            }
            while let Some(output) = negotiation.poll() {
                match output {
                    client::Output::StartTls => {
                        let dropped = reader.restart();
                        negotiation.handle_restart(dropped);
                        negotiation.tls_started(binding());
                    }
                    client::Output::RestartReader => {
                        let dropped = reader.restart();
                        negotiation.handle_restart(dropped);
                    }
                    client::Output::Stretch(stretch) => negotiation.handle_stretched(stretch.run()),
                    client::Output::Authenticated => believed = true,
                    _ => {}
                }
            }
        }
    }
    believed
}

/// Things that either side may say, right and wrong, to be put together in any order.
fn phrase() -> impl Strategy<Value = Vec<u8>> {
    let sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
    let phrases = vec![
        "<?xml version='1.0'?><stream:stream to='example.org' id='1' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>"
            .to_owned(),
        "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>".into(),
        "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>".into(),
        format!("<auth xmlns='{sasl}' mechanism='SCRAM-SHA-1'>biwsbj1hbGljZSxyPXg=</auth>"),
        format!("<auth xmlns='{sasl}' mechanism='SCRAM-SHA-1'/>"),
        format!("<auth xmlns='{sasl}' mechanism='PLAIN'/>"),
        format!("<response xmlns='{sasl}'>biwsbj1hbGljZSxyPXg=</response>"),
        format!("<response xmlns='{sasl}'>Yz1iaXdzLHI9eCxwPQ==</response>"),
        format!("<challenge xmlns='{sasl}'>cj14LHM9YWFhYSxpPTI=</challenge>"),
        format!("<challenge xmlns='{sasl}'>dj1hYWFh</challenge>"),
        format!("<success xmlns='{sasl}'>dj1hYWFh</success>"),
        format!("<success xmlns='{sasl}'/>"),
        format!("<failure xmlns='{sasl}'><not-authorized/></failure>"),
        format!("<abort xmlns='{sasl}'/>"),
        format!(
            "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\
             <mechanisms xmlns='{sasl}'><mechanism>SCRAM-SHA-1</mechanism></mechanisms>\
             <bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><sm xmlns='urn:xmpp:sm:3'/></stream:features>"
        ),
        "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>".into(),
        "<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
         <jid>alice@example.org/x</jid></bind></iq>"
            .into(),
        "<enable xmlns='urn:xmpp:sm:3'/><resume xmlns='urn:xmpp:sm:3' h='1' previd='x'/>".into(),
        "<enabled xmlns='urn:xmpp:sm:3'/>".into(),
        "<message/><presence/><iq type='get' id='1'/>".into(),
        "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>".into(),
        "</stream:stream>".into(),
        " ".into(),
    ];
    let phrases = [phrases, sasl2_phrases()].concat();
    prop::sample::select(phrases).prop_map(String::into_bytes)
}

fn sasl2_phrases() -> Vec<String> {
    let sasl2 = "urn:xmpp:sasl:2";
    let agent = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/>";
    let proof = crate::sasl::base64::encode(&[&b"alice\0"[..], &[0; 32]].concat());
    let initial = |text: &str| format!("<initial-response>{text}</initial-response>");
    let scram = initial("biwsbj1hbGljZSxyPXg=");
    vec![
        format!("<authenticate xmlns='{sasl2}' mechanism='SCRAM-SHA-1'>{scram}</authenticate>"),
        format!("<authenticate xmlns='{sasl2}' mechanism='PLAIN'/>"),
        format!(
            "<authenticate xmlns='{sasl2}' mechanism='HT-SHA-256-NONE'>{}{agent}\
             <fast xmlns='urn:xmpp:fast:0' count='1'/></authenticate>",
            initial(&proof)
        ),
        format!(
            "<authenticate xmlns='{sasl2}' mechanism='SCRAM-SHA-256'>{scram}{agent}\
             <bind xmlns='urn:xmpp:bind:0'/><resume xmlns='urn:xmpp:sm:3' h='1' previd='x'/>\
             <request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>\
             <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade></authenticate>"
        ),
        format!("<response xmlns='{sasl2}'>Yz1iaXdzLHI9eCxwPQ==</response>"),
        format!("<abort xmlns='{sasl2}'/>"),
        format!("<next xmlns='{sasl2}' task='UPGR-SCRAM-SHA-512'/>"),
        format!(
            "<task-data xmlns='{sasl2}'><hash xmlns='urn:xmpp:scram-upgrade:0'>AAAA</hash></task-data>"
        ),
        format!(
            "<task-data xmlns='{sasl2}'><salt xmlns='urn:xmpp:scram-upgrade:0' iterations='2'>AAAA</salt></task-data>"
        ),
        format!("<challenge xmlns='{sasl2}'>cj14LHM9YWFhYSxpPTI=</challenge>"),
        format!(
            "<continue xmlns='{sasl2}'><tasks><task>UPGR-SCRAM-SHA-512</task></tasks></continue>"
        ),
        format!(
            "<failure xmlns='{sasl2}'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>"
        ),
        format!(
            "<success xmlns='{sasl2}'><authorization-identifier>alice@example.org/x</authorization-identifier>\
             <bound xmlns='urn:xmpp:bind:0'/></success>"
        ),
        format!(
            "<stream:features><authentication xmlns='{sasl2}'><mechanism>SCRAM-SHA-1</mechanism>\
             <inline><bind xmlns='urn:xmpp:bind:0'/><sm xmlns='urn:xmpp:sm:3'/>\
             <fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-NONE</mechanism></fast></inline>\
             <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade></authentication></stream:features>"
        ),
    ]
}

fn tls() -> impl Strategy<Value = Tls> {
    prop::sample::select(vec![
        Tls::Required,
        Tls::Started(binding()),
        Tls::PlainAllowed,
    ])
}

proptest! {
    #[test]
    fn bytes_let_nobody_in(tls in tls(), pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..8)) {
        prop_assert!(!feed_server(tls.clone(), &pieces));
        prop_assert!(!feed_client(tls, &pieces));
    }

    #[test]
    fn phrases_let_nobody_in(tls in tls(), pieces in prop::collection::vec(phrase(), 0..30)) {
        prop_assert!(!feed_server(tls.clone(), &pieces));
        prop_assert!(!feed_client(tls, &pieces));
    }

    /// A log-in with one byte changed on its way to the client ends well or badly, but it ends.
    #[test]
    fn a_changed_byte_confuses_nobody(at in 0usize..4000, byte in 0x20u8..0x7f) {
        let mut left = Some(at);
        let story = Link::new(client_settings(), server_settings(), Tls::Required)
            .meddle(move |text| match left {
                Some(at) if at < text.len() => {
                    left = None;
                    let mut bytes = text.into_bytes();
                    bytes[at] = byte;
                    String::from_utf8_lossy(&bytes).into_owned()
                }
                Some(at) => {
                    left = Some(at - text.len());
                    text
                }
                None => text,
            })
            .run();
        prop_assert!(!story.client_authenticated || story.mechanism.is_some());
        if let (Some(ours), Some(theirs)) = (&story.client_bound, &story.server_bound) {
            prop_assert_eq!(ours.bare(), theirs.bare());
        }
    }
}
