//! SASL2 with all that goes with it, from either side.

use proptest::prelude::*;
use waxwing_stanza::xep::xep_0388_sasl2::UserAgent;
use waxwing_stanza::{Condition, Payload, xep::xep_0280_carbons as carbons};
use waxwing_wire::Element;

use super::link::{
    Cut, ITERATIONS, Link, NOW_SECS, Story, binding, client_settings, credentials, server_settings,
};
use super::{assert_bound, only};
use crate::client::{self, Bind2, FastToken, KnownOffer, NegotiationError};
use crate::sasl::{
    Account, Credentials, Hash, Mechanism, SaslError, TOKEN_SECS, TlsBinding, TokenKey, Tokens,
};
use crate::server::{self, Tls};
use crate::sm::{Failed, Resume, SM};

const CSI: &str = "urn:xmpp:csi:0";
const ID: &str = "d4565fa7-4d72-4749-b3d3-740edbf87770";

pub(super) fn sasl2_server() -> server::Settings {
    let vars = [carbons::NS, CSI, SM];
    let sasl2 = server::Sasl2 {
        bind_features: vars.map(str::to_owned).into(),
        upgrade_iterations: ITERATIONS,
        ..server::Sasl2::new(TokenKey::new([9; 32]))
    };
    server::Settings {
        sasl2: Some(sasl2),
        ..server_settings()
    }
}

fn wishes() -> client::Sasl2 {
    let agent = UserAgent {
        id: Some(ID.to_owned()),
        software: Some("AwesomeXMPP".to_owned()),
        device: Some("Kiva's Phone".to_owned()),
    };
    let enable = carbons::Enable {};
    client::Sasl2 {
        bind: Some(Bind2 {
            tag: Some("AwesomeXMPP".to_owned()),
            features: vec![enable.write(), Element::new(CSI, "inactive")],
        }),
        ..client::Sasl2::new(agent)
    }
}

pub(super) fn sasl2_client() -> client::Settings {
    client::Settings {
        sasl2: Some(wishes()),
        ..client_settings()
    }
}

/// What a client keeps from one stream to the next, and what the server's store does.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) token: FastToken,
    pub(super) offer: KnownOffer,
    pub(super) tokens: Tokens,
}

/// A first log-in, by password.
pub(super) fn first() -> (Story, Kept) {
    let mut link = Link::new(sasl2_client(), sasl2_server(), Tls::Started(binding()));
    let story = link.run();
    let kept = Kept {
        token: story.token.clone().unwrap(),
        offer: story.offer.clone().unwrap(),
        tokens: link.tokens.clone(),
    };
    (story, kept)
}

impl Kept {
    /// A client that comes back.
    pub(super) fn client(&self) -> client::Settings {
        let mut token = self.token.clone();
        token.count += 1;
        client::Settings {
            sasl2: Some(client::Sasl2 {
                token: Some(token),
                known_offer: Some(self.offer.clone()),
                ..wishes()
            }),
            ..client_settings()
        }
    }

    pub(super) fn link(&self, client: client::Settings) -> Link {
        self.link_to(client, sasl2_server())
    }

    pub(super) fn link_to(&self, client: client::Settings, server: server::Settings) -> Link {
        let mut link = Link::new(client, server, Tls::Started(binding()));
        link.tokens = self.tokens.clone();
        link
    }
}

pub(super) fn with(
    mut settings: client::Settings,
    change: fn(&mut client::Sasl2),
) -> client::Settings {
    settings.sasl2.iter_mut().for_each(change);
    settings
}

#[test]
fn all_is_done_with_the_log_in() {
    let (story, kept) = first();
    assert_bound(&story);
    assert_eq!(story.mechanism, Some(Mechanism::ScramSha512Plus));
    let bind2 = story.bind2.unwrap();
    assert_eq!(bind2.tag.as_deref(), Some("AwesomeXMPP"));
    assert_eq!(bind2.user_agent, Some(wishes().user_agent));
    let names = bind2
        .features
        .iter()
        .map(|element| (element.ns(), element.name()));
    let expected = [(SM, "enable"), (carbons::NS, "enable"), (CSI, "inactive")];
    assert_eq!(names.collect::<Vec<_>>(), expected);
    assert_eq!(story.enabled.unwrap().id.as_deref(), Some("new"));
    assert_eq!(story.inline, ["metadata"]);
    assert_eq!(kept.token.mechanism, Mechanism::HtSha256Expr);
    assert_eq!(
        kept.token.expiry.unix_micros(),
        (NOW_SECS + TOKEN_SECS) * 1_000_000
    );
    let jid = story.client_bound.unwrap();
    assert!(
        jid.resource().starts_with("AwesomeXMPP/") && !jid.as_str().contains(ID),
        "{jid}"
    );
}

/// After TLS: one flight there, one back.
#[test]
fn coming_back_takes_one_round_trip() {
    let (former, kept) = first();
    let mut link = kept.link(kept.client());
    let story = link.run();
    assert_bound(&story);
    assert_eq!(link.flights, 2, "{story:?}");
    assert_eq!(story.mechanism, Some(Mechanism::HtSha256Expr));
    assert_eq!(story.client_bound, former.client_bound, "the same resource");
    assert_eq!(story.enabled, former.enabled);
    assert_eq!(story.bind2, former.bind2);
    assert_eq!((story.token, story.offer), (None, None), "neither is news");

    let resume = Resume {
        previd: "old".into(),
        h: 3,
    };
    let client = client::Settings {
        resume: Some(resume),
        ..kept.client()
    };
    let mut link = kept.link(client.clone());
    link.session = Some(("old", 5));
    let story = link.run();
    assert_eq!((link.flights, story.resumed), (2, Some(5)));
    assert_eq!(story.server_resumed.unwrap().resource(), "old");
    assert_eq!((story.bind2, story.client_bound), (None, None));
    assert_eq!((&story.client_end, &story.server_end), (&None, &None));

    // The session is gone: a new one comes with the same flight.
    let mut link = kept.link(client);
    let story = link.run();
    assert_bound(&story);
    assert_eq!(link.flights, 2);
    let condition = Some(Condition::ItemNotFound);
    let expected = Failed {
        h: Some(9),
        condition,
    };
    assert_eq!(story.resume_failed, Some(expected));
    assert!(story.enabled.is_some());
}

/// What each part saves: the same without it takes longer.
#[test]
fn every_part_saves_its_flights() {
    let (_, kept) = first();
    let flights = |client: client::Settings| {
        let mut link = kept.link(client);
        assert_bound(&link.run());
        link.flights
    };
    assert_eq!(flights(kept.client()), 2);
    assert_eq!(
        flights(with(kept.client(), |own| own.known_offer = None)),
        4
    );
    assert_eq!(flights(with(kept.client(), |own| own.token = None)), 6);
    assert_eq!(flights(with(kept.client(), |own| own.bind = None)), 6);
    let sasl = client::Settings {
        sasl2: None,
        ..client_settings()
    };
    assert_eq!(flights(sasl), 12);
}

#[test]
fn works_with_servers_and_clients_without_it() {
    for (client, server) in [
        (sasl2_client(), server_settings()),
        (client_settings(), sasl2_server()),
    ] {
        let story = Link::new(client, server, Tls::Required).run();
        assert_bound(&story);
        assert_eq!(story.mechanism, Some(Mechanism::ScramSha512Plus));
        assert_eq!((story.bind2, story.token), (None, None));
    }
    // Without TLS there is none.
    let story = Link::new(sasl2_client(), sasl2_server(), Tls::PlainAllowed).run();
    assert_bound(&story);
    assert_eq!(story.bind2, None);
}

#[test]
fn every_mechanism_works_in_sasl2_however_bytes_are_cut() {
    for mechanism in Mechanism::ALL {
        for cut in [|| Cut::Never, || Cut::Everywhere] {
            for tls in [Tls::Required, Tls::Started(binding())] {
                let (client, server) = only(mechanism);
                let client = client::Settings {
                    sasl2: Some(wishes()),
                    ..client
                };
                let server = server::Settings {
                    sasl2: sasl2_server().sasl2,
                    ..server
                };
                let story = Link::new(client, server, tls).cut(cut).run();
                assert_bound(&story);
                assert_eq!(story.mechanism, Some(mechanism));
                assert!(story.bind2.is_some() && story.token.is_some());
            }
        }
    }
}

/// An account from before SHA-512, as others export it.
#[test]
fn accounts_get_the_keys_that_they_lack() {
    let old = credentials().for_hash(Hash::Sha1).cloned();
    let server = server::Settings {
        mechanisms: vec![Mechanism::ScramSha1Plus, Mechanism::ScramSha1],
        ..sasl2_server()
    };
    for cut in [|| Cut::Never, || Cut::Everywhere] {
        let mut link = Link::new(sasl2_client(), server.clone(), Tls::Required).cut(cut);
        link.account = Account::Active(Credentials::new(old.clone()));
        let story = link.run();
        assert_bound(&story);
        assert_eq!(story.upgraded, [Hash::Sha512]);
        assert!(story.token.is_some() && story.enabled.is_some());
        // The new keys are of the same password; and once is enough.
        let (client, strong) = only(Mechanism::ScramSha512Plus);
        let strong = server::Settings {
            sasl2: sasl2_server().sasl2,
            ..strong
        };
        let client = client::Settings {
            sasl2: Some(wishes()),
            ..client
        };
        let mut again = Link::new(client, strong, Tls::Required);
        again.account = link.account.clone();
        let story = again.run();
        assert_bound(&story);
        assert_eq!(story.upgraded, []);
    }
    // Not where somebody could be between.
    let tls = Tls::Started(TlsBinding::default());
    let mut link = Link::new(sasl2_client(), server, tls);
    link.account = Account::Active(Credentials::new(old));
    let story = link.run();
    assert_bound(&story);
    assert_eq!(story.upgraded, []);
}

/// XEP-0440 and XEP-0474 hold in this profile too.
#[test]
fn a_changed_offer_of_sasl2_is_found_out() {
    let run = |meddle: fn(String) -> String| {
        Link::new(sasl2_client(), sasl2_server(), Tls::Required)
            .meddle(meddle)
            .run()
    };
    let downgraded = Some(NegotiationError::Sasl(SaslError::Downgraded));
    for meddle in [
        (|text| text.replace("<mechanism>SCRAM-SHA-512-PLUS</mechanism>", "")) as fn(String) -> _,
        |text| text.replace("<channel-binding type='tls-exporter'/>", ""),
        |text| super::without_plus(text),
        // Rule 4, which is stricter than in SASL.
        |text| super::without_list(text),
    ] {
        assert_eq!(run(meddle).client_error(), downgraded.as_ref());
    }
    // Without SASL2, what is left protects itself.
    let story = run(|text| super::without(&text, "<authentication", "</authentication>"));
    assert_bound(&story);
    assert_eq!(story.bind2, None);
}

/// All of it, cut in two at every byte.
#[test]
fn a_stream_with_sasl2_may_be_cut_at_every_byte() {
    let (_, kept) = first();
    let settings = || client::Settings {
        resume: Some(Resume {
            previd: "gone".into(),
            h: 3,
        }),
        ..kept.client()
    };
    let mut whole = kept.link(settings());
    let expected = whole.run();
    assert_bound(&expected);
    for at in 1..whole.carried() {
        assert_eq!(
            kept.link(settings()).cut_at(at).run(),
            expected,
            "cut at {at}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whoever comes back, with whatever it knows, in whatever pieces, is bound or resumed; by one flight each way
    /// where all is known and nothing is cut.
    #[test]
    fn coming_back_ends_well(
        by_token in any::<bool>(),
        ahead in any::<bool>(),
        binds in any::<bool>(),
        resumes in any::<bool>(),
        is_there in any::<bool>(),
        at in prop::option::of(1usize..4000),
    ) {
        let (_, kept) = first();
        let mut client = kept.client();
        for own in client.sasl2.iter_mut() {
            own.token = own.token.take().filter(|_| by_token);
            own.known_offer = own.known_offer.take().filter(|_| ahead);
            own.bind = own.bind.take().filter(|_| binds);
        }
        client.resume = resumes.then(|| Resume { previd: "old".into(), h: 3 });
        let mut link = kept.link(client);
        link.session = is_there.then_some(("old", 5));
        if let Some(at) = at {
            link = link.cut_at(at);
        }
        let story = link.run();
        prop_assert_eq!(story.resumed.is_some(), resumes && is_there);
        prop_assert_eq!(story.client_bound.is_some(), story.resumed.is_none());
        prop_assert_eq!(&story.client_bound, &story.server_bound);
        prop_assert_eq!((&story.client_end, &story.server_end), (&None, &None));
        let is_whole = by_token && ahead && at.is_none() && (binds || story.resumed.is_some());
        prop_assert!(!is_whole || link.flights == 2);
    }

    /// A log-in with one byte changed on its way to the client ends well or badly, but it ends.
    #[test]
    fn a_changed_byte_of_sasl2_confuses_nobody(at in 0usize..3000, byte in 0x20u8..0x7f) {
        let mut left = Some(at);
        let story = Link::new(sasl2_client(), sasl2_server(), Tls::Started(binding()))
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
        if let Some(ours) = &story.client_bound {
            let account = ours.bare();
            prop_assert_eq!(account.as_str(), "alice@example.org");
        }
    }
}
