//! SASL2 with servers that type XML.

use waxwing_stanza::payload::Secret;
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0388_sasl2::UserAgent;

use super::rig::{HEADER, Rig, binding, bindings, features, settings};
use super::*;
use crate::sasl::{Hash, Mechanism, SaslError, base64};
use crate::sm::Resume;

const CSI: &str = "urn:xmpp:csi:0";
const ID: &str = "d4565fa7-4d72-4749-b3d3-740edbf87770";
const INLINE: &str = "<inline><bind xmlns='urn:xmpp:bind:0'><inline><feature var='urn:xmpp:sm:3'/>\
    <feature var='urn:xmpp:csi:0'/></inline></bind><sm xmlns='urn:xmpp:sm:3'/>\
    <fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-NONE</mechanism>\
    <mechanism>HT-SHA-256-EXPR</mechanism></fast></inline>";
const VERSION: &str = "<config-version xmlns='urn:xmpp:iap:0' value='v1'/>";
const BOUND: &str = "<bound xmlns='urn:xmpp:bind:0'/>";

fn sasl2() -> Sasl2 {
    let agent = UserAgent {
        id: Some(ID.to_owned()),
        software: None,
        device: None,
    };
    Sasl2 {
        bind: Some(Bind2 {
            tag: Some("Test".to_owned()),
            features: vec![Element::new(CSI, "inactive"), Element::new("urn:x", "x")],
        }),
        ..Sasl2::new(agent)
    }
}

fn token() -> FastToken {
    FastToken {
        mechanism: Mechanism::HtSha256None,
        token: Secret("opensesame".to_owned()),
        expiry: DateTime::from_unix_micros(0),
        count: 7,
        invalidate: false,
    }
}

fn wanting(change: impl Fn(&mut Sasl2)) -> Settings {
    let mut sasl2 = sasl2();
    change(&mut sasl2);
    Settings {
        sasl2: Some(sasl2),
        ..settings()
    }
}

fn authentication(names: &[&str], inside: &str) -> String {
    let list: String = names
        .iter()
        .map(|name| format!("<mechanism>{name}</mechanism>"))
        .collect();
    format!("<authentication xmlns='urn:xmpp:sasl:2'>{list}{inside}</authentication>")
}

/// At the server's features, which offer PLAIN and whatever goes with it; what it said.
fn begun(settings: Settings, inside: &str) -> (Rig, String) {
    let mut rig = Rig::new(settings, Tls::Started(binding()));
    let offer = authentication(&["PLAIN"], inside);
    let sent = rig.types(&format!(
        "{HEADER}{}",
        features(&format!("{offer}{VERSION}"))
    ));
    (rig, sent)
}

fn success(id: &str, inside: &str) -> String {
    format!(
        "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>{id}</authorization-identifier>\
         {inside}</success>"
    )
}

#[test]
fn asks_for_what_is_wanted_and_offered() {
    let resume = Resume {
        previd: "old".into(),
        h: 3,
    };
    let all = Settings {
        resume: Some(resume),
        ..wanting(|_| ())
    };
    let (rig, sent) = begun(all.clone(), INLINE);
    let expected = format!(
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>\
         <initial-response>AGFsaWNlAHBlbmNpbA==</initial-response><user-agent id='{ID}'/>\
         <resume xmlns='urn:xmpp:sm:3' h='3' previd='old'/><bind xmlns='urn:xmpp:bind:0'><tag>Test</tag>\
         <enable xmlns='urn:xmpp:sm:3' resume='true'/><inactive xmlns='urn:xmpp:csi:0'/></bind>\
         <request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-EXPR'/></authenticate>"
    );
    assert_eq!(sent, expected);
    assert_eq!(rig.offers[0].version, "v1");
    let (_, sent) = begun(all, "");
    let expected = format!(
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>\
         <initial-response>AGFsaWNlAHBlbmNpbA==</initial-response><user-agent id='{ID}'/></authenticate>"
    );
    assert_eq!(sent, expected);
    // A token needs to know whose it is.
    let nameless = wanting(|own| {
        own.user_agent.id = None;
        own.token = Some(token());
    });
    let (_, sent) = begun(nameless, INLINE);
    assert!(
        sent.contains("'PLAIN'") && !sent.contains("request-token"),
        "{sent}"
    );
}

#[test]
fn takes_what_is_granted() {
    let (mut rig, _) = begun(wanting(|_| ()), INLINE);
    let inside = "<bound xmlns='urn:xmpp:bind:0'><metadata xmlns='urn:xmpp:mam:2'/>\
        <enabled xmlns='urn:xmpp:sm:3' id='s' resume='1'/></bound>\
        <token xmlns='urn:xmpp:fast:0' expiry='2020-03-12T14:36:15Z' token='new'/>";
    rig.types(&success("alice@example.org/x", inside));
    assert!(
        rig.authenticated && rig.bound.is_none(),
        "the features come next"
    );
    let sent = rig.types(&features("<sm xmlns='urn:xmpp:sm:3'/>"));
    assert_eq!(sent, "", "nothing is left to be asked for");
    let (jid, enabled) = rig.bound.clone().unwrap();
    assert_eq!(jid.as_str(), "alice@example.org/x");
    assert_eq!(enabled.unwrap().id.as_deref(), Some("s"));
    assert_eq!(rig.inline, ["metadata"]);
    let given = &rig.tokens[0];
    assert_eq!((given.mechanism, given.count), (Mechanism::HtSha256Expr, 0));
    assert_eq!(given.token, Secret("new".to_owned()));
    // What was refused is done without.
    let (mut rig, _) = begun(wanting(|_| ()), INLINE);
    let failed = "<bound xmlns='urn:xmpp:bind:0'><failed xmlns='urn:xmpp:sm:3'/></bound>";
    rig.types(&success("alice@example.org/x", failed));
    rig.types(&features("<sm xmlns='urn:xmpp:sm:3'/>"));
    assert_eq!(rig.bound.map(|(_, enabled)| enabled), Some(None));
    // And what was passed over is asked for as ever.
    let (mut rig, _) = begun(wanting(|_| ()), INLINE);
    rig.types(&success("alice@example.org", ""));
    let sent = rig.types(&features(
        "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>",
    ));
    assert!(sent.contains("<iq type='set' id='bind'>"), "{sent}");
}

#[test]
fn leaves_servers_that_say_what_cannot_be() {
    let resumed = "<resumed xmlns='urn:xmpp:sm:3' h='1' previd='other'/>";
    for (id, inside) in [
        ("", ""),
        ("bob@example.org", ""),
        ("alice@example.org", BOUND),
        ("alice@example.org/x", resumed),
        ("alice@example.org/x", "<resumed xmlns='urn:xmpp:sm:3'/>"),
        (
            "alice@example.org/x",
            "<token xmlns='urn:xmpp:fast:0' token='x'/>",
        ),
    ] {
        let (mut rig, _) = begun(wanting(|_| ()), INLINE);
        rig.types(&success(id, inside));
        assert_eq!(
            rig.complaint(),
            StreamCondition::InvalidXml,
            "{id} {inside}"
        );
        assert!(!rig.authenticated && rig.bound.is_none() && rig.tokens.is_empty());
    }
    let (mut rig, _) = begun(wanting(|_| ()), INLINE);
    rig.types("<success xmlns='urn:xmpp:sasl:2'/>");
    assert_eq!(rig.complaint(), StreamCondition::InvalidXml);
    let (mut rig, _) = begun(wanting(|_| ()), INLINE);
    rig.types(&success("alice@example.org/x", BOUND));
    rig.types(&success("alice@example.org/x", BOUND));
    assert_eq!(
        rig.error(),
        None,
        "it is a stanza like any other, after binding"
    );
    assert_eq!(rig.elements, 1);
    for wrong in [
        "<challenge xmlns='urn:xmpp:sasl:2'>%</challenge>",
        "<challenge xmlns='urn:xmpp:sasl:2'/>",
        "<task-data xmlns='urn:xmpp:sasl:2'/>",
    ] {
        let (mut rig, _) = begun(wanting(|_| ()), INLINE);
        let sent = rig.types(wrong);
        assert_eq!(
            sent, "<abort xmlns='urn:xmpp:sasl:2'/></stream:stream>",
            "{wrong}"
        );
        let malformed = NegotiationError::Sasl(SaslError::Malformed);
        assert_eq!(rig.error(), Some(&malformed), "{wrong}");
    }
    let (mut rig, _) = begun(wanting(|_| ()), INLINE);
    rig.types("<message/>");
    assert_eq!(rig.complaint(), StreamCondition::UnsupportedStanzaType);
}

#[test]
fn a_success_without_proof_is_none_in_sasl2() {
    let offer = authentication(&["SCRAM-SHA-256"], "");
    let proofs = ["", "<additional-data>dj1BQUFB</additional-data>"];
    for (name, proof) in [
        ("success", proofs[0]),
        ("success", proofs[1]),
        ("continue", proofs[0]),
    ] {
        let mut rig = Rig::new(wanting(|_| ()), Tls::Started(binding()));
        rig.types(&format!("{HEADER}{}", features(&offer)));
        rig.types(&format!(
            "<{name} xmlns='urn:xmpp:sasl:2'>{proof}\
             <authorization-identifier>alice@example.org</authorization-identifier></{name}>"
        ));
        let unproven = NegotiationError::Sasl(SaslError::ServerUnproven);
        assert_eq!(rig.error(), Some(&unproven), "{name} {proof}");
        assert!(!rig.authenticated);
    }
    let (mut rig, sent) = begun(wanting(|own| own.token = Some(token())), INLINE);
    assert!(
        sent.contains("<fast xmlns='urn:xmpp:fast:0' count='7'/>"),
        "{sent}"
    );
    rig.types(&success("alice@example.org/x", BOUND));
    let unproven = NegotiationError::Sasl(SaslError::ServerUnproven);
    assert_eq!(rig.error(), Some(&unproven));
}

/// XEP-0440, rule 4 with SASL2: the kinds were taken out.
#[test]
fn bindings_without_their_list_are_an_attack() {
    let offer = authentication(&["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"], "");
    let list = bindings(&["tls-exporter", "tls-server-end-point"]);
    for (list, good) in [(list, true), (String::new(), false)] {
        let mut rig = Rig::new(wanting(|_| ()), Tls::Started(binding()));
        rig.types(&format!("{HEADER}{}", features(&format!("{list}{offer}"))));
        let downgraded = NegotiationError::Sasl(SaslError::Downgraded);
        assert_eq!(rig.error(), Some(&downgraded).filter(|_| !good));
    }
}

#[test]
fn only_tasks_that_were_asked_for_are_done() {
    let upgrade = "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade>";
    let task = |name: &str| {
        format!("<continue xmlns='urn:xmpp:sasl:2'><tasks><task>{name}</task></tasks></continue>")
    };
    // By PLAIN none is asked for: whoever is between could read the keys.
    let (mut rig, sent) = begun(wanting(|_| ()), upgrade);
    assert!(!sent.contains("UPGR"), "{sent}");
    let sent = rig.types(&task("UPGR-SCRAM-SHA-512"));
    assert!(
        sent.starts_with("<abort xmlns='urn:xmpp:sasl:2'/><stream:error>"),
        "{sent}"
    );
    assert_eq!(rig.complaint(), StreamCondition::UnsupportedFeature);
}

/// As far as the salt: what a false server could make of it.
#[test]
fn the_salt_of_a_task_has_its_limits() {
    let data = |salt: &str| format!("<task-data xmlns='urn:xmpp:sasl:2'>{salt}</task-data>");
    let salt = |iterations: &str, salt: &str| {
        data(&format!(
            "<salt xmlns='urn:xmpp:scram-upgrade:0' iterations='{iterations}'>{salt}</salt>"
        ))
    };
    let long = base64::encode(&[1; 257]);
    let table = [
        (salt("0", "QUFB"), SaslError::IterationsTooFew(0)),
        (salt("11", "QUFB"), SaslError::IterationsTooMany(11)),
        (salt("x", "QUFB"), SaslError::Malformed),
        (salt("5", ""), SaslError::Malformed),
        (salt("5", "%"), SaslError::Malformed),
        (salt("5", &long), SaslError::Malformed),
        (data(""), SaslError::Malformed),
    ];
    for (xml, error) in table {
        let (mut rig, _) = begun(wanting(|_| ()), "");
        rig.negotiation.begin_task(Hash::Sha512);
        rig.types(&xml);
        assert_eq!(rig.error(), Some(&NegotiationError::Sasl(error)), "{xml}");
    }
    let (mut rig, _) = begun(wanting(|_| ()), "");
    rig.negotiation.begin_task(Hash::Sha512);
    let sent = rig.types(&salt("5", "QUFB"));
    assert!(
        sent.starts_with(
            "<task-data xmlns='urn:xmpp:sasl:2'><hash xmlns='urn:xmpp:scram-upgrade:0'>"
        )
    );
}

fn known() -> Settings {
    wanting(|own| {
        own.token = Some(token());
        let bytes = authentication(&["PLAIN"], INLINE);
        own.known_offer = Some(KnownOffer {
            version: "v1".to_owned(),
            authentication: Element::parse(bytes).unwrap(),
        });
    })
}

#[test]
fn what_is_known_is_sent_behind_the_header() {
    let rig = Rig::new(known(), Tls::Started(binding()));
    let (header, rest) = rig.sent.split_once("<authenticate ").unwrap();
    assert!(
        header.ends_with('>') && header.contains("from='alice@example.org'"),
        "{header}"
    );
    assert!(rest.contains("mechanism='HT-SHA-256-NONE'"), "{rest}");
    let version =
        "<config-version xmlns='urn:xmpp:iap:0' scheme='opaque' value='v1'/></authenticate>";
    assert!(rest.ends_with(version), "{rest}");
    // Not in the clear, and not without a token.
    for (settings, tls) in [
        (known(), Tls::Required),
        (known(), Tls::PlainAllowed),
        (
            wanting(|own| own.known_offer = known().sasl2.unwrap().known_offer),
            Tls::Started(binding()),
        ),
    ] {
        assert!(!Rig::new(settings, tls).sent.contains("authenticate"));
    }
}

#[test]
fn what_was_sent_ahead_ends_well_or_by_password() {
    let offer = features(&format!("{}{VERSION}", authentication(&["PLAIN"], INLINE)));
    let refused = "<failure xmlns='urn:xmpp:sasl:2'><credentials-expired \
        xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>";
    let outdated = "<failure xmlns='urn:xmpp:sasl:2'><aborted xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>\
        <config-version-mismatch xmlns='urn:xmpp:iap:0'/></failure>";
    let start = || Rig::new(known(), Tls::Started(binding()));
    let mut rig = start();
    let sent = rig.types(&format!("{HEADER}{offer}{refused}"));
    assert!(
        sent.contains("mechanism='PLAIN'") && sent.contains("request-token"),
        "{sent}"
    );
    assert_eq!(rig.refused, [Failure::CredentialsExpired]);
    assert!(rig.offers.is_empty(), "it was known");
    let mut rig = start();
    let sent = rig.types(&format!("{HEADER}{}{outdated}", offer.replace("v1", "v2")));
    assert!(
        sent.contains("mechanism='HT-SHA-256-NONE'") && !sent.contains("config-version"),
        "{sent}"
    );
    assert!(rig.refused.is_empty());
    assert_eq!(rig.offers[0].version, "v2");
    // Then the password, and no more.
    let sent = rig.types(refused);
    assert!(sent.contains("mechanism='PLAIN'"), "{sent}");
    rig.types(refused);
    let reason = Failure::CredentialsExpired;
    let error = NegotiationError::LoginRefused { reason, text: None };
    assert_eq!(rig.error(), Some(&error));
    // A server that answers before it says anything of itself.
    let mut rig = start();
    rig.types(&format!("{HEADER}{refused}"));
    assert_eq!(rig.error(), Some(&error));
    let mut rig = start();
    rig.types(&format!("{HEADER}{offer}{offer}"));
    assert_eq!(rig.complaint(), StreamCondition::UnsupportedStanzaType);
    // One that has no SASL2 any more ends the stream; nothing was told to it but a proof.
    let mut rig = start();
    let unknown = StreamError::from(StreamCondition::UnsupportedStanzaType);
    let unknown = String::from_utf8(unknown.to_bytes().to_vec()).unwrap();
    rig.types(&format!("{HEADER}{}{unknown}", features("")));
    assert!(matches!(rig.error(), Some(NegotiationError::Server(_))));
}

#[test]
fn nothing_secret_of_sasl2_is_printed() {
    let rig = Rig::new(known(), Tls::Started(binding()));
    let shown = format!("{:?} {:?}", rig.negotiation, Output::Token(token()));
    assert!(shown.contains("alice"), "{shown}");
    for secret in ["opensesame", "pencil"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
