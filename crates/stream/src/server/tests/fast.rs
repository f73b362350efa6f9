//! XEP-0484 by its sections and their examples, and tokens that are not good.

use super::rig::{HEADER, Rig, binding};
use super::sasl2::{AGENT, failure, plain, sasl2_settings, start};
use crate::StreamCondition;
use crate::sasl::{
    ClientExchange, Failure, HashedTokenClient, KnownTokens, TlsBinding, Tokens, base64,
};
use crate::server::Tls;

const EXPORTER: [u8; 32] = [7; 32];

fn request(mechanism: &str) -> String {
    format!("<request-token xmlns='urn:xmpp:fast:0' mechanism='{mechanism}'/>")
}

/// Attributes of `<token/>` in what was sent.
fn token_in(sent: &str) -> Option<(String, String)> {
    let (_, rest) = sent.split_once("<token xmlns='urn:xmpp:fast:0' expiry='")?;
    let (expiry, rest) = rest.split_once("' token='")?;
    let (token, _) = rest.split_once("'/></success>")?;
    Some((expiry.to_owned(), token.to_owned()))
}

/// A server whose store has a token for `HT-SHA-256-EXPR`, and that token.
fn issued() -> (Rig, String) {
    let mut rig = start();
    let sent = rig.types(&plain(&format!("{AGENT}{}", request("HT-SHA-256-EXPR"))));
    let (_, token) = token_in(&sent).unwrap();
    let mut next = start();
    next.tokens = rig.tokens;
    (next, token)
}

struct Attempt<'a> {
    mechanism: &'a str,
    user: &'a str,
    token: &'a str,
    binding: &'a [u8],
    inside: String,
}

fn attempt(token: &str) -> Attempt<'_> {
    Attempt {
        mechanism: "HT-SHA-256-EXPR",
        user: "alice",
        token,
        binding: &EXPORTER,
        inside: format!("{AGENT}<fast xmlns='urn:xmpp:fast:0' count='1'/>"),
    }
}

impl Attempt<'_> {
    fn xml(&self) -> String {
        let (user, token) = (self.user.to_owned(), self.token.to_owned());
        let mut client = HashedTokenClient::new(user, token, self.binding.to_vec());
        let initial = base64::encode(&client.start());
        format!(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{}'>\
             <initial-response>{initial}</initial-response>{}</authenticate>",
            self.mechanism, self.inside
        )
    }
}

fn fast(attributes: &str) -> String {
    format!("{AGENT}<fast xmlns='urn:xmpp:fast:0' {attributes}/>")
}

/// §3.2 and §3.3.
#[test]
fn a_token_is_given_to_who_asks_and_logs_in() {
    let mut rig = start();
    let sent = rig.types(&plain(&format!("{AGENT}{}", request("HT-SHA-256-ENDP"))));
    let (expiry, token) = token_in(&sent).unwrap();
    assert_eq!((&*expiry, token.len()), ("1970-02-02T13:46:40Z", 43));
    let record = rig.tokens.newest.clone().unwrap();
    assert_eq!(record.mechanism.name(), "HT-SHA-256-ENDP");
    assert_eq!(rig.tokens.current, None);
    assert_eq!(rig.devices[0].account, "alice@example.org");
    assert_eq!(
        rig.devices[0].user_agent,
        "d4565fa7-4d72-4749-b3d3-740edbf87770"
    );
    // What is stored says nothing of it.
    assert!(!format!("{:?}", rig.tokens).contains(&token));
}

#[test]
fn no_token_is_given_where_none_can_be() {
    let none = |mut rig: Rig, xml: &str| {
        let sent = rig.types(xml);
        assert!(
            sent.starts_with("<success ") && token_in(&sent).is_none(),
            "{xml}: {sent}"
        );
        assert_eq!(rig.tokens, Tokens::default());
    };
    // For nobody in particular, for no such mechanism, and for what this TLS does not give.
    none(start(), &plain(&request("HT-SHA-256-NONE")));
    none(start(), &plain(&format!("{AGENT}{}", request("PLAIN"))));
    none(
        start(),
        &plain(&format!("{AGENT}{}", request("HT-SHA-256-UNIQ"))),
    );
    let mut rig = Rig::with(sasl2_settings(), Tls::Started(TlsBinding::default()));
    let sent = rig.types(HEADER);
    assert!(
        sent.contains(
            "<fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-NONE</mechanism></fast>"
        )
    );
    none(
        rig,
        &plain(&format!("{AGENT}{}", request("HT-SHA-256-EXPR"))),
    );
    // Where the store cannot say, or cannot store.
    let asked = plain(&format!("{AGENT}{}", request("HT-SHA-256-NONE")));
    let mut rig = start();
    rig.known = |_| KnownTokens::Unavailable;
    none(rig, &asked);
    let mut rig = start();
    rig.stores = false;
    none(rig, &asked);
    // A log-in that fails gets none.
    let mut rig = start();
    rig.types(&asked.replace("AGFsaWNlAHBlbmNpbA==", "AGFsaWNlAHBlbmNpbHM="));
    assert!(rig.devices.is_empty());
}

/// §3.4.
#[test]
fn a_token_logs_in_with_the_server_s_proof() {
    let (mut rig, token) = issued();
    let sent = rig.types(&attempt(&token).xml());
    let proof = crate::sasl::Hash::Sha256.hmac(token.as_bytes(), &[b"Responder", &EXPORTER]);
    let expected = format!(
        "<success xmlns='urn:xmpp:sasl:2'><additional-data>{}</additional-data>\
         <authorization-identifier>alice@example.org</authorization-identifier></success><stream:features>",
        base64::encode(proof.bytes())
    );
    assert!(sent.starts_with(&expected), "{sent}");
    let used = rig.tokens.current.clone().unwrap();
    assert_eq!((used.count, &rig.tokens.newest), (1, &None));
}

#[test]
fn tokens_that_are_not_good_are_refused() {
    use Failure::*;
    type Change = fn(&mut Attempt<'_>, &mut Rig);
    let table: [(Change, Failure); 17] = [
        (|attempt, _| attempt.token = "x", NotAuthorized),
        (|attempt, _| attempt.user = "bob", NotAuthorized),
        (|attempt, _| attempt.user = "a@b", NotAuthorized),
        (|attempt, _| attempt.user = "", MalformedRequest),
        (|attempt, _| attempt.binding = &[9; 32], NotAuthorized),
        (
            |attempt, _| attempt.mechanism = "HT-SHA-256-NONE",
            NotAuthorized,
        ),
        (
            |attempt, _| attempt.mechanism = "HT-SHA-256-ENDP",
            NotAuthorized,
        ),
        (
            |attempt, _| attempt.mechanism = "HT-SHA-256-UNIQ",
            InvalidMechanism,
        ),
        (
            |attempt, _| attempt.inside = fast("count='0'"),
            NotAuthorized,
        ),
        (
            |attempt, _| attempt.inside = fast("count='-1'"),
            MalformedRequest,
        ),
        (
            |attempt, _| attempt.inside = fast("count='4294967296'"),
            MalformedRequest,
        ),
        // Without saying which client it is, or that it is a token.
        (
            |attempt, _| attempt.inside = "<fast xmlns='urn:xmpp:fast:0'/>".into(),
            MalformedRequest,
        ),
        (|attempt, _| attempt.inside = AGENT.into(), MalformedRequest),
        (
            |attempt, _| attempt.inside = fast("").replace("87770", "87771"),
            NotAuthorized,
        ),
        (
            |_, rig| rig.now_secs += crate::sasl::TOKEN_SECS,
            CredentialsExpired,
        ),
        (|_, rig| rig.known = KnownTokens::Disabled, AccountDisabled),
        (
            |_, rig| rig.known = KnownTokens::Expired,
            CredentialsExpired,
        ),
    ];
    for (number, (change, reason)) in table.into_iter().enumerate() {
        let (mut rig, token) = issued();
        let before = rig.tokens.clone();
        let mut attempt = attempt(&token);
        change(&mut attempt, &mut rig);
        let sent = rig.types(&attempt.xml());
        assert_eq!(sent, failure(reason), "{number}");
        assert_eq!((&rig.tokens, &rig.authenticated), (&before, &None));
        rig.known = KnownTokens::Active;
        assert!(
            rig.types(&plain("")).starts_with("<success "),
            "{number}: the password's turn"
        );
    }
}

/// Who has no token learns nothing of the account.
#[test]
fn only_who_has_a_token_learns_of_its_account() {
    let knowns: [fn(Tokens) -> KnownTokens; 2] = [KnownTokens::Disabled, KnownTokens::Expired];
    for known in knowns {
        let (mut rig, _) = issued();
        rig.known = known;
        assert_eq!(
            rig.types(&attempt("x").xml()),
            failure(Failure::NotAuthorized)
        );
    }
    let (mut rig, token) = issued();
    rig.known = |_| KnownTokens::Unavailable;
    let sent = rig.types(&attempt(&token).xml());
    assert_eq!(sent, failure(Failure::TemporaryAuthFailure));
}

#[test]
fn a_count_that_was_used_is_used_up() {
    let (mut rig, token) = issued();
    assert!(rig.types(&attempt(&token).xml()).starts_with("<success "));
    let tokens = rig.tokens.clone();
    for (count, good) in [(0, false), (1, false), (2, true)] {
        let mut rig = start();
        rig.tokens = tokens.clone();
        let mut attempt = attempt(&token);
        attempt.inside = fast(&format!("count='{count}'"));
        let sent = rig.types(&attempt.xml());
        assert_eq!(sent.starts_with("<success "), good, "{count}: {sent}");
    }
    // If it cannot be kept that it was used, it was not.
    let (mut rig, token) = issued();
    rig.stores = false;
    let sent = rig.types(&attempt(&token).xml());
    assert_eq!(sent, failure(Failure::TemporaryAuthFailure));
    assert_eq!(rig.authenticated, None);
}

/// §3.5; and the token before stays good.
#[test]
fn a_token_is_replaced_when_it_ends_soon() {
    let (mut rig, token) = issued();
    rig.now_secs += crate::sasl::TOKEN_SECS - crate::sasl::TOKEN_ROTATE_SECS - 1;
    let sent = rig.types(&attempt(&token).xml());
    assert_eq!(token_in(&sent), None, "not yet");
    let (mut rig, token) = issued();
    rig.now_secs += crate::sasl::TOKEN_SECS - crate::sasl::TOKEN_ROTATE_SECS;
    let sent = rig.types(&attempt(&token).xml());
    let (_, fresh) = token_in(&sent).unwrap();
    assert_ne!(fresh, token);
    assert!(rig.tokens.current.is_some() && rig.tokens.newest.is_some());
}

/// §3.6: no other in its place, unless it is asked for.
#[test]
fn a_token_is_ended_by_its_client() {
    for (more, given) in [(String::new(), false), (request("HT-SHA-256-EXPR"), true)] {
        let (mut rig, token) = issued();
        rig.now_secs += crate::sasl::TOKEN_SECS - 1;
        let mut attempt = attempt(&token);
        attempt.inside = format!("{}{more}", fast("count='123' invalidate='true'"));
        let sent = rig.types(&attempt.xml());
        assert!(sent.starts_with("<success "), "{sent}");
        assert_eq!(token_in(&sent).is_some(), given);
        assert_eq!(rig.tokens.current, None);
        assert_eq!(rig.tokens.newest.is_some(), given);
    }
    // Before it is proven, it is not ended.
    let (mut rig, _) = issued();
    let mut wrong = attempt("x");
    wrong.inside = fast("invalidate='1'");
    rig.types(&wrong.xml());
    assert!(rig.tokens.newest.is_some());
}

#[test]
fn who_says_another_name_in_its_header_is_refused() {
    let (rig, token) = issued();
    let header = HEADER.replace("to=", "from='bob@example.org' to=");
    let mut other = Rig::with(sasl2_settings(), Tls::Started(binding()));
    other.tokens = rig.tokens;
    other.types(&header);
    let sent = other.types(&attempt(&token).xml());
    assert_eq!(sent, failure(Failure::InvalidAuthzid));
}

/// All that SASL does not know of.
#[test]
fn tokens_are_nothing_for_sasl() {
    let (mut rig, token) = issued();
    let xml = attempt(&token).xml();
    let initial = xml.split_once("<initial-response>").unwrap().1;
    let initial = initial.split_once('<').unwrap().0;
    let sent = rig.types(&format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='HT-SHA-256-EXPR'>{initial}</auth>"
    ));
    assert!(sent.contains("<invalid-mechanism/>"), "{sent}");
}

/// While the store is asked nothing is lost; and nobody is asked twice.
#[test]
fn questions_about_tokens_hold_what_follows() {
    let (mut rig, token) = issued();
    rig.silent = true;
    let mut attempt = attempt(&token);
    attempt.inside.push_str("<bind xmlns='urn:xmpp:bind:0'/>");
    assert_eq!(rig.types(&format!("{}<presence/>", attempt.xml())), "");
    assert!(rig.negotiation.awaits_answer());
    // Answers to what was not asked change nothing.
    rig.negotiation.tokens_stored(true);
    rig.negotiation.upgrade_stored(true);
    rig.negotiation.provide_bind2(None);
    assert_eq!(rig.drains(), "");
    rig.silent = false;
    let known = KnownTokens::Active(rig.tokens.clone());
    rig.negotiation.provide_tokens(known, rig.now_secs);
    let sent = rig.drains();
    assert!(sent.contains("<bound ") && rig.bound.is_some(), "{sent}");
    assert_eq!(rig.elements.len(), 1);
    let mut rig = Rig::with(sasl2_settings(), Tls::Started(binding()));
    rig.types(HEADER);
    rig.types("<fast xmlns='urn:xmpp:fast:0'/>");
    assert_eq!(
        rig.condition(),
        Some(StreamCondition::UnsupportedStanzaType)
    );
}
