//! Tokens, from either side: good ones, and others.

use super::assert_bound;
use super::link::{Link, NOW_SECS, binding};
use super::sasl2::{Kept, first, sasl2_client, sasl2_server, with};
use crate::client::{FastToken, NegotiationError};
use crate::sasl::{
    Failure, Mechanism, SaslError, TOKEN_ROTATE_SECS, TlsBinding, TokenPolicy, Tokens,
};
use crate::server::{self, Tls};

#[test]
fn every_kind_of_token_works() {
    let mut end_point = binding();
    end_point.tls_exporter = None;
    for (binding, mechanism) in [
        (binding(), Mechanism::HtSha256Expr),
        (end_point, Mechanism::HtSha256Endp),
        (TlsBinding::default(), Mechanism::HtSha256None),
    ] {
        let tls = Tls::Started(binding);
        let mut link = Link::new(sasl2_client(), sasl2_server(), tls.clone());
        let story = link.run();
        let kept = Kept {
            token: story.token.unwrap(),
            offer: story.offer.unwrap(),
            tokens: link.tokens.clone(),
        };
        assert_eq!(kept.token.mechanism, mechanism);
        let mut link = Link::new(kept.client(), sasl2_server(), tls);
        link.tokens = kept.tokens;
        let story = link.run();
        assert_bound(&story);
        assert_eq!((story.mechanism, link.flights), (Some(mechanism), 2));
    }
}

/// Whatever is wrong with a token, the password is tried in the same stream, and gets a new one.
#[test]
fn a_token_that_is_refused_is_followed_by_the_password() {
    let (_, kept) = first();
    let replayed = with(kept.client(), |own| {
        own.token.iter_mut().for_each(|token| token.count = 0);
    });
    let foreign = with(kept.client(), |own| {
        own.token
            .iter_mut()
            .for_each(|token| token.token.0.push('x'));
    });
    let waiting = with(kept.client(), |own| {
        own.token.iter_mut().for_each(|token| token.count = 0);
        own.known_offer = None;
    });
    for client in [replayed, foreign, waiting] {
        let story = kept.link(client).run();
        assert_bound(&story);
        assert_eq!(story.token_refused, Some(Failure::NotAuthorized));
        assert_eq!(story.login_failures, [Failure::NotAuthorized]);
        assert_eq!(story.mechanism, Some(Mechanism::ScramSha512Plus));
        assert!(story.token.is_some());
    }
    let mut late = kept.clone();
    for record in late.tokens.newest.iter_mut() {
        record.expires_secs = NOW_SECS;
    }
    let story = late.link(kept.client()).run();
    // What is stored is part of the token: changed, it is another.
    assert_eq!(story.token_refused, Some(Failure::NotAuthorized));
    assert_bound(&story);
}

#[test]
fn another_tls_connection_is_found_out_by_token() {
    let (_, kept) = first();
    let mut elsewhere = binding();
    elsewhere.tls_exporter = Some([9; 32]);
    let mut link = Link::new(kept.client(), sasl2_server(), Tls::Required);
    link.tokens = kept.tokens.clone();
    link.client_binding = elsewhere;
    let story = link.run();
    assert_eq!(story.token_refused, Some(Failure::NotAuthorized));
    assert_eq!(story.client_bound, None);
}

#[test]
fn a_server_that_cannot_prove_the_token_is_left() {
    let (_, kept) = first();
    let story = kept
        .link(kept.client())
        .meddle(|text| text.replace("<additional-data>", "<additional-data>AAAA"))
        .run();
    assert!(!story.client_authenticated);
    let unproven = NegotiationError::Sasl(SaslError::ServerUnproven);
    assert_eq!(story.client_error(), Some(&unproven));
}

/// The server offers something else by now: nothing is lost but a round trip.
#[test]
fn what_was_sent_ahead_for_another_offer_is_sent_again() {
    let (_, kept) = first();
    let server = server::Settings {
        mechanisms: vec![Mechanism::ScramSha512, Mechanism::ScramSha512Plus],
        ..sasl2_server()
    };
    let mut link = kept.link_to(kept.client(), server);
    let story = link.run();
    assert_bound(&story);
    assert_eq!(link.flights, 4);
    assert_eq!(story.login_failures, [], "without prejudice");
    assert_eq!(story.token_refused, None);
    assert_eq!(story.mechanism, Some(Mechanism::HtSha256Expr));
    assert!(story.offer.is_some_and(|offer| offer != kept.offer));
}

#[test]
fn tokens_are_replaced_before_they_end() {
    let mut server = sasl2_server();
    for sasl2 in server.sasl2.iter_mut() {
        sasl2.tokens = Some(TokenPolicy {
            token_secs: TOKEN_ROTATE_SECS,
            ..TokenPolicy::default()
        });
    }
    let mut link = Link::new(sasl2_client(), server.clone(), Tls::Started(binding()));
    let story = link.run();
    let kept = Kept {
        token: story.token.unwrap(),
        offer: story.offer.unwrap(),
        tokens: link.tokens.clone(),
    };
    let mut link = kept.link_to(kept.client(), server.clone());
    let story = link.run();
    let fresh = story.token.clone().unwrap();
    assert_bound(&story);
    assert_ne!(fresh.token, kept.token.token);
    // The answer may have been lost: the former is good until the new one is used.
    let again = Kept {
        token: FastToken {
            count: 1,
            ..kept.token.clone()
        },
        tokens: link.tokens.clone(),
        ..kept.clone()
    };
    let mut link = again.link_to(again.client(), server.clone());
    let story = link.run();
    assert_eq!(story.mechanism, Some(Mechanism::HtSha256Expr));
    let next = Kept {
        token: story.token.unwrap(),
        tokens: link.tokens.clone(),
        ..kept.clone()
    };
    let mut link = next.link_to(next.client(), server.clone());
    assert_eq!(link.run().token_refused, None);
    let late = Kept {
        token: FastToken {
            count: 7,
            ..kept.token
        },
        tokens: link.tokens.clone(),
        ..kept
    };
    let story = late.link_to(late.client(), server).run();
    assert_eq!(
        story.token_refused,
        Some(Failure::NotAuthorized),
        "then not any more"
    );
}

#[test]
fn who_logs_out_leaves_no_token() {
    let (_, kept) = first();
    let client = with(kept.client(), |own| {
        own.token
            .iter_mut()
            .for_each(|token| token.invalidate = true);
    });
    let mut link = kept.link(client);
    let story = link.run();
    assert_bound(&story);
    assert_eq!((story.token, &link.tokens), (None, &Tokens::default()));
}
