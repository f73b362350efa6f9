//! XEP-0388 and XEP-0509 by their examples, and what goes wrong with them.

use waxwing_stanza::xep::xep_0280_carbons as carbons;

use super::rig::{AUTH, BIND, HEADER, Rig, STARTTLS, binding, settings};
use super::upgrade::{lacking, old_account};
use crate::StreamCondition;
use crate::sasl::{Failure, Mechanism, TokenKey, base64};
use crate::server::{Sasl2, Settings, Tls};
use crate::sm::SM;

pub(super) const CSI: &str = "urn:xmpp:csi:0";
pub(super) const AGENT: &str = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'>\
    <software>AwesomeXMPP</software><device>Kiva's Phone</device></user-agent>";
pub(super) const SUCCESS: &str = "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>alice@example.org\
    </authorization-identifier></success>";

pub(super) fn sasl2_settings() -> Settings {
    let vars = [carbons::NS, CSI, SM];
    let sasl2 = Sasl2 {
        bind_features: vars.map(str::to_owned).into(),
        upgrade_iterations: 10,
        ..Sasl2::new(TokenKey::new([9; 32]))
    };
    Settings {
        sasl2: Some(sasl2),
        ..settings()
    }
}

pub(super) fn start() -> Rig {
    start_with(sasl2_settings())
}

pub(super) fn start_with(settings: Settings) -> Rig {
    let mut rig = Rig::with(settings, Tls::Started(binding()));
    rig.types(HEADER);
    rig
}

/// A log-in by PLAIN, which is over at once, with something else asked for.
pub(super) fn plain(more: &str) -> String {
    format!(
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>\
         <initial-response>AGFsaWNlAHBlbmNpbA==</initial-response>{more}</authenticate>"
    )
}

fn scram() -> String {
    let initial = base64::encode(b"n,,n=alice,r=abc");
    format!(
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-1'>\
         <initial-response>{initial}</initial-response></authenticate>"
    )
}

pub(super) fn failure(reason: Failure) -> String {
    format!(
        "<failure xmlns='urn:xmpp:sasl:2'><{} xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>",
        reason.name()
    )
}

#[test]
fn is_offered_inside_tls_only_and_beside_sasl() {
    let mut rig = Rig::with(sasl2_settings(), Tls::Started(binding()));
    let sent = rig.types(HEADER);
    let names: String = Mechanism::ALL
        .map(|mechanism| format!("<mechanism>{}</mechanism>", mechanism.name()))
        .concat();
    let expected = format!(
        "<authentication xmlns='urn:xmpp:sasl:2'>{names}<inline>\
         <bind xmlns='urn:xmpp:bind:0'><inline><feature var='urn:xmpp:carbons:2'/>\
         <feature var='urn:xmpp:csi:0'/><feature var='urn:xmpp:sm:3'/></inline></bind>\
         <sm xmlns='urn:xmpp:sm:3'/><fast xmlns='urn:xmpp:fast:0'>\
         <mechanism>HT-SHA-256-EXPR</mechanism><mechanism>HT-SHA-256-ENDP</mechanism>\
         <mechanism>HT-SHA-256-NONE</mechanism></fast></inline>\
         <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade></authentication>"
    );
    assert!(sent.contains(&expected), "{sent}");
    assert!(sent.contains("<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"));
    let version = "<config-version xmlns='urn:xmpp:iap:0' scheme='opaque' value='";
    assert!(sent.contains(version), "{sent}");
    for tls in [Tls::Required, Tls::PlainAllowed] {
        let mut rig = Rig::with(sasl2_settings(), tls);
        assert!(!rig.types(HEADER).contains("urn:xmpp:sasl:2"));
        let expected = failure(Failure::EncryptionRequired);
        assert_eq!(rig.types(&plain("")), expected);
    }
    let mut rig = Rig::in_tls();
    rig.types(&plain(""));
    assert_eq!(
        rig.condition(),
        Some(StreamCondition::UnsupportedStanzaType)
    );
}

/// What cannot be offered is not: no mechanism, no SASL2; no features, no `<inline/>` in `<bind/>`.
#[test]
fn offers_no_more_than_there_is() {
    let none = Settings {
        mechanisms: Vec::new(),
        ..sasl2_settings()
    };
    let mut rig = Rig::with(none, Tls::Started(binding()));
    let sent = rig.types(HEADER);
    assert!(
        !sent.contains("authentication") && !sent.contains("config-version"),
        "{sent}"
    );
    let bare = Sasl2 {
        resume: false,
        tokens: None,
        upgrades: Vec::new(),
        ..Sasl2::new(TokenKey::new([9; 32]))
    };
    let bare = Settings {
        sasl2: Some(bare),
        ..settings()
    };
    let mut rig = Rig::with(bare, Tls::Started(binding()));
    let sent = rig.types(HEADER);
    assert!(
        sent.contains("<inline><bind xmlns='urn:xmpp:bind:0'/></inline></authentication>"),
        "{sent}"
    );
    // What is not offered is passed over.
    let asked = format!(
        "{AGENT}<resume xmlns='{SM}' h='1' previd='x'/>\
         <request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>\
         <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade>"
    );
    assert!(rig.types(&plain(&asked)).starts_with(SUCCESS));
}

/// §2.4: white space between the steps of a log-in ends the stream, behind one that is over at once it does not.
#[test]
fn no_white_space_comes_while_a_log_in_goes_on() {
    let mut rig = start();
    assert!(rig.types(&scram()).starts_with("<challenge"));
    let sent = rig.types("\n");
    assert_eq!(
        rig.condition(),
        Some(StreamCondition::PolicyViolation),
        "{sent}"
    );

    // The server knows only when it has the account that there is more to the exchange.
    let mut rig = start();
    rig.types(&format!("{} \n", scram()));
    assert_eq!(rig.condition(), Some(StreamCondition::PolicyViolation));

    let mut rig = start();
    let sent = rig.types(&format!("\n{}\n", plain("")));
    assert!(sent.starts_with(SUCCESS), "{sent}");
    rig.types("\n");
    assert!(rig.closed.is_none());

    let mut rig = start();
    rig.types(&scram());
    rig.types("<abort xmlns='urn:xmpp:sasl:2'/>\n");
    assert!(rig.closed.is_none());
}

/// XEP-0388, example 13: the features follow, and the stream goes on.
#[test]
fn a_log_in_without_more_is_followed_by_features() {
    let mut rig = start();
    let sent = rig.types(&plain(""));
    let bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
    assert_eq!(
        sent,
        format!("{SUCCESS}<stream:features>{bind}</stream:features>")
    );
    assert_eq!(rig.authenticated.as_deref(), Some("alice@example.org"));
    assert!(rig.types(BIND).contains("<jid>alice@example.org/"));
    assert!(rig.bound.is_some());
}

/// XEP-0388, examples 5 and 7: a challenge, a response, and the server's proof.
#[test]
fn an_exchange_goes_in_the_words_of_sasl2() {
    let mut rig = start();
    let sent = rig.types(&scram());
    let challenge = sent
        .strip_prefix("<challenge xmlns='urn:xmpp:sasl:2'>")
        .and_then(|rest| rest.strip_suffix("</challenge>"));
    let challenge = base64::decode(challenge.unwrap()).unwrap();
    assert!(challenge.starts_with(b"r=abc"));
    let wrong = "<response xmlns='urn:xmpp:sasl:2'> Yz1iaXdzLHI9YWJjLHA9QUFBQQ== </response>";
    assert_eq!(rig.types(wrong), failure(Failure::NotAuthorized));
    assert_eq!(
        rig.types("<response xmlns='urn:xmpp:sasl:2'/>"),
        failure(Failure::MalformedRequest)
    );
    // Without initial response the client is let speak.
    let silent = "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/>";
    assert_eq!(rig.types(silent), "<challenge xmlns='urn:xmpp:sasl:2'/>");
    let response = "<response xmlns='urn:xmpp:sasl:2'>AGFsaWNlAHBlbmNpbA==</response>";
    assert!(rig.types(response).starts_with(SUCCESS));
}

#[test]
fn refuses_what_is_wrong_with_its_condition() {
    use Failure::*;
    let initial = |text: &str| format!("<initial-response>{text}</initial-response>");
    let of = |mechanism: &str, inside: &str| {
        format!("<authenticate xmlns='urn:xmpp:sasl:2' {mechanism}>{inside}</authenticate>")
    };
    let scram = "mechanism='SCRAM-SHA-1'";
    let good = initial("AGFsaWNlAHBlbmNpbA==");
    let table = [
        (of("", &good), InvalidMechanism),
        (of("mechanism='X'", &good), InvalidMechanism),
        (of("mechanism='plain'", &good), InvalidMechanism),
        (of("mechanism='ANONYMOUS'", ""), InvalidMechanism),
        (of("mechanism='HT-SHA-256-UNIQ'", &good), InvalidMechanism),
        (of(scram, &initial("%%%")), IncorrectEncoding),
        (of(scram, &initial("=")), IncorrectEncoding),
        (of(scram, &initial("YQ")), IncorrectEncoding),
        (of(scram, &initial("")), MalformedRequest),
        (of(scram, &initial("Yg==")), MalformedRequest),
        (plain(&good), MalformedRequest),
        ("<abort xmlns='urn:xmpp:sasl:2'/>".to_owned(), Aborted),
        (
            "<response xmlns='urn:xmpp:sasl:2'/>".to_owned(),
            MalformedRequest,
        ),
        (
            "<next xmlns='urn:xmpp:sasl:2' task='X'/>".to_owned(),
            MalformedRequest,
        ),
        (
            "<task-data xmlns='urn:xmpp:sasl:2'/>".to_owned(),
            MalformedRequest,
        ),
    ];
    for (xml, reason) in table {
        assert_fails(&xml, reason);
    }
    let few = Settings {
        mechanisms: vec![Mechanism::ScramSha512],
        ..sasl2_settings()
    };
    assert_eq!(start_with(few).types(&plain("")), failure(MechanismTooWeak));
}

/// What came with the log-in is wrong, before anybody looks at the log-in.
#[test]
fn refuses_what_came_with_it_if_it_is_wrong() {
    use Failure::MalformedRequest;
    let twice = |element: &str| plain(&format!("{element}{element}"));
    let table = [
        (twice("<bind xmlns='urn:xmpp:bind:0'/>"), MalformedRequest),
        (twice(AGENT), MalformedRequest),
        (
            twice("<resume xmlns='urn:xmpp:sm:3' h='0' previd='x'/>"),
            MalformedRequest,
        ),
        (
            twice("<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"),
            MalformedRequest,
        ),
        (
            plain("<request-token xmlns='urn:xmpp:fast:0'/>"),
            MalformedRequest,
        ),
        (plain("<fast xmlns='urn:xmpp:fast:0'/>"), MalformedRequest),
        (
            plain("<user-agent id='../../etc/passwd'/>"),
            MalformedRequest,
        ),
        (plain("<user-agent id=''/>"), MalformedRequest),
        (
            plain(
                "<bind xmlns='urn:xmpp:bind:0'><active xmlns='urn:xmpp:csi:0'/>\
                 <inactive xmlns='urn:xmpp:csi:0'/></bind>",
            ),
            MalformedRequest,
        ),
    ];
    for (xml, reason) in table {
        assert_fails(&xml, reason);
    }
}

#[track_caller]
fn assert_fails(xml: &str, reason: Failure) {
    let mut rig = start();
    assert_eq!(rig.types(xml), failure(reason), "{xml}");
    assert_eq!(rig.failures, [reason]);
    // The stream lives on, and nothing of what came with it counts.
    assert!(rig.types(&plain("")).starts_with(SUCCESS), "{xml}");
    assert!(rig.bind2.is_empty() && rig.devices.is_empty());
}

#[test]
fn a_large_user_agent_is_cut_and_a_huge_one_no_stanza() {
    let agent = |length| {
        let text = "\u{E9}".repeat(length);
        format!("<user-agent><software>{text}</software><device>{text}</device></user-agent>")
    };
    let mut rig = start();
    rig.types(&plain(&agent(200)));
    let known = rig.negotiation.user_agent().cloned().unwrap();
    assert_eq!(known.software.map(|text| text.len()), Some(256));
    assert_eq!(known.device.map(|text| text.len()), Some(256));
    let mut rig = start();
    rig.types(&plain(&agent(9000)));
    assert_eq!(rig.condition(), Some(StreamCondition::PolicyViolation));
}

#[test]
fn nothing_else_is_said_while_a_log_in_goes_on() {
    let second = plain("");
    for other in [
        "<message/>",
        "<presence/>",
        STARTTLS,
        AUTH,
        BIND,
        "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
        "<iq type='get' id='r'><query xmlns='jabber:iq:register'/></iq>",
        &second,
    ] {
        let mut rig = start();
        rig.types(&scram());
        let sent = rig.types(other);
        assert_eq!(
            rig.condition(),
            Some(StreamCondition::PolicyViolation),
            "{other}: {sent}"
        );
        assert_eq!(rig.authenticated, None);
    }
    let mut rig = start();
    rig.types(&plain(""));
    rig.types(&plain(""));
    assert_eq!(
        rig.condition(),
        Some(StreamCondition::PolicyViolation),
        "again"
    );
}

#[test]
fn a_log_in_can_be_aborted_at_each_point() {
    let abort = "<abort xmlns='urn:xmpp:sasl:2'><text>enough</text></abort>";
    let task = format!(
        "{}<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-512'/>",
        lacking()
    );
    for before in ["".to_owned(), scram(), lacking(), task] {
        let mut rig = old_account();
        rig.types(&before);
        assert_eq!(rig.types(abort), failure(Failure::Aborted), "{before}");
        assert_eq!(rig.authenticated, None);
        assert!(rig.types(&plain("")).starts_with(SUCCESS), "{before}");
    }
    // While a question is open it waits; then it comes too late.
    let mut rig = start();
    rig.silent = true;
    assert_eq!(rig.types(&format!("{}{abort}", plain(""))), "");
    rig.silent = false;
    let account = rig.account.clone();
    rig.negotiation.provide_credentials(account);
    let sent = rig.drains();
    assert!(sent.starts_with(SUCCESS), "{sent}");
    assert_eq!(rig.condition(), Some(StreamCondition::PolicyViolation));
}

#[test]
fn both_profiles_share_their_attempts() {
    let wrong = "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>\
        <initial-response>AGFsaWNlAHBlbmNpbHM=</initial-response></authenticate>";
    let sasl = AUTH.replace("AGFsaWNlAHBlbmNpbA==", "AGFsaWNlAHBlbmNpbHM=");
    let mut rig = start();
    assert_eq!(rig.types(wrong), failure(Failure::NotAuthorized));
    assert!(
        rig.types(AUTH)
            .contains("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'")
    );
    let mut rig = start();
    assert!(
        rig.types(&sasl)
            .contains("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'")
    );
    assert!(rig.types(&plain("")).starts_with(SUCCESS));
    let mut rig = start();
    for attempt in [wrong, &sasl, wrong, &sasl] {
        rig.types(attempt);
        assert!(rig.closed.is_none());
    }
    rig.types(wrong);
    assert_eq!(rig.condition(), Some(StreamCondition::PolicyViolation));
    // One in the middle of the other.
    let mut rig = start();
    let begun = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>";
    rig.types(begun);
    assert_eq!(rig.types(&plain("")), failure(Failure::MalformedRequest));
    assert!(rig.types(&plain("")).starts_with(SUCCESS));
}

/// XEP-0388 §2.1 and §2.3.
#[test]
fn who_says_who_it_is_logs_in_as_that() {
    let from = |from: &str| HEADER.replace("to=", &format!("from='{from}' to="));
    for (name, outcome) in [
        ("alice@example.org", SUCCESS.to_owned()),
        ("alice@example.org/x", SUCCESS.to_owned()),
        ("example.org", SUCCESS.to_owned()),
        ("bob@example.org", failure(Failure::InvalidAuthzid)),
    ] {
        let mut rig = Rig::with(sasl2_settings(), Tls::Started(binding()));
        rig.types(&from(name));
        assert!(rig.types(&plain("")).starts_with(&outcome), "{name}");
    }
    let mut rig = Rig::with(sasl2_settings(), Tls::Started(binding()));
    rig.types(&from("alice@second.example"));
    assert_eq!(rig.condition(), Some(StreamCondition::InvalidFrom));
}

/// XEP-0509, examples 4 and 5.
#[test]
fn a_log_in_for_another_offer_fails_without_prejudice() {
    let version = |value: &str| {
        plain(&format!(
            "<config-version xmlns='urn:xmpp:iap:0' scheme='opaque' value='{value}'/>"
        ))
    };
    let mut rig = Rig::with(sasl2_settings(), Tls::Started(binding()));
    let sent = rig.types(HEADER);
    let current = sent.split_once("scheme='opaque' value='").unwrap().1;
    let current = current.split_once('\'').unwrap().0.to_owned();
    let sent = rig.types(&version("SSBjaGFuZ2VkIHRoaXMh"));
    let expected = "<failure xmlns='urn:xmpp:sasl:2'><aborted xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>\
        <config-version-mismatch xmlns='urn:xmpp:iap:0'/><text>Configuration version mismatch</text></failure>";
    assert_eq!(sent, expected);
    assert!(rig.failures.is_empty());
    assert!(rig.types(&version(&current)).starts_with(SUCCESS));
    // The version is the same for the same offer, and another for another.
    let shown = |settings: Settings| {
        let mut rig = Rig::with(settings, Tls::Started(binding()));
        rig.types(HEADER).contains(&current)
    };
    assert!(shown(sasl2_settings()));
    let mut changed = sasl2_settings();
    changed.mechanisms.pop();
    assert!(!shown(changed));
    // Nobody asks for ever.
    let mut rig = start();
    for _ in 0..5 {
        assert!(rig.closed.is_none());
        rig.types(&version(""));
    }
    assert_eq!(rig.condition(), Some(StreamCondition::PolicyViolation));
}
