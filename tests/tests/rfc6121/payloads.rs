//! RFC 6120 §8.4, RFC 6121 §5 and §8: what the server does not know reaches the other side as it was written.

use super::rig::Rig;

/// What clients may write between a start tag and an end tag, which most software would write otherwise.
const PAYLOADS: [&str; 12] = [
    "<body>x</body>",
    "<body xml:lang='cs'>x</body><body>y</body><body/>",
    "<a:b xmlns:a=\"urn:a\" a:z='1'  y = \"2\"\n\tx='3' ><a:c/><a:c></a:c ></a:b\n>",
    "<x xmlns='urn:x'><x xmlns='urn:y'><x xmlns=''/></x></x>",
    "<x xmlns='urn:x' a='&lt;&gt;&amp;&quot;&apos;&#233;&#xE9;\u{e9}'>&lt;&gt;&amp;&quot;&apos;&#233;&#xe9;\u{e9}></x>",
    "<x xmlns='urn:x'><![CDATA[<not> & a tag]]>]]&gt;</x>",
    "<x xmlns='urn:x'> \n\t <y/>  z  </x> \n ",
    "<x xmlns='urn:x' xmlns:q='urn:unused'/>",
    "<message xmlns='jabber:client' from='somebody@else.example'><body>inside</body></message>",
    "<forwarded xmlns='urn:xmpp:forward:0'><iq xmlns='jabber:server' type='get'/></forwarded>",
    "<x xmlns='urn:x'>\u{1F600}\u{10FFFD}\u{7f}\u{2028}</x>",
    "<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='somebody@else.example'/><origin-id xmlns='urn:xmpp:sid:0' id='2'/>",
];

#[test]
fn nothing_in_a_stanza_is_touched() {
    let mut rig = Rig::new(&["alice", "bob"]);
    rig.join("alice/phone", &["<presence/>"]);
    rig.join("bob/phone", &["<presence/>"]);
    for payload in PAYLOADS {
        for (name, kind) in [
            ("message", "chat"),
            ("message", "headline"),
            ("presence", "unavailable"),
            ("iq", "result"),
        ] {
            rig.forget();
            let stanza = format!(
                "<{name} weird='1' id='q' to='bob@example.org/phone' type='{kind}'>{payload}</{name}>"
            );
            rig.say("alice/phone", &stanza);
            let heard = rig.take_bytes("bob/phone");
            let inside = format!(">{payload}<");
            assert_eq!(heard.matches(&inside).count(), 1, "{stanza}\n{heard}");
            assert!(heard.contains(" weird='1' "), "{heard}");
        }
    }
}

/// The same for what waits: only the server's own words are behind it.
#[test]
fn nothing_that_waits_is_touched() {
    let mut rig = Rig::new(&["alice", "bob"]);
    rig.join("alice/phone", &["<presence/>"]);
    for payload in PAYLOADS {
        let stanza =
            format!("<message to='bob@example.org' type='chat'>{payload}<body/></message>");
        rig.say("alice/phone", &stanza);
    }
    rig.join("bob/phone", &["<presence/>"]);
    let heard = rig.take_bytes("bob/phone");
    for payload in PAYLOADS {
        let inside = format!(">{payload}<body/><stanza-id ");
        assert_eq!(heard.matches(&inside).count(), 1, "{payload}\n{heard}");
    }
}

/// Broadcast presence, and what is told of it later.
#[test]
fn presence_is_shown_as_it_was_sent() {
    let payload = "<status xml:lang=\"de\" >&#65;way</status><c xmlns='urn:x'  z='1' a='2'/>";
    let mut rig = Rig::new(&["alice"]);
    rig.join("alice/phone", &["<presence/>"]);
    rig.join("alice/desk", &[]);
    rig.forget();
    rig.say("alice/phone", &format!("<presence>{payload}</presence>"));
    rig.say("alice/desk", "<presence/>");
    for name in ["alice/phone", "alice/desk"] {
        let heard = rig.take_bytes(name);
        assert_eq!(
            heard.matches(&format!(">{payload}</presence>")).count(),
            1,
            "{heard}"
        );
    }
}
